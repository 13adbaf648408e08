"""Profiles, bit depths and grey: unchanged colours keep their samples."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import WIDE, cmyk_profile, noise, scanner_profile, wide_profile
from PIL import Image, ImageCms

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.colour_profiles import converts_to_srgb, is_srgb
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.rasters.bit_depth import from_unit, in_depth
from relight_cli.rasters.rows import to_array


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lab_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def grey_profile(gamma: float = 2.2) -> bytes:
    return bytes(imagecodecs.cms_profile("gray", gamma=gamma))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("profile", [None, "sRGB", *WIDE])
def test_unchanged_colours_keep_every_sample(profile, channels, dtype):
    icc = None if profile is None else srgb_profile() if profile == "sRGB" else wide_profile(profile)
    photo = Photo(noise((70, 60, channels), dtype), metadata=Metadata(icc=icc))
    srgb = photo.to_srgb()
    assert srgb.dtype == np.float32
    assert srgb.shape == (70, 60, 3)
    np.testing.assert_array_equal(photo.with_srgb(srgb).pixels, photo.pixels)


@pytest.mark.parametrize("profile", WIDE)
def test_the_conversion_back_is_exact(profile):
    """Change every colour by far less than a step, so that every sample is converted, not kept."""
    photo = Photo(noise((200, 200, 3), "uint8"), metadata=Metadata(icc=wide_profile(profile)))
    srgb = photo.to_srgb()
    nudged = np.nextafter(srgb, np.float32(9))
    assert (nudged != srgb).all()
    np.testing.assert_array_equal(photo.with_srgb(nudged).pixels, photo.pixels)

    deep = Photo(noise((200, 200, 3), "uint16") | 4096, metadata=photo.metadata)  # above the steep start of the curve
    back = deep.with_srgb(np.nextafter(deep.to_srgb(), np.float32(9))).pixels
    assert np.abs(back.astype(int) - deep.pixels).max() <= 1


@pytest.mark.parametrize("profile", WIDE)
def test_colours_outside_srgb_survive(profile):
    photo = Photo(np.array([[[0, 255, 0]]], np.uint8), metadata=Metadata(icc=wide_profile(profile)))
    srgb = photo.to_srgb()
    assert srgb.min() < -0.1
    assert profile == "AdobeRGB" or srgb.max() > 1.01  # its green differs from sRGB's only in hue


def test_white_black_and_grey_are_the_same_in_every_profile():
    greys = np.repeat(np.array([0, 255], np.uint8)[:, None, None], 3, axis=2)
    for profile in WIDE:
        srgb = Photo(greys, metadata=Metadata(icc=wide_profile(profile))).to_srgb()
        np.testing.assert_allclose(srgb[:, 0], [[0, 0, 0], [1, 1, 1]], atol=2e-4)


def test_adobe_green_matches_lcms_in_eight_bits():
    """Compare with Pillow's lcms2 for colours inside sRGB."""
    pixels = (noise((40, 40, 3), "uint8") // 4 + 96).astype(np.uint8)
    icc = wide_profile("AdobeRGB")
    expected = ImageCms.profileToProfile(
        Image.fromarray(pixels), io.BytesIO(icc), io.BytesIO(srgb_profile()), renderingIntent=1
    )
    ours = from_unit(Photo(pixels, metadata=Metadata(icc=icc)).to_srgb(), np.dtype("uint8"))
    assert np.abs(ours.astype(int) - np.asarray(expected)).max() <= 1


def test_srgb_under_another_name_is_recognised():
    assert is_srgb(srgb_profile())
    assert not is_srgb(wide_profile("P3"))


def test_changed_colours_are_rounded_and_clipped():
    photo = Photo(np.zeros((1, 4, 3), np.uint8))
    srgb = np.array([[[9.6 / 255] * 3, [9.4 / 255] * 3, [-1] * 3, [2] * 3]], np.float32)
    np.testing.assert_array_equal(photo.with_srgb(srgb).pixels[0, :, 0], [10, 9, 0, 255])
    assert Photo(np.zeros((1, 4, 3), np.float32)).with_srgb(srgb).pixels.max() == 2


def test_nan_becomes_black_not_noise():
    srgb = np.full((1, 1, 3), np.nan, np.float32)
    assert Photo(np.full((1, 1, 3), 9, np.uint8)).with_srgb(srgb).pixels.max() == 0


def test_grey_stays_grey_with_the_luma_of_a_colour():
    photo = Photo(np.zeros((1, 1, 1), np.uint8)).with_srgb(np.array([[[0, 1, 0]]], np.float32))
    assert photo.pixels.tolist() == [[[round(255 * 0.7152)]]]


def test_a_grey_profile_is_followed():
    icc = grey_profile(1.0)
    photo = Photo(noise((30, 30, 1), "uint16"), metadata=Metadata(icc=icc))
    srgb = photo.to_srgb()
    linear = photo.pixels / 65535
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(srgb, np.repeat(expected, 3, axis=2), atol=1e-3)
    back = photo.with_srgb(srgb + np.float32(1e-7)).pixels
    assert np.abs(back.astype(int) - photo.pixels).max() <= 1


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Photo(np.zeros((2, 3, 3), np.uint8)).with_srgb(np.zeros((3, 2, 3), np.float32))


def test_alpha_and_metadata_stay():
    alpha = noise((3, 3), "uint8")
    photo = Photo(noise((3, 3, 3), "uint8"), alpha, "TIFF", Metadata(exif=b"x", dpi=(72, 72)))
    changed = photo.with_srgb(1 - photo.to_srgb())
    np.testing.assert_array_equal(changed.pixels, 255 - photo.pixels)
    assert changed.alpha is alpha
    assert (changed.format, changed.metadata) == ("TIFF", photo.metadata)


@settings(max_examples=50, deadline=None)
@given(value=st.integers(0, 255), height=st.integers(1, 5))
def test_more_depth_and_back_is_the_identity(value, height):
    samples = np.full((height, 2, 3), value, np.uint8)
    for deep in ("uint16", "float32"):
        np.testing.assert_array_equal(to_array(in_depth(in_depth(samples, np.dtype(deep)), samples.dtype)), samples)
    assert to_array(in_depth(samples, np.dtype("uint16")))[0, 0, 0] == value * 257


def tagged(pixels: np.ndarray, icc: bytes, kind: str = "TIFF") -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, icc_profile=icc)
    file.seek(0)
    return file


@pytest.mark.parametrize("icc", [b"rubbish", b"\0" * 200, wide_profile("P3")[:300], lab_profile(), grey_profile()])
def test_a_broken_or_foreign_profile_costs_a_note(icc):
    pixels = noise((4, 5, 3), "uint8")
    photo = read_photo(tagged(pixels, icc), max_pixels=100)
    np.testing.assert_array_equal(photo.pixels, pixels)
    np.testing.assert_array_equal(photo.to_srgb(), pixels / np.float32(255))
    assert photo.metadata.icc is None
    assert "profile" in photo.notes[0]


def test_a_one_way_profile_is_converted_once():
    icc = scanner_profile()
    assert converts_to_srgb(icc, "rgb")
    pixels = np.array([[[0, 0, 0], [0, 255, 0], [128, 128, 128]]], np.uint8)
    photo = read_photo(tagged(pixels, icc), max_pixels=100)
    assert photo.metadata.icc is None
    assert "only one way" in photo.notes[0]
    assert photo.pixels[0, 0].max() <= 1
    assert photo.pixels[0, 1].min() >= 254  # the table sends pure green to white


def inks(shape, dtype):
    """Return smooth inks (H, W, 4)."""
    across = np.linspace(0, 1, shape[0] * shape[1]).reshape(shape)
    full = np.iinfo(dtype).max
    return np.rint(np.stack((across, 1 - across, across / 2, across * 0.3), axis=-1) * full).astype(dtype)


def cmyk_tiff(samples, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="separated", metadata=None, **options)
    return file


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_sixteen_bit_cmyk_stays_sixteen_bits(planar):
    samples = inks((40, 100), np.uint16)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    photo = read_photo(cmyk_tiff(stored, planarconfig=planar, compression="zlib"), max_pixels=4000)
    cyan, magenta, yellow, black = (samples[..., number] / 65535 for number in range(4))
    wanted = np.stack([(1 - ink) * (1 - black) for ink in (cyan, magenta, yellow)], axis=-1) * 65535
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels - wanted).max() <= 0.51
    assert photo.metadata.icc is None
    assert "CMYK" in photo.notes[0]
    over = np.concatenate((samples, np.full((40, 100, 1), 30000, np.uint16)), axis=-1)
    transparent = read_photo(cmyk_tiff(over, extrasamples=["unassalpha"]), max_pixels=4000)
    assert (transparent.pixels == photo.pixels).all()
    assert (transparent.alpha == 30000).all()


def test_cmyk_goes_through_its_profile():
    icc = cmyk_profile()
    deep, plain = inks((40, 100), np.uint16), inks((40, 100), np.uint8)
    sixteen = read_photo(cmyk_tiff(deep, iccprofile=icc), max_pixels=4000)
    eight = read_photo(cmyk_tiff(plain, iccprofile=icc), max_pixels=4000)
    assert (sixteen.pixels.dtype, eight.pixels.dtype) == (np.uint16, np.uint8)
    assert np.abs(sixteen.pixels / 257 - eight.pixels).max() < 2.5
    assert len(np.unique(sixteen.pixels[..., 0])) > 2000
    through = ImageCms.profileToProfile(
        Image.fromarray(plain, "CMYK"),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert np.abs(np.asarray(through).astype(int) - eight.pixels).max() <= 2
    without = read_photo(cmyk_tiff(deep), max_pixels=4000)
    assert np.abs(sixteen.pixels.astype(int) - without.pixels).max() > 500


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (inks((8, 8), np.uint16), {"extratags": [(332, "H", 1, 2, True)]}),  # inks of other colours
        (np.zeros((8, 8, 4), np.float32), {}),
    ],
)
def test_other_inks_are_refused(samples, options):
    with pytest.raises(PhotoUnreadableError, match=r"inks are not those of CMYK|SEPARATED"):
        read_photo(cmyk_tiff(samples, **options), max_pixels=4000)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(kind):
    file = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(file, kind, **({"quality": 100} if kind == "JPEG" else {}))
    file.seek(0)
    photo = read_photo(file, max_pixels=100)
    assert "CMYK" in photo.notes[0]
    assert np.abs(photo.pixels.astype(int) - [255, 0, 0]).max() <= 3
