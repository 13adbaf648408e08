"""Colours that a file states without a profile: what comes out looks the same to every reader that manages colours."""

import io
import struct
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import rawpy
from colour_checks import HDR, assert_displayed, assert_same, read, written
from photo_fixtures import dng, wide_profile
from PIL import Image
from stated_colours import (
    CODES,
    CURVES,
    avif,
    chrm,
    chunk,
    cicp_chunk,
    colours,
    exif,
    gama,
    heic,
    iccp,
    in_srgb,
    jp2,
    png,
    seen,
    srgb_light,
    tiff,
    with_exif,
    with_nclx,
    write_exr,
)

from relight_cli.errors import UsageError
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

SPACES = [
    *((space, curve) for space in ("sRGB", "P3", "BT.2020") for curve in ("sRGB", "linear", "gamma 2.2", "gamma 2.8")),
    *(("BT.2020", curve) for curve in ("BT.709", "BT.2020", "BT.2020, 12 bits", *HDR)),
    ("P3", "PQ"),
]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("space", "curve"), SPACES)
@pytest.mark.parametrize("container", ["PNG", "AVIF", "HEIF", "JPEG2000"])
def test_code_points_become_a_profile(container: str, space: str, curve: str, dtype: str) -> None:
    codes = (CODES[space], CURVES[curve][0])
    samples = colours(dtype, 0.6 if curve in HDR else 1.0)
    if container == "PNG":
        data = png(samples, cicp_chunk(*codes))
    elif container == "JPEG2000":
        data = jp2(samples, b"\5\0\0" + struct.pack(">HHHB", *codes, 0, 128))
    else:
        data = (avif if container == "AVIF" else heic)(samples, *codes)
        srgb = read(with_nclx(data, 1, 13))  # the samples without a meaning
        samples = srgb.pixels
        assert srgb.metadata.icc is None
    photo = read(data)
    values = samples / np.iinfo(samples.dtype).max
    if curve in HDR:
        assert f"its {curve} colours are converted" in photo.notes[0]
        assert_displayed(photo.pixels, photo.metadata.icc, values, space, curve)
        return
    assert not photo.notes
    np.testing.assert_array_equal(photo.pixels, samples)
    assert_same(photo, in_srgb(values, space, curve), dtype)


@pytest.mark.parametrize("codes", [(2, 2), (1, 13), (1, 1), (6, 6), (5, 6), (1, 2), (1, 15)])
@pytest.mark.parametrize("container", [avif, heic])
def test_code_points_of_srgb_and_of_old_encoders_change_nothing(container, codes: tuple[int, int]) -> None:
    photo = read(container(colours(), *codes))
    assert (photo.metadata.icc, photo.metadata.colour, photo.notes) == (None, None, ())


@pytest.mark.parametrize("space", ["sRGB", "P3", "AdobeRGB", "BT.2020"])
@pytest.mark.parametrize(("curve", "gamma"), [("linear", 1.0), ("gamma 1.8", 1.8), ("gamma 2.8", 2.8)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gamma_and_primaries_of_a_png(space: str, curve: str, gamma: float, dtype: str) -> None:
    samples = colours(dtype)
    chunks = (gama(gamma), chrm(space))
    photo = read(png(samples, *chunks))
    np.testing.assert_array_equal(photo.pixels, samples)
    assert_same(photo, in_srgb(samples / np.iinfo(dtype).max, space, curve), dtype)
    file = io.BytesIO()
    write_photo(photo, file)
    assert all(part in file.getvalue() for part in chunks)


def test_a_grey_png_gets_a_grey_profile() -> None:
    grey = np.ascontiguousarray(colours("uint16")[..., 0])
    for part in (gama(1.0), cicp_chunk(9, 8), cicp_chunk(1, 16)):
        photo = read(png(grey, part))
        assert photo.metadata.icc is None or photo.metadata.icc[16:20] == b"GRAY"
    np.testing.assert_allclose(
        read(png(grey, gama(1.0))).to_srgb()[..., 0], in_srgb(colours("float32"), "sRGB", "linear")[..., 0], atol=1e-3
    )


P3, LINEAR = chrm("P3"), gama(1.0)
SRGB_CHUNK = chunk(b"sRGB", b"\0")


@pytest.mark.parametrize(
    ("chunks", "space", "curve"),
    [
        ((cicp_chunk(12, 13), iccp(wide_profile("AdobeRGB")), SRGB_CHUNK, LINEAR), "P3", "sRGB"),
        ((iccp(wide_profile("AdobeRGB")), SRGB_CHUNK, LINEAR, P3), "AdobeRGB", "AdobeRGB"),
        ((SRGB_CHUNK, LINEAR, P3), "sRGB", "sRGB"),
        ((LINEAR, P3), "P3", "linear"),
        ((P3,), "P3", "sRGB"),
        ((gama(2.2),), "sRGB", "sRGB"),
        ((gama(2.2), P3), "P3", "gamma 2.2"),
        ((cicp_chunk(2, 2), LINEAR), "sRGB", "linear"),
        ((cicp_chunk(12, 13, matrix=1), LINEAR), "sRGB", "linear"),
        ((cicp_chunk(99, 13), LINEAR), "sRGB", "linear"),
        ((iccp(b"rubbish"), LINEAR), "sRGB", "linear"),
        ((chunk(b"gAMA", bytes(4)), chunk(b"cHRM", bytes(32))), "sRGB", "sRGB"),
        ((chunk(b"gAMA", b"\0"), LINEAR[:-1] + b"\0", P3), "P3", "sRGB"),
        ((LINEAR, gama(1.8)), "sRGB", "linear"),
        ((cicp_chunk(1, 13, full=0),), "sRGB", "narrow"),
    ],
)
def test_png_chunks_count_in_the_order_of_the_standard(chunks: tuple[bytes, ...], space: str, curve: str) -> None:
    samples = colours("uint16")
    values = samples / 65535
    if curve == "narrow":
        values, curve = np.clip((samples / 256 - 16) / 219, 0, 1), "sRGB"
    photo = read(png(samples, *chunks))
    assert_same(photo, in_srgb(values, space, curve), "uint16", ("PNG", "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("block", "space", "curve"),
    [
        (exif(65535, "R03"), "AdobeRGB", "AdobeRGB"),
        (exif(None, "R03"), "AdobeRGB", "AdobeRGB"),
        (exif(2), "AdobeRGB", "AdobeRGB"),
        (exif(1, "R98"), "sRGB", "sRGB"),
        (exif(2, "R98"), "sRGB", "sRGB"),
        (exif(65535), "sRGB", "sRGB"),
        (exif(65535, gamma=1.8), "sRGB", "gamma 1.8"),
        (exif(1, gamma=1.8), "sRGB", "sRGB"),
        (exif(65535, gamma=0), "sRGB", "sRGB"),
        (b"Exif\0\0rubbish", "sRGB", "sRGB"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_exif_says_the_colours(kind: str, block: bytes, space: str, curve: str) -> None:
    if kind == "TIFF" and b"rubbish" in block:
        return  # Pillow does not write it
    data = with_exif(kind, colours(), block)
    with Image.open(io.BytesIO(data)) as image:
        expected = in_srgb(np.asarray(image) / 255, space, curve)
    photo = read(data)
    assert_same(photo, expected, "uint8")
    assert (photo.metadata.icc is None) == (curve == "sRGB")


def test_a_profile_counts_more_than_exif_and_a_broken_one_less() -> None:
    file = io.BytesIO()
    for icc, space, curve in ((wide_profile("P3"), None, None), (b"rubbish", "AdobeRGB", "AdobeRGB")):
        file = io.BytesIO()
        Image.fromarray(colours()).save(file, "WEBP", lossless=True, exif=exif(65535, "R03"), icc_profile=icc)
        photo = read(file.getvalue())
        if space is None:
            assert (photo.metadata.icc, photo.notes) == (icc, ())
        else:
            assert "broken" in photo.notes[0]
            assert_same(photo, in_srgb(colours() / 255, space, curve), "uint8")


def test_a_converted_picture_does_not_keep_exif_that_denies_it() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(file, "JPEG", quality=100, exif=exif(65535, "R03"))
    samples, icc = written(read(file.getvalue()), "JPEG")
    assert icc
    assert np.abs(seen(samples, icc)[4, 4] - [1, 0, 0]).max() < 0.03


@pytest.mark.parametrize("space", ["P3", "BT.2020", "AdobeRGB"])
def test_tiff_tags_say_the_colours(space: str) -> None:
    samples = colours("uint16")
    assert_same(read(tiff(samples, space)), in_srgb(samples / 65535, space, "gamma 2.2"), "uint16")
    curve = np.rint(srgb_light(np.linspace(0, 1, 256)) * 65535)
    for space_ in (None, space):
        photo = read(tiff(colours(), space_, curve))
        assert_same(photo, in_srgb(colours() / 255, space_ or "sRGB", "sRGB"), "uint8")


def test_tiff_tags_of_srgb_change_nothing() -> None:
    photo = read(tiff(colours(), "sRGB"))
    assert photo.metadata.icc is None


@pytest.mark.parametrize("space", ["sRGB", "P3", "BT.2020", "AdobeRGB"])
def test_exr_keeps_its_primaries(space: str, tmp_path: Path) -> None:
    light = colours("float32") ** 2
    write_exr(str(tmp_path / "a.exr"), light, space)
    photo = read_photo(tmp_path / "a.exr")
    assert photo.notes == ()
    assert_same(photo, in_srgb(light, space, "linear"), "uint16", ("PNG", "TIFF", "WEBP"))
    write_photo(photo, tmp_path / "b.exr")
    with OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True) as again:
        primaries = again.header().get("chromaticities")
        np.testing.assert_allclose(again.channels()["R"].pixels, light[..., 0], atol=1e-6)
    with OpenEXR.File(str(tmp_path / "a.exr"), header_only=True) as first:
        assert space == "sRGB" or primaries == pytest.approx(first.header()["chromaticities"])


def enumerated(space: int) -> bytes:
    return b"\1\0\0" + struct.pack(">I", space)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_jpeg2000_says_the_colours(dtype: str) -> None:
    samples = colours(dtype)
    values = samples / np.iinfo(dtype).max
    for colour in (enumerated(16), b"\4\0\0x"):
        photo = read(jp2(samples, colour))
        np.testing.assert_array_equal(photo.pixels, samples)
        assert photo.metadata.icc is None
    assert "form that is not known" in photo.notes[0]
    any_profile = read(jp2(samples, b"\3\0\0" + wide_profile("AdobeRGB")))
    assert_same(any_profile, in_srgb(values, "AdobeRGB", "AdobeRGB"), dtype)
    romm = read(jp2(samples, enumerated(21)))
    reference = seen(samples, wide_profile("ProPhoto"))
    assert np.abs(seen(romm.pixels, romm.metadata.icc) - reference).max() < 1e-3
    np.testing.assert_array_equal(romm.pixels, samples)


def test_jpeg2000_in_sycc_is_converted_and_others_are_refused() -> None:
    rgb = colours().astype(float)
    luma = rgb @ [0.299, 0.587, 0.114]
    sycc = np.stack((luma, (rgb[..., 2] - luma) / 1.772 + 128, (rgb[..., 0] - luma) / 1.402 + 128), axis=-1)
    photo = read(jp2(np.rint(sycc).astype(np.uint8), enumerated(18)))
    assert np.abs(photo.pixels - rgb).max() <= 2
    for space in (1, 3, 4, 12, 14, 20, 24):
        with pytest.raises(Exception, match="colours is not supported"):
            read(jp2(colours(), enumerated(space)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_input_colour_holds_for_files_that_say_nothing(kind: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(colours()).save(file, kind, quality=100, subsampling=0)
    with Image.open(file) as image:
        values = np.asarray(image) / 255
    icc = tmp_path / "adobe.icc"
    icc.write_bytes(wide_profile("AdobeRGB"))
    for colour, space, curve in (("linear", "sRGB", "linear"), ("srgb", "sRGB", "sRGB"), (icc, "AdobeRGB", "AdobeRGB")):
        photo = read(file.getvalue(), input_colour=colour)
        assert_same(photo, in_srgb(values, space, curve), "uint8", (kind,))
    tagged = png(colours(), cicp_chunk(12, 13))
    assert read(tagged, input_colour="linear").metadata == read(tagged).metadata
    for wrong in (tmp_path / "none.icc", Path(__file__), b"rubbish"):
        with pytest.raises(UsageError):
            read(file.getvalue(), input_colour=wrong)


def test_float_tiff_above_white_is_told_about_input_colour() -> None:
    bright = colours("float32") * 3
    assert "--input-colour linear" in read(tiff(bright)).notes[0]
    photo = read(tiff(bright), input_colour="linear")
    assert photo.notes == ()
    np.testing.assert_array_equal(photo.pixels, bright)
    bright[0] = np.nan
    assert "--input-colour linear" in read(tiff(bright)).notes[0]


@pytest.mark.filterwarnings("error")
def test_a_float_tiff_without_any_number_is_read_in_silence() -> None:
    assert read(tiff(np.full((4, 4, 3), np.nan, np.float32))).notes == ()


@pytest.mark.parametrize("lamp", [False, True])
def test_raw_exposure_does_not_depend_on_the_brightest_pixel(lamp: bool) -> None:
    light = np.full((64, 64, 3), 0.4, np.float32)
    light[8:16, 8:16] = 1.0 if lamp else 0.7
    photo = read(dng(light))
    assert abs(photo.pixels[40, 40, 1] / 65535 - 0.4) < 0.001
    unbalanced = dng(light * [1, 1, 0.5]).replace(struct.pack("<H", 50728), struct.pack("<H", 50729), 1)
    with rawpy.imread(io.BytesIO(unbalanced)) as raw:
        assert min(raw.camera_whitebalance[:3]) <= 0
    assert "daylight" in read(unbalanced).notes[0]
