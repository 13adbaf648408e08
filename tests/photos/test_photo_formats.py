"""HEIF, camera raw, OpenEXR, JPEG 2000 and deep AVIF: reading, writing and missing extras."""

import io
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import OpenEXR
import pillow_heif
import pytest
from photo_fixtures import dng, exif_block, noise, smooth, wide_profile
from PIL import Image

from relight_cli.errors import MissingExtraError, PhotoUnreadableError
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.formats import format_of, output_suffix
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import expand_bits, from_unit, reduce_bits

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>\xc3\xa9</a></x:xmpmeta>'
FULL = Metadata(exif_block(1), wide_profile("P3"), XMP, (300, 300))


def through(photo: Photo, kind: str, quality: int = 100) -> Photo:
    file = io.BytesIO()
    write_photo(photo, file, format=kind, quality=quality)
    return read_photo(file, max_pixels=10**6)


def samples(dtype: str, channels: int = 3) -> np.ndarray:
    return from_unit(smooth()[..., :channels], np.dtype(dtype))


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_expanded_and_reduced_bits_are_unchanged(bits: int) -> None:
    steps = np.arange(2**bits, dtype=np.uint16)
    assert expand_bits(steps, bits).max() == 65535
    np.testing.assert_array_equal(reduce_bits(expand_bits(steps, bits), bits), steps)


def test_colours_of_a_heic_that_are_multiplied_by_alpha() -> None:
    straight, alpha = noise((16, 24, 3)), np.maximum(noise((16, 24), seed=1), 100)
    stored = np.rint(straight * (alpha[..., None] / 255)).astype(np.uint8)
    picture = pillow_heif.from_bytes("RGBa", (24, 16), np.dstack((stored, alpha)).tobytes())
    file = io.BytesIO()
    picture.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    photo = read_photo(file)
    np.testing.assert_array_equal(photo.alpha, alpha)
    np.testing.assert_allclose(photo.pixels.astype(int), straight, atol=2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("profile", [None, "P3"])
def test_jpeg2000_is_lossless_at_quality_100(dtype: str, channels: int, transparent: bool, profile: str | None) -> None:
    pixels = noise((20, 30, channels), dtype)
    alpha = noise((20, 30), dtype, seed=1) if transparent else None
    back = through(Photo(pixels, alpha, metadata=Metadata(icc=profile and wide_profile(profile))), "JPEG2000")
    np.testing.assert_array_equal(back.pixels, pixels)
    np.testing.assert_array_equal(back.alpha, alpha) if transparent else None
    assert (back.alpha is None, back.format) == (not transparent, "JPEG2000")


def test_jpeg2000_of_other_depths_and_bare_codestreams() -> None:
    steps = (noise((20, 30, 3), "uint16") >> 4).astype(np.uint16)
    data = imagecodecs.jpeg2k_encode(steps, level=0, codecformat="j2k", bitspersample=12)
    photo = read_photo(io.BytesIO(data), max_pixels=600)
    np.testing.assert_array_equal(reduce_bits(photo.pixels, 12), steps)


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", 8), ("uint16", 10)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transparent", [False, True])
def test_heif_keeps_eight_bits_and_rounds_sixteen_to_ten(
    dtype: str, bits: int, channels: int, transparent: bool
) -> None:
    pixels = samples(dtype, channels)
    alpha = pixels[..., 0] if transparent else None
    back = through(Photo(pixels, alpha), "HEIF")
    assert back.pixels.dtype == pixels.dtype
    assert (back.alpha is None) != transparent
    error = np.abs(back.pixels.astype(float) - pixels).max()
    assert error <= (0 if bits == 8 and channels == 3 else 3) * np.iinfo(dtype).max / (2**bits - 1)
    assert len(np.unique(back.pixels[..., 0])) > (200 if bits == 8 else 700)


def test_a_turned_heif_is_turned_once() -> None:
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB", (32, 16), pixels.tobytes()).save(file, quality=-1, exif=exif_block(6))
    photo = read_photo(file, max_pixels=600)
    assert photo.pixels.shape in ((16, 32, 3), (32, 16, 3))
    upright = photo.pixels[..., 0] > 128
    stored = np.asarray(pillow_heif.open_heif(file)[0])[..., 0] > 128  # as libheif turns it for all programs
    np.testing.assert_array_equal(upright, stored)
    assert photo.metadata.exif == exif_block(1)


def test_the_main_picture_of_a_heif_is_used() -> None:
    container = pillow_heif.HeifFile()
    for value in (40, 200):
        container.add_frombytes("RGB", (16, 16), np.full((16, 16, 3), value, np.uint8).tobytes())
    file = io.BytesIO()
    container.save(file, quality=-1, primary_index=1)
    photo = read_photo(file, max_pixels=300)
    assert "only the main one of 2" in photo.notes[0]
    assert abs(int(photo.pixels.mean()) - 200) <= 1


@pytest.mark.parametrize("kind", ["JPEG2000", "HEIF"])
def test_metadata_survives_byte_for_byte(kind: str) -> None:
    back = through(Photo(samples("uint8"), metadata=FULL), kind).metadata
    assert (back.exif, back.icc, back.xmp) == (FULL.exif, FULL.icc, FULL.xmp)
    if kind == "JPEG2000":
        assert np.allclose(back.dpi, (300, 300), atol=0.02)


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_is_read_in_full(bits: int) -> None:
    steps = reduce_bits(samples("uint16"), bits)
    data = imagecodecs.avif_encode(steps, level=100, speed=10, bitspersample=bits, pixelformat="444")
    photo = read_photo(io.BytesIO(data), max_pixels=10**5)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(reduce_bits(photo.pixels, bits).astype(int) - steps).max() <= 4
    assert len(np.unique(photo.pixels[..., 0])) > 700
    notes = write_photo(photo, io.BytesIO())
    assert "AVIF is written with at most 8 bits" in notes[0]


def exr_file(path: Path, header: dict | None = None, **channels: np.ndarray) -> Path:
    OpenEXR.File({"type": OpenEXR.scanlineimage, **(header or {})}, channels).write(str(path))
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y"])
def test_exr_is_linear_light_of_any_brightness(dtype: str, names: str, tmp_path: Path) -> None:
    light = (smooth(9, 40) * 20 - 1).astype(dtype)
    planes = {name: np.ascontiguousarray(light[..., number % 3]) for number, name in enumerate(names)}
    if "A" in planes:
        planes["A"] = np.linspace(0, 1, 9 * 40, dtype=dtype).reshape(9, 40)
    photo = read_photo(exr_file(tmp_path / "a.exr", **planes), max_pixels=360)
    assert (photo.pixels.dtype, photo.metadata.icc, photo.format) == (np.float32, LINEAR, "EXR")
    write_photo(photo, tmp_path / "b.exr")
    with OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True) as written:
        found = {name: channel.pixels for name, channel in written.channels().items()}
    assert set(found) == set(names)
    for name, plane in planes.items():
        np.testing.assert_allclose(found[name], plane, rtol=1e-6)
    srgb = photo.to_srgb()
    assert srgb.max() > 2
    grey = read_photo(exr_file(tmp_path / "c.exr", Y=np.full((2, 2), 0.5, np.float32)), max_pixels=4).to_srgb()
    np.testing.assert_allclose(grey, 1.055 * 0.5 ** (1 / 2.4) - 0.055, atol=1e-4)


def test_exr_of_other_primaries_keeps_its_colours(tmp_path: Path) -> None:
    xy = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.3290)  # Display P3
    planes = dict(zip("RGB", np.eye(3, dtype=np.float32)[:, None, :].repeat(2, axis=1), strict=True))
    photo = read_photo(exr_file(tmp_path / "a.exr", {"chromaticities": xy}, **planes), max_pixels=6)
    # The matrix from linear P3 to linear sRGB, row by row (SMPTE EG 432-1, IEC 61966-2-1).
    expected = np.array([[1.2249, -0.0420, -0.0196], [-0.2247, 1.0419, -0.0786], [0, 0, 1.0979]])
    in_srgb = Photo(np.zeros((2, 3, 3), np.float32), metadata=Metadata(icc=LINEAR)).with_srgb(photo.to_srgb())
    np.testing.assert_allclose(in_srgb.pixels[0], expected, atol=2e-3)
    write_photo(photo, tmp_path / "b.exr")
    with OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True) as written:
        assert written.header()["chromaticities"] == pytest.approx(xy)
        for name, plane in planes.items():
            np.testing.assert_allclose(written.channels()[name].pixels, plane, atol=1e-6)


def test_a_cut_exr_is_named_as_such(tmp_path: Path) -> None:
    path = exr_file(tmp_path / "a.exr", **{name: noise((64, 64), "float32") for name in "RGB"})
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(PhotoUnreadableError, match=r"a\.exr: .*damaged or cut off"):
        read_photo(path, max_pixels=4096)


def test_exr_notes_what_is_dropped(tmp_path: Path) -> None:
    plane = np.ones((4, 4), np.float32)
    photo = read_photo(exr_file(tmp_path / "a.exr", R=plane, G=plane, B=plane, Z=plane), max_pixels=16)
    assert "extra channels" in photo.notes[0]
    for channels in ({"Z": plane}, {"R": plane, "G": plane}):
        with pytest.raises(PhotoUnreadableError, match="channels"):
            read_photo(exr_file(tmp_path / "b.exr", **channels), max_pixels=16)
    notes = write_photo(Photo(np.ones((4, 4, 3), np.float32), metadata=FULL), tmp_path / "c.exr")
    assert [("EXIF" in note, "resolution" in note) for note in notes] == [(True, True)]
    assert read_photo(tmp_path / "c.exr", max_pixels=16).metadata.xmp == XMP


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "HEIF"])
def test_linear_light_is_encoded_as_srgb_in_few_bits(kind: str) -> None:
    light = np.full((16, 16, 3), 0.2140, np.float32)  # the light of the sRGB value 0.5
    back = through(Photo(light, metadata=Metadata(icc=LINEAR)), kind)
    assert back.metadata.icc is None
    assert abs(back.to_srgb().mean() - 0.5) < 0.003


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_raw_file_is_developed_linear_and_upright(orientation: int, tmp_path: Path) -> None:
    light = smooth(64, 96) / smooth(64, 96).max()
    path = tmp_path / "IMG_1.dng"
    path.write_bytes(dng(light, orientation))
    photo = read_photo(path, max_pixels=64 * 96)
    upright = light if orientation == 1 else np.rot90(light, -1)
    assert (photo.pixels.shape, photo.pixels.dtype) == (upright.shape, np.uint16)
    inside = (slice(4, -4), slice(4, -4))
    assert np.abs(photo.pixels[inside] / 65535 - upright[inside]).max() < 0.01
    assert photo.metadata.icc == LINEAR
    assert photo.format == "TIFF"
    exif = Image.Exif()
    exif.load(photo.metadata.exif)
    assert exif[271] == "Camera1"
    with pytest.raises(PhotoUnreadableError, match="96 x 64"):
        read_photo(path, max_pixels=64 * 96 - 1)


def test_suffixes_of_outputs() -> None:
    for name, suffix in {"a.NEF": ".tif", "a.dng": ".tif", "a.j2k": ".jp2", "a.HEIC": ".HEIC", "a.txt": ".png"}.items():
        assert output_suffix(Path(name)) == suffix
    assert format_of(Path("a.cr3")) == "RAW"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["JPEG2000", "HEIF", "EXR", "RAW"])
def test_a_cut_file_is_refused(kind: str, share: float) -> None:
    file = io.BytesIO()
    if kind == "RAW":
        file.write(dng(smooth(64, 96)))
    else:
        write_photo(Photo(noise((40, 40, 3))), file, format=kind)
    with pytest.raises(PhotoUnreadableError):
        read_photo(io.BytesIO(file.getvalue()[: int(len(file.getvalue()) * share)]), max_pixels=10**5)


@pytest.mark.parametrize(
    ("kind", "module", "extra"), [("HEIF", "pillow_heif", "heif"), ("EXR", "OpenEXR", "exr"), ("RAW", "rawpy", "raw")]
)
def test_a_missing_extra_is_named_with_the_pip_line(
    kind: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.x"
    if kind == "RAW":
        path.write_bytes(dng(smooth(64, 96)))
    else:
        write_photo(Photo(noise((40, 40, 3))), path, format=kind)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"a\.x: .*pip install 'relight-cli\[{extra}\]'"):
        read_photo(path, max_pixels=10**5)
    if kind != "RAW":
        with pytest.raises(MissingExtraError, match=rf"b\.x: .*\[{extra}\]"):
            write_photo(Photo(noise((4, 4, 3))), tmp_path / "b.x", format=kind)
