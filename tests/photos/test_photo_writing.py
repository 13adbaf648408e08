"""Written files have the same samples and metadata, and appear whole or not at all."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from photo_fixtures import exif_block, wide_profile
from PIL import Image, ImageFile

from relight_cli.errors import OutputUnwritableError
from relight_cli.photos import atomic_files
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.formats import SUFFIXES, format_of
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.rows import LazyRows

P3 = wide_profile("P3")
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>\u00e9\u4e2d</a></x:xmpmeta>'.encode()
METADATA = Metadata(exif_block(1), P3, XMP, (300, 300))
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def photo_of(pixels: np.ndarray, *, alpha: np.ndarray | None = None, metadata: Metadata | None = None) -> Photo:
    return Photo(pixels, alpha, "PNG", metadata or Metadata())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def square(value: int = 100, side: int = 8) -> Photo:
    return photo_of(np.full((side, side, 3), value, np.uint8))


def through(photo: Photo, kind: str, quality: int = 95) -> tuple[Photo, tuple[str, ...]]:
    file = io.BytesIO()
    notes = write_photo(photo, file, format=kind, quality=quality)
    return read_photo(file, max_pixels=10**6), notes


@st.composite
def photos(draw: st.DrawFn) -> Photo:
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    values = st.floats(-1, 2, width=32) if dtype == "float32" else None
    pixels = draw(arrays(dtype, (height, width, draw(st.sampled_from([1, 3]))), elements=values))
    alpha = draw(st.none() | arrays(dtype, (height, width), elements=values))
    return Photo(pixels, alpha)


@settings(max_examples=120, deadline=None)
@given(photo=photos(), kind=st.sampled_from(["PNG", "WEBP", "TIFF"]))
def test_lossless_formats_keep_every_sample(photo, kind):
    depths = {"PNG": ("uint8", "uint16"), "WEBP": ("uint8",), "TIFF": ("uint8", "uint16", "float32")}[kind]
    back, notes = through(photo, kind, quality=100)
    if photo.pixels.dtype.name not in depths:
        assert "bits" in notes[0]
        assert back.pixels.dtype == depths[-1]
        return
    pixels = np.broadcast_to(photo.pixels, back.pixels.shape)  # WebP stores grey as RGB
    np.testing.assert_array_equal(back.pixels, pixels)
    if photo.alpha is not None and not (kind == "WEBP" and (photo.alpha == 255).all()):
        np.testing.assert_array_equal(back.alpha, photo.alpha)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_with_another_stride_can_be_written(kind, dtype):
    """Write a photo whose axis of one channel has a stride of its own."""
    source = io.BytesIO(imagecodecs.png_encode(np.full((5, 7), 200, dtype)))
    photo = read_photo(source, max_pixels=100)
    photo = Photo(photo.pixels[..., 0][..., None], None, "PNG")
    back, _ = through(photo, kind)
    assert back.pixels.shape[:2] == (5, 7)


@pytest.mark.parametrize(("width", "height"), [(1, 300), (2, 3000), (4, 20000)])
def test_narrow_grey_pictures_can_be_written_as_png(width, height):
    """Write rows that are hardly longer than the byte that names their filter."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 1), np.uint8)
    back, _ = through(photo_of(pixels), "PNG")
    np.testing.assert_array_equal(back.pixels, pixels)


@settings(max_examples=40, deadline=None)
@given(photo=photos(), kind=st.sampled_from(["JPEG", "AVIF"]))
def test_lossy_formats_keep_the_size(photo, kind):
    back, _ = through(photo, kind)
    assert back.pixels.shape[:2] == photo.pixels.shape[:2]
    assert back.format == kind


@pytest.mark.parametrize("kind", FORMATS)
def test_metadata_survives_byte_for_byte(kind):
    back, notes = through(photo_of(np.full((6, 9, 3), 99, np.uint8), metadata=METADATA), kind)
    assert back.metadata.icc == P3
    assert back.metadata.xmp == XMP
    if kind in ("WEBP", "AVIF"):
        assert any("dpi" in note for note in notes)
    else:
        assert np.allclose(back.metadata.dpi, (300, 300), atol=0.01)
        assert notes == ()
    exif = Image.Exif()
    exif.load(back.metadata.exif)
    assert exif[0x010F] == "Camera1"
    assert exif.get_ifd(0x8769)[0x927C] == b"MAKER\0" + bytes(range(250))
    if kind in ("JPEG", "PNG", "WEBP"):
        assert back.metadata.exif == METADATA.exif
    if kind == "AVIF":
        assert back.metadata.exif.endswith(METADATA.exif[-270:])  # all but the Orientation, which AVIF does not need


def test_a_sixteen_bit_tiff_carries_exif_too():
    back, _ = through(photo_of(np.full((6, 9, 3), 9999, np.uint16), metadata=METADATA), "TIFF")
    exif = Image.Exif()
    exif.load(back.metadata.exif)
    assert (exif[0x010F], back.pixels.dtype) == ("Camera1", np.uint16)
    assert exif.get_ifd(0x8769)[0x927C] == b"MAKER\0" + bytes(range(250))
    file = io.BytesIO()
    write_photo(photo_of(np.full((6, 9, 3), 9999, np.uint16), metadata=METADATA), file, format="TIFF")
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:  # another reader can read the appended directory
        assert tiff.pages.first.tags["Make"].value == "Camera1"
        assert tiff.pages.first.asarray().max() == 9999


def test_other_readers_see_sixteen_bits_and_the_profile():
    file = io.BytesIO()
    write_photo(photo_of(np.full((6, 9, 1), 300, np.uint16), metadata=Metadata(xmp=XMP)), file, format="PNG")
    with Image.open(file) as image:
        assert image.mode == "I;16"
        assert image.info["xmp"] == XMP
        assert image.getpixel((0, 0)) == 300


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_pictures_of_several_bands_keep_every_sample(channels, has_alpha):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 700, channels)).astype(np.uint8)
    alpha = np.arange(300 * 700).reshape(300, 700).astype(np.uint8) if has_alpha else None
    found, _ = through(Photo(pixels, alpha), "WEBP", quality=100)
    assert (found.pixels == pixels).all()
    assert (found.alpha == alpha).all() if has_alpha else found.alpha is None


@pytest.mark.parametrize("quality", [1, 60, 94, 95, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_can_be_written_as_jpeg(quality, channels, capfd):
    noise = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (500, 400, channels))
    found, _ = through(photo_of(noise), "JPEG", quality)
    assert found.pixels.shape == noise.shape
    assert "Suspension" not in capfd.readouterr().err


def test_jpegs_that_are_written_at_once_have_a_buffer_each(monkeypatch):
    """The second one begins while the first is at work, and goes on when that has ended."""
    save, size, sizes = Image.Image.save, ImageFile.MAXBLOCK, {}
    first_began, second_began, first_ended = (threading.Event() for _ in range(3))

    def slow(image, *arguments, **options):
        began, goes_on = (first_began, second_began) if image.width == 100 else (second_began, first_ended)
        began.set()
        assert goes_on.wait(20)
        sizes[image.width] = ImageFile.MAXBLOCK
        save(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(through, square(side=100), "JPEG")
        first.add_done_callback(lambda done: first_ended.set())
        assert first_began.wait(20)
        second = pool.submit(through, square(side=200), "JPEG")
        assert [done.result()[0].pixels.shape[0] for done in (first, second)] == [100, 200]
    assert sizes[200] >= 10 * 200 * 200
    assert size == ImageFile.MAXBLOCK


def test_pixels_are_made_once_however_often_the_metadata_is_refused():
    made = []

    def make(rows: slice) -> np.ndarray:
        made.append(rows.start)
        return np.full((rows.stop - rows.start, 700, 3), 100, np.uint8)

    photo = Photo(LazyRows((300, 700, 3), np.dtype(np.uint8), make), metadata=Metadata(exif_block(1) + bytes(70_000)))
    _, notes = through(photo, "JPEG")
    assert "EXIF metadata is dropped" in " ".join(notes)
    assert len(made) == len(set(made)) > 1


@pytest.mark.parametrize("part", ["exif", "xmp"])
def test_metadata_that_the_encoder_refuses_is_dropped_with_a_note(part):
    metadata = Metadata(**{"icc": P3, "exif": exif_block(1), "xmp": XMP, part: exif_block(1) + bytes(70000)})
    back, notes = through(photo_of(np.zeros((4, 4, 3), np.uint8), metadata=metadata), "JPEG")
    assert back.metadata.icc == P3
    assert getattr(back.metadata, part) is None
    assert getattr(back.metadata, "xmp" if part == "exif" else "exif")
    assert part.upper() in notes[0]


def test_jpeg_is_blended_with_white():
    pixels = np.zeros((8, 8, 3), np.uint8)
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:4] = 255
    back, notes = through(photo_of(pixels, alpha=alpha), "JPEG", quality=100)
    assert back.pixels[:3].max() < 8
    assert back.pixels[5:].min() > 247
    assert "transparency" in notes[0]


def test_jpeg_keeps_full_colour_resolution():
    file = io.BytesIO()
    write_photo(square(), file, format="JPEG")
    assert imagecodecs.jpeg8_decode(file.getvalue()).shape == (8, 8, 3)
    with Image.open(file) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_grey_profile_is_converted_if_grey_is_stored_as_rgb(kind):
    icc = bytes(imagecodecs.cms_profile("gray", gamma=1.0))
    photo = photo_of(np.full((8, 8, 1), 55, np.uint8), metadata=Metadata(icc=icc))
    back, notes = through(photo, kind)
    assert back.metadata.icc is None
    assert "grey profile" in notes[0]
    assert np.abs(back.to_srgb() - photo.to_srgb()).max() < 0.02


@pytest.mark.parametrize("source", ["EXR", "JPEG"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_a_grey_picture_has_a_grey_profile_in_another_format(source, kind):
    pixels = np.full((8, 8, 1), 0.2, np.float32) if source == "EXR" else np.full((8, 8, 1), 55, np.uint8)
    photo = Photo(pixels, None, source, Metadata(icc=LINEAR if source == "EXR" else wide_profile("ProPhoto")))
    back, _ = through(photo, kind, quality=100)
    assert (back.metadata.icc or b"")[16:20] == (b"" if source == "EXR" and kind != "TIFF" else b"GRAY")
    assert np.abs(back.to_srgb() - photo.to_srgb()).max() < 0.003


def test_too_large_for_the_format():
    with pytest.raises(OutputUnwritableError, match="choose PNG or TIFF"):
        write_photo(photo_of(np.zeros((1, 16400, 3), np.uint8)), io.BytesIO(), format="WEBP")


def test_the_suffix_chooses_the_format(tmp_path):
    for suffix, kind in SUFFIXES.items():
        path = tmp_path / f"a{suffix.upper()}"
        write_photo(square(), path)
        assert read_photo(path, max_pixels=64).format == kind == format_of(path)
    for name in ("a.gif", "a", "a.jpg.txt"):
        with pytest.raises(OutputUnwritableError, match=r"\.png"):
            write_photo(square(), tmp_path / name)
    assert names(tmp_path) == sorted(f"a{suffix.upper()}" for suffix in SUFFIXES)


def test_an_existing_file_is_kept_without_overwrite(tmp_path):
    path = tmp_path / "a.png"
    write_photo(square(1), path)
    with pytest.raises(OutputUnwritableError, match=r"a\.png.*--overwrite"):
        write_photo(square(2), path)
    assert read_photo(path, max_pixels=64).pixels.max() == 1
    write_photo(square(2), path, overwrite=True)
    assert read_photo(path, max_pixels=64).pixels.max() == 2
    assert names(tmp_path) == ["a.png"]


def test_a_name_taken_at_the_last_moment_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    flush = atomic_files._flush

    def slow(temporary: Path) -> None:
        flush(temporary)
        path.write_text("mine")

    monkeypatch.setattr(atomic_files, "_flush", slow)
    with pytest.raises(OutputUnwritableError, match="exists"):
        write_photo(square(), path)
    assert path.read_text() == "mine"
    assert names(tmp_path) == ["a.png"]


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links on FAT")

    monkeypatch.setattr(os, "link", refuse)
    write_photo(square(), tmp_path / "a.png")
    with pytest.raises(OutputUnwritableError, match="exists"):
        write_photo(square(), tmp_path / "a.png")
    assert names(tmp_path) == ["a.png"]


def test_modes(tmp_path):
    path = tmp_path / "a.png"
    before = os.umask(0o027)
    try:
        write_photo(square(), path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        write_photo(square(), path, overwrite=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_replaced_not_followed(tmp_path, dangling):
    original, link = tmp_path / "original.png", tmp_path / "link.png"
    if not dangling:
        original.write_text("precious")
    link.symlink_to(original)
    with pytest.raises(OutputUnwritableError, match="exists"):
        write_photo(square(), link)
    write_photo(square(), link, overwrite=True)
    assert not link.is_symlink()
    assert read_photo(link, max_pixels=64).pixels.max() == 100
    assert original.read_text() == "precious" if not dangling else not original.exists()


def test_bad_targets(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for path, words in {
        tmp_path / "file" / "a.png": "Not a directory",
        tmp_path / "none" / "a.png": "create the folder",
        tmp_path / "folder.png": "is a folder",
        tmp_path / "pipe.png": "device or pipe",
        tmp_path / f"{'n' * 260}.png": "shorter name",
        tmp_path / "nul\0.png": "null",
    }.items():
        for overwrite in (False, True):
            with pytest.raises(OutputUnwritableError, match=words) as caught:
                write_photo(square(), path, overwrite=overwrite)
            assert str(caught.value).startswith(f"{path}: ")
    assert names(tmp_path) == ["file", "folder.png", "pipe.png"]


def test_the_longest_name_works(tmp_path):
    path = tmp_path / f"{'n' * 251}.png"
    write_photo(square(), path)
    assert names(tmp_path) == [path.name]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "a.png"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_photo(square(), path, overwrite=True)
    assert names(tmp_path) == ["a.png"]
    assert path.read_text() == "old"


WRITER = """
import sys, resource
from pathlib import Path
import numpy as np
from relight_cli.errors import OutputUnwritableError
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
photo = Photo(np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8))
target = Path(sys.argv[1])
"""


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    code = WRITER + (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))\n"
        "try: write_photo(photo, target, overwrite=True)\n"
        "except OutputUnwritableError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: cannot be written (File too large); ")
    assert names(tmp_path) == ["a.png"]
    assert path.read_text() == "old"


def test_a_killed_writer_never_tears_the_file(tmp_path):
    path = tmp_path / "a.tif"
    code = WRITER + "print('go', flush=True)\nwhile True: write_photo(photo, target, overwrite=True)\n"
    expected = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    write_photo(photo_of(expected), path)
    for delay in (0.01, 0.053):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        np.testing.assert_array_equal(read_photo(path, max_pixels=90000).pixels, expected)


def test_a_closed_pipe_is_an_output_error():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as sink, pytest.raises(OutputUnwritableError, match="standard output"):
        write_photo(square(), sink, format="PNG")
