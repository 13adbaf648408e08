"""Which files are read, how they are turned upright, and which are refused."""

import io
import os
import struct
import subprocess
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import exif_block, noise, wide_profile
from PIL import Image

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.metadata import drop_exif_orientation, reset_exif_orientation
from relight_cli.photos.reading import read_photo

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}, "TIFF": {"compression": "tiff_lzw"}}
LOSSY = {"JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
# EXIF orientation -> how the stored picture was made from the upright one
STORED = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: np.rot90,  # shown after a quarter turn clockwise
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


def saved(pixels: np.ndarray, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, kind, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_eight_orientations_are_exact(kind, orientation):
    upright = noise((5, 8, 3))
    stored = np.ascontiguousarray(STORED[orientation](upright))
    exif = exif_block(orientation)
    photo = read_photo(saved(stored, kind, exif=b"Exif\0\0" + exif, **LOSSLESS[kind]), max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.metadata.exif == exif_block(1)
    assert photo.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_eight_orientations_of_a_tiff(dtype, orientation):
    upright = noise((5, 8, 3), dtype)
    file = io.BytesIO()
    xmp = b'<x tiff:Orientation="%d"/>' % orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    tags = [(274, "H", 1, orientation, True), (700, "B", len(xmp), xmp, True)]
    tifffile.imwrite(file, stored, photometric="rgb", extratags=tags, resolution=(300, 150), resolutionunit=2)
    file.seek(0)
    photo = read_photo(file, max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.metadata.dpi == ((300, 150) if orientation < 5 else (150, 300))
    assert photo.metadata.xmp == b'<x tiff:Orientation="1"/>'


def test_a_turned_jpeg_swaps_its_resolution():
    photo = read_photo(saved(noise((6, 9, 3)), "JPEG", exif=b"Exif\0\0" + exif_block(6), dpi=(300, 150)), max_pixels=99)
    assert photo.pixels.shape == (9, 6, 3)
    assert photo.metadata.dpi == (150, 300)


def test_xmp_may_call_its_names_otherwise():
    upright = noise((4, 7, 3))
    xmp = b'<rdf xmlns:T="http://ns.adobe.com/tiff/1.0/" myT:Orientation="3"><T:Orientation>6</T:Orientation></rdf>'
    photo = read_photo(saved(np.ascontiguousarray(np.rot90(upright)), "WEBP", xmp=xmp, lossless=True), max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.metadata.xmp == xmp.replace(b">6<", b">1<")


def test_xmp_turns_only_without_an_exif_orientation():
    upright = noise((4, 7, 3))
    xmp = b"<rdf><tiff:Orientation>6</tiff:Orientation></rdf>"
    photo = read_photo(saved(np.ascontiguousarray(np.rot90(upright)), "WEBP", xmp=xmp, lossless=True), max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.metadata.xmp == b"<rdf><tiff:Orientation>1</tiff:Orientation></rdf>"
    both = saved(upright, "WEBP", xmp=xmp, exif=exif_block(1), lossless=True)
    np.testing.assert_array_equal(read_photo(both, max_pixels=100).pixels, upright)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_exif_is_patched_in_one_place(order, kind):
    before = exif_block(7, order, kind)
    after, orientation = reset_exif_orientation(before)
    assert orientation == 7
    assert after == exif_block(1, order, kind)
    dropped = drop_exif_orientation(before)
    assert len(dropped) == len(before)
    read = Image.Exif()
    read.load(dropped)
    assert 0x0112 not in read
    assert read[0x010F] == "Camera1"
    assert read.get_ifd(0x8769)[0x927C] == b"MAKER\0" + bytes(range(250))


@pytest.mark.parametrize("exif", [b"junk", b"II*\0\xff\xff\xff\xff", exif_block(6)[:12]])
def test_broken_exif_costs_a_note_not_the_photo(exif):
    photo = read_photo(saved(noise((4, 4, 3)), "PNG", exif=exif), max_pixels=100)
    assert photo.metadata.exif is None
    assert "EXIF" in photo.notes[0]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_a_damaged_metadata_chunk_costs_a_note_not_the_png(mode, capfd):
    image = Image.fromarray(noise((6, 5, 3))).convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif_block(1))
    damaged = file.getvalue().replace(b"MAKER", b"BAKER")  # the check sum no longer fits
    photo = read_photo(io.BytesIO(damaged), max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, read_photo(file, max_pixels=100).pixels)
    assert "metadata is damaged" in photo.notes[0]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY])
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 17, 3), (9, 2, 4)])
def test_formats(kind, shape):
    pixels = np.full(shape, 77, np.uint8)
    if kind == "JPEG":
        pixels = pixels[..., :3]
    photo = read_photo(saved(pixels, kind, **(LOSSLESS | LOSSY)[kind]), max_pixels=100)
    assert photo.format == kind
    assert photo.pixels.dtype == np.uint8
    assert np.abs(photo.pixels.astype(int) - 77).max() <= (2 if kind in LOSSY else 0)
    assert (photo.alpha is not None) == (shape[2] == 4 and kind != "JPEG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_of_png(mode):
    image = Image.fromarray(noise((6, 5, 3))).convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    photo = read_photo(file, max_pixels=100)
    grey = mode in ("1", "L", "LA")
    expected = np.asarray(image.convert("L" if grey else "RGB")).reshape(6, 5, -1)
    np.testing.assert_array_equal(photo.pixels, expected)
    assert (photo.alpha is not None) == (mode in ("LA", "RGBA"))


def test_palette_transparency_becomes_alpha():
    image = Image.fromarray(noise((6, 5)) % 4).convert("L").quantize(4)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=0)
    photo = read_photo(file, max_pixels=100)
    np.testing.assert_array_equal(photo.alpha == 0, np.asarray(image) == 0)
    assert photo.pixels.shape == (6, 5, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_never_flattened(channels):
    samples = noise((6, 5, channels), "uint16")
    colours = channels - (channels in (2, 4))
    png = io.BytesIO(imagecodecs.png_encode(samples))
    tiff = io.BytesIO()
    extra = ("unassalpha",) if channels in (2, 4) else None
    tifffile.imwrite(tiff, samples, photometric="rgb" if channels > 2 else "minisblack", extrasamples=extra)
    for file in (png, tiff):
        file.seek(0)
        photo = read_photo(file, max_pixels=100)
        np.testing.assert_array_equal(photo.pixels, samples[..., :colours])
        if channels in (2, 4):
            np.testing.assert_array_equal(photo.alpha, samples[..., -1])


@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"compression": "zlib", "predictor": True}])
def test_float_tiff(options):
    samples = np.random.default_rng(0).random((6, 5, 3), dtype=np.float32) * 2 - 0.5
    stored = np.moveaxis(samples, -1, 0) if "planarconfig" in options else samples
    file = io.BytesIO()
    tifffile.imwrite(file, np.ascontiguousarray(stored), photometric="rgb", **options)
    file.seek(0)
    np.testing.assert_array_equal(read_photo(file, max_pixels=100).pixels, samples)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_of_either_byte_order_and_offset_size(dtype, order, big):
    samples = noise((6, 5, 3), dtype)
    file = io.BytesIO()
    tags = [(271, "s", 0, "Camera1", True)]
    tifffile.imwrite(file, samples, photometric="rgb", byteorder=order, bigtiff=big, extratags=tags)
    photo = read_photo(file, max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, samples)
    exif = Image.Exif()
    exif.load(photo.metadata.exif)
    assert exif[271] == "Camera1"
    assert photo.notes == ()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "YCbCr"])
def test_modes_of_tiff(mode):
    image = Image.fromarray(noise((6, 5, 3))).convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF")
    photo = read_photo(file, max_pixels=100)
    expected = np.asarray(image.convert("L" if mode in ("1", "L", "LA") else "RGB")).reshape(6, 5, -1)
    np.testing.assert_array_equal(photo.pixels, expected)
    assert (photo.alpha is not None) == mode.endswith("A")


def test_white_is_zero_and_associated_alpha():
    samples = noise((4, 4), "uint16")
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="miniswhite")
    file.seek(0)
    np.testing.assert_array_equal(read_photo(file, max_pixels=100).pixels[..., 0], 65535 - samples)
    file = io.BytesIO()
    half = np.full((2, 2, 4), 30000, np.uint16)
    tifffile.imwrite(file, half, photometric="rgb", extrasamples=("assocalpha",))
    file.seek(0)
    np.testing.assert_array_equal(read_photo(file, max_pixels=100).pixels, 65535)


def test_only_the_first_picture_counts():
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    for kind in ("TIFF", "PNG", "WEBP", "AVIF", "MPO"):
        file = io.BytesIO()
        first.save(file, kind, save_all=True, append_images=[second])
        file.seek(0)
        photo = read_photo(file, max_pixels=100)
        assert photo.pixels[0, 0, 0] > 200
        assert "only the first of 2" in photo.notes[0]
        assert photo.format == ("JPEG" if kind == "MPO" else kind)


def test_camera_raw_is_not_mistaken_for_its_thumbnail(tmp_path):
    path = tmp_path / "IMG_0001.dng"
    tags = [(50706, "B", 4, b"\1\4\0\0", True)]
    tifffile.imwrite(path, noise((4, 4, 3)), photometric="rgb", extratags=tags, subfiletype=1)
    with pytest.raises(PhotoUnreadableError, match=r"IMG_0001\.dng.*raw"):
        read_photo(path, max_pixels=100)


def huge_png(width: int = 60000, height: int = 60000) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


BAD = {
    "empty": b"",
    "text": b"this is a photo, honestly",
    "page": b"<!DOCTYPE html><html><body>404</body></html>",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "jpeg-start": b"\xff\xd8\xff\xe0",
    "png-start": b"\x89PNG\r\n\x1a\n",
    "tiff-start": b"II*\0",
    "tiff-loop": b"II*\0\x08\0\0\0\xff\xff" + bytes(40),
    "webp-start": b"RIFF\x10\0\0\0WEBPVP8 ",
    "avif-start": b"\0\0\0\x1cftypavif\0\0\0\0",
    "huge": huge_png(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_a_photo_gives_one_line_with_its_name(name, tmp_path):
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(BAD[name])
    with pytest.raises(PhotoUnreadableError) as caught:
        read_photo(path, max_pixels=10**8)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "PNG16", "TIFF16"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_cut_file_is_refused(kind, share):
    if kind == "PNG16":
        data = imagecodecs.png_encode(noise((40, 40, 3), "uint16"))
    elif kind == "TIFF16":
        file = io.BytesIO()
        tifffile.imwrite(file, noise((40, 40, 3), "uint16"), photometric="rgb", compression="lzw", rowsperstrip=8)
        data = file.getvalue()
    else:
        data = saved(noise((40, 40, 3)), kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {})).getvalue()
    read_photo(io.BytesIO(data), max_pixels=1600)
    with pytest.raises(PhotoUnreadableError):
        read_photo(io.BytesIO(data[: int(len(data) * share)]), max_pixels=1600)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_any_damage_ends_in_a_photo_or_in_our_error(kind, flips):
    data = bytearray(saved(noise((20, 30, 3)), kind, exif=exif_block(1), icc_profile=wide_profile("P3")).getvalue())
    for place, value in flips:
        data[place % min(len(data), 900)] = value
    try:
        photo = read_photo(io.BytesIO(bytes(data)), max_pixels=10**5)
    except PhotoUnreadableError:
        return
    assert photo.to_srgb().shape == (*photo.pixels.shape[:2], 3)


def test_max_pixels_is_the_only_size_limit():
    with pytest.raises(PhotoUnreadableError, match=r"60000 x 60000 .* --max-pixels"):
        read_photo(io.BytesIO(huge_png()), max_pixels=10**8)
    flat = io.BytesIO()
    Image.new("1", (20000, 10000)).save(flat, "PNG")  # beyond Pillow's own limit
    with pytest.raises(PhotoUnreadableError, match="20000 x 10000"):
        read_photo(flat, max_pixels=10**8)
    exact = saved(noise((10, 10, 3)), "PNG")
    assert read_photo(exact, max_pixels=100).pixels.shape == (10, 10, 3)
    for kind in ("PNG", "TIFF", "JPEG", "WEBP", "AVIF"):
        with pytest.raises(PhotoUnreadableError, match="10 x 10"):
            read_photo(saved(noise((10, 10, 3)), kind), max_pixels=99)


def test_missing_and_folder(tmp_path):
    with pytest.raises(PhotoUnreadableError, match="no such file"):
        read_photo(tmp_path / "gone.jpg", max_pixels=1)
    with pytest.raises(PhotoUnreadableError, match="folder"):
        read_photo(tmp_path, max_pixels=1)
    with pytest.raises(PhotoUnreadableError):
        read_photo(tmp_path / "nul\0.jpg", max_pixels=1)


def test_a_pipe_is_read_and_bounded():
    data = saved(noise((10, 10, 3)), "PNG").getvalue()
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source:
        with os.fdopen(writer, "wb") as sink:
            sink.write(data)
        assert read_photo(source, max_pixels=100).pixels.shape == (10, 10, 3)

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "the stream may not be read to its end"
            return bytes(size)

    with pytest.raises(PhotoUnreadableError, match="more data"):
        read_photo(Endless(), max_pixels=100)


def test_damage_stays_off_stderr(tmp_path):
    """Run in a process of its own, because C libraries bypass Python's stderr."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((40, 40, 3)), photometric="rgb", compression="lzw")
    path.write_bytes(path.read_bytes()[:-300])
    code = (
        "import sys; from pathlib import Path; from relight_cli.errors import RelightError\n"
        "from relight_cli.photos.reading import read_photo\n"
        "try: read_photo(Path(sys.argv[1]), max_pixels=10**6)\n"
        "except RelightError: sys.exit(4)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "")
