"""Pages and extra samples of a TIFF; judged with tifffile and pyvips."""

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from command_line import Command
from photo_fixtures import noise
from PIL import Image

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.codecs.decoded import unassociate
from relight_cli.photos.header import read_header
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

CASES = Path(__file__).parent.parent / "cases"
SAME = ("--model", "tiny", "--strength", "0")
FULL, REDUCED, PAGE, MASK = 0, 1, 2, 4  # NewSubfileType (TIFF 6.0, section 8)


def written(*pages: tuple[np.ndarray, int], **options: object) -> io.BytesIO:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tiff:
        for pixels, kind in pages:
            if kind & MASK:
                tiff.write(np.zeros(pixels.shape[:2], bool), photometric="mask", subfiletype=kind, metadata=None)
                continue
            tiff.write(pixels, photometric="rgb", subfiletype=kind, metadata=None, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("kinds", "read"),
    [
        ([REDUCED, FULL], 1),
        ([REDUCED, REDUCED, FULL], 2),
        ([MASK, FULL], 1),
        ([FULL, REDUCED], 0),
        ([PAGE, PAGE], 0),
        ([REDUCED, PAGE, PAGE], 1),
        ([REDUCED | MASK, FULL], 1),
    ],
)
def test_the_first_full_size_page_is_read(kinds: list[int], read: int, dtype: str, options: dict) -> None:
    pages = [(noise((4 + n, 6 + n, 3), dtype, seed=n), kind) for n, kind in enumerate(kinds)]
    photo = read_photo(written(*pages, **options))
    np.testing.assert_array_equal(photo.pixels, pages[read][0])
    assert photo.notes == (
        f"only {f'page {read + 1}' if read else 'the first'} of {len(pages)} pictures is used; --page picks another",
    )


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "RGB", "L"])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_any_page_can_be_picked(mode: str, page: int, tmp_path: Path) -> None:
    images = [Image.fromarray(noise((4 + n, 6 + n, 3), seed=n)).convert(mode) for n in range(3)]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:])
    photo = read_photo(tmp_path / "a.tif", page=page)
    images[page - 1].save(tmp_path / "b.tif")
    np.testing.assert_array_equal(photo.pixels, read_photo(tmp_path / "b.tif").pixels)
    assert not any("pictures" in note for note in photo.notes)
    with pytest.raises(PhotoUnreadableError, match=r"there is no page 4, only 3; choose another --page"):
        read_photo(tmp_path / "a.tif", page=4)


def test_a_picture_below_a_thumbnail_is_read() -> None:
    file, full = io.BytesIO(), noise((12, 16, 3))
    with tifffile.TiffWriter(file) as tiff:
        tiff.write(noise((3, 4, 3)), photometric="rgb", subfiletype=REDUCED, subifds=1, metadata=None)
        tiff.write(full, photometric="rgb", metadata=None)
    file.seek(0)
    np.testing.assert_array_equal(read_photo(file).pixels, full)


def test_tags_before_the_photo_are_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        tags = [(271, "s", 0, "Camera1", True), (274, "H", 1, 6, True)]
        tiff.write(noise((3, 4, 3)), photometric="rgb", subfiletype=REDUCED, extratags=tags, metadata=None)
        tiff.write(noise((12, 16, 3)), photometric="rgb", metadata=None)
    photo = read_photo(path)
    exif = Image.Exif()
    exif.load(photo.metadata.exif)
    assert exif[271] == "Camera1"
    assert photo.pixels.shape == (16, 12, 3)
    header = read_header(path)
    assert (header.width, header.height, header.orientation) == (16, 12, 6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize(
    ("kinds", "alpha", "noted"),
    [
        (("unassalpha",), 0, False),
        (("unspecified", "unassalpha"), 1, True),
        (("unassalpha", "unspecified"), 0, True),
        (("unspecified", "unspecified", "unassalpha"), 2, True),
        (("unspecified", "unspecified"), None, True),
    ],
)
def test_the_sample_that_says_alpha_is_the_alpha(
    kinds: tuple[str, ...], alpha: int | None, noted: bool, photometric: str, planar: str, dtype: str
) -> None:
    colours = 3 if photometric == "rgb" else 1
    samples = noise((5, 6, colours + len(kinds)), dtype)
    stored = samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    file = io.BytesIO()
    tifffile.imwrite(file, stored, photometric=photometric, planarconfig=planar, extrasamples=kinds, metadata=None)
    photo = read_photo(file)
    np.testing.assert_array_equal(photo.pixels, samples[..., :colours])
    if alpha is None:
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, samples[..., colours + alpha])
    others = [colours + at for at in range(len(kinds)) if at != alpha]
    out = io.BytesIO()
    assert write_photo(photo, out, format="TIFF") == ()
    out.seek(0)
    with tifffile.TiffFile(out) as tiff:
        page = tiff.pages.first
        order = [*range(colours), *([] if alpha is None else [colours + alpha]), *others]
        np.testing.assert_array_equal(page.asarray(), samples[..., order])
        assert [int(kind) for kind in page.extrasamples] == [2] * (alpha is not None) + [0] * len(others)
    notes = write_photo(photo, io.BytesIO(), format="PNG")
    assert any("extra channels" in note for note in notes) == noted


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_samples_that_no_tag_counts_are_kept(photometric: str) -> None:
    samples = noise((5, 6, 4 if photometric == "rgb" else 2))
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=photometric, extrasamples=("unspecified",), metadata=None)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        place = tiff.pages.first.tags["ExtraSamples"].offset
    data[place : place + 2] = struct.pack("<H", 65000)  # a tag of no meaning
    photo = read_photo(io.BytesIO(data))
    assert photo.alpha is None
    out = io.BytesIO()
    assert write_photo(photo, out, format="TIFF") == ()
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(out.getvalue())), samples)
    assert write_photo(photo, io.BytesIO(), format="PNG") == ("its extra channels are dropped",)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_light_without_coverage_stays(dtype: str) -> None:
    stored = noise((5, 6, 4), dtype)
    stored[:2, :, 3] = 0
    file = io.BytesIO()
    tifffile.imwrite(file, stored, photometric="rgb", extrasamples=("assocalpha",), metadata=None)
    photo = read_photo(file)
    np.testing.assert_array_equal(photo.pixels[:2], stored[:2, :, :3])


def test_light_of_hardly_any_coverage_stays(recwarn: pytest.WarningsRecorder) -> None:
    stored, file = np.full((5, 6, 4), 0.5, np.float32), io.BytesIO()
    stored[..., 3] = 1e-40
    tifffile.imwrite(file, stored, photometric="rgb", extrasamples=("assocalpha",), metadata=None)
    photo = read_photo(file)
    np.testing.assert_array_equal(photo.pixels, stored[..., :3])
    assert not [one for one in recwarn if issubclass(one.category, RuntimeWarning)]


def test_colours_are_divided_by_alpha_without_a_copy_of_the_picture() -> None:
    pixels, alpha = np.full((1200, 1000, 3), 1000, np.uint16), np.full((1200, 1000), 30000, np.uint16)
    tracemalloc.start()
    unassociate(pixels, alpha)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < pixels.nbytes
    assert (pixels == round(1000 * 65535 / 30000)).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_cmyk_keeps_its_alpha(dtype: str) -> None:
    samples, file = noise((5, 6, 5), dtype), io.BytesIO()
    tifffile.imwrite(file, samples, photometric="separated", extrasamples=("unassalpha",), metadata=None)
    photo = read_photo(file)
    np.testing.assert_array_equal(photo.alpha, samples[..., 4])
    plain = io.BytesIO()
    tifffile.imwrite(plain, samples[..., :4], photometric="separated", metadata=None)
    np.testing.assert_array_equal(photo.pixels, read_photo(plain).pixels)


def test_thumbnail_first_case(command: Command) -> None:
    done = command("albedo", *SAME, "-o", "out.tif", CASES / "thumb_first.tif")
    assert done.code == 0
    assert "only page 2 of 2" in done.err
    expected = pyvips.Image.new_from_file(str(CASES / "thumb_first.tif"), page=1).numpy()
    np.testing.assert_array_equal(pyvips.Image.new_from_buffer(Path("out.tif").read_bytes(), "").numpy(), expected)


def test_unspecified_sample_case(command: Command) -> None:
    case = CASES / "rgba_unspecified8.tif"
    done = command("albedo", *SAME, "-o", "out.tif", case)
    assert (done.code, done.err) == (0, "")
    expected = pyvips.Image.new_from_file(str(case)).numpy()
    np.testing.assert_array_equal(pyvips.Image.new_from_buffer(Path("out.tif").read_bytes(), "").numpy(), expected)
    assert "extra channels" in command("albedo", *SAME, "-o", "out.png", case).err


def test_page_option(command: Command) -> None:
    Path("a.tif").write_bytes(written(*[(noise((8, 9, 3), seed=n), PAGE) for n in range(2)]).read())
    done = command("albedo", *SAME, "--page", "2", "-o", "out.tif", "a.tif")
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(
        pyvips.Image.new_from_buffer(Path("out.tif").read_bytes(), "").numpy(), noise((8, 9, 3), seed=1)
    )
    assert command("albedo", *SAME, "--page", "3", "-o", "b.tif", "a.tif").lines == [
        "relight-cli: a.tif: there is no page 3, only 2; choose another --page"
    ]
    Image.fromarray(noise((8, 9, 3))).save("a.png")
    assert command("albedo", *SAME, "--page", "2", "-o", "b.png", "a.png").code == 4
    assert command("albedo", *SAME, "--page", "1", "-o", "b.png", "a.png").code == 0
