"""ICC profiles: a photo's own colours to sRGB and back, unclipped.

Profiles of curves and a matrix (`matrix_profiles`) and of tables (`lut_profiles`) are converted here, all others by
lcms2. None of them clips sRGB: colours outside it become values below 0 or above 1 and can be converted back. Negative
values follow the linear part of the sRGB curve (12.92 times the linear value).
"""

from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.lcms import CHANNELS, INTENT, LINEAR, REC709, SRGB, linear_profile, profile_space, transform
from relight_cli.photos.lit_samples import LightProfile
from relight_cli.photos.lut_profiles import LutProfile, lut_profile
from relight_cli.photos.matrix_profiles import MatrixProfile, matrix_profile
from relight_cli.photos.pixel_bands import convert_pixels
from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import row_bands

__all__ = ["LINEAR", "REC709", "SRGB", "linear_profile", "profile_space"]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709


def profile_to_srgb(samples: NDArray, icc: bytes | None) -> NDArray[np.float32]:
    """Convert (H, W, C) samples of C = 1 or 3 channels, uint8, uint16 or float32, to (H, W, 3) sRGB.

    Without a profile, or with one that is equivalent to sRGB, samples are only scaled. Grey becomes three equal
    channels, also in an RGB profile. Raises imagecodecs.CmsError for a broken profile.
    """
    if icc is None or is_srgb(icc):
        values = to_unit(samples)
        return values if values.shape[2] == 3 else np.broadcast_to(values, (*values.shape[:2], 3))
    space = "gray" if profile_space(icc) == "gray" else "rgb"
    own = samples[..., :1] if space == "gray" else np.broadcast_to(samples, (*samples.shape[:2], 3))
    if profile := _evaluated(icc):
        return convert_pixels(own, profile.to_srgb, 3, np.dtype(np.float32))
    return transform(to_unit(own), icc, space, SRGB, "rgb")


def srgb_to_profile(srgb: NDArray[np.float32], icc: bytes | None, channels: int, dtype: np.dtype) -> NDArray:
    """Convert (H, W, 3) sRGB to (H, W, C) samples in the profile, C = 1 or 3, as uint8, uint16 or float32.

    Floats are not clipped. Grey without a grey profile is the BT.709 luma of the encoded colour.
    """
    space = "gray" if icc and profile_space(icc) == "gray" else "rgb"
    if icc is None or is_srgb(icc):
        own = srgb
    elif profile := _evaluated(icc):

        def convert(band: NDArray[np.float32]) -> NDArray:
            values = profile.from_srgb(band, clip=dtype != np.float32)
            return from_unit((values @ _LUMA)[:, None] if channels < profile.channels else values, dtype)

        return convert_pixels(srgb, convert, 1 if space == "gray" else channels, dtype)
    else:
        own = transform(srgb, SRGB, "rgb", icc, space)
    return from_unit((own @ _LUMA)[..., None] if channels == 1 and own.shape[2] == 3 else own, dtype)


def cmyk_to_srgb(inks: NDArray, icc: bytes | None) -> NDArray:
    """Convert (H, W, 4) CMYK, with full ink at the largest value, to (H, W, 3) sRGB; both are uint8 or uint16.

    Without a profile each colour is (1 - ink) * (1 - black). Raises imagecodecs.CmsError.
    """
    srgb = np.empty((*inks.shape[:2], 3), inks.dtype)
    for rows in row_bands(*inks.shape[:2]):
        if icc is None:
            paper = 1 - to_unit(inks[rows])
            srgb[rows] = from_unit(paper[..., :3] * paper[..., 3:], inks.dtype)
            continue
        srgb[rows] = imagecodecs.cms_transform(
            np.ascontiguousarray(inks[rows]),
            icc,
            SRGB,
            colorspace="cmyk",
            outcolorspace="rgb",
            outdtype=inks.dtype.name,
            intent=INTENT,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
    return srgb


@lru_cache(maxsize=64)
def is_srgb(icc: bytes) -> bool:
    """Return whether a profile equals sRGB to within half an 8-bit step, whatever its name.

    Every camera maker ships its own sRGB profile; converting through them would only add rounding.
    """
    if profile_space(icc) == "gray":
        probe = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
        return bool(np.abs(transform(probe, icc, "gray", SRGB, "rgb") - probe).max() < 0.5 / 255)
    probe = _rgb_probe()
    return bool(np.abs(transform(probe, icc, "rgb", SRGB, "rgb") - probe).max() < 0.5 / 255)


@lru_cache(maxsize=64)
def is_linear(icc: bytes) -> bool:
    """Return whether values in a profile are proportional to light; False for a broken profile."""
    space, steps = profile_space(icc), np.linspace(0, 1, 65, dtype=np.float32)
    if space not in ("rgb", "gray"):
        return False
    probe = np.repeat(steps[None, :, None], 1 if space == "gray" else 3, axis=2)
    try:
        light = transform(probe, icc, space, LINEAR, "rgb")
    except (imagecodecs.CmsError, ValueError):
        return False
    return bool(np.abs(light - steps[None, :, None]).max() < 1e-3)


@lru_cache(maxsize=64)
def converts_both_ways(icc: bytes) -> bool:
    """Return whether colours convert from the profile to sRGB and back; scanner profiles often convert one way."""
    space = profile_space(icc)
    if space not in ("rgb", "gray"):
        return False
    if matrix_profile(icc):  # measured here, when the photo is read, and not in each thread that converts
        return True
    try:
        srgb = transform(_rgb_probe()[..., : 1 if space == "gray" else 3], icc, space, SRGB, "rgb")
        transform(srgb, SRGB, "rgb", icc, space)
    except (imagecodecs.CmsError, ValueError):
        return False
    return True


def converts_to_srgb(icc: bytes, space: str) -> bool:
    """Return whether a profile is of a space ("rgb", "gray", "cmyk") and lcms2 can convert from it."""
    if profile_space(icc) != space:
        return False
    try:
        transform(np.zeros((1, 1, CHANNELS[space]), np.float32), icc, space, SRGB, "rgb")
    except (imagecodecs.CmsError, ValueError):
        return False
    return True


def light_profile(icc: bytes | None, samples: NDArray) -> LightProfile | None:
    """Return a profile through which integer samples (H, W, C) are converted to light and back here, else None."""
    profile = _evaluated(icc) if icc and samples.dtype != np.float32 else None
    return profile if profile and profile.channels == samples.shape[2] else None


def _evaluated(icc: bytes) -> MatrixProfile | LutProfile | None:
    """Return a profile that is evaluated here; None for one that is left to lcms2."""
    return matrix_profile(icc) or lut_profile(icc)


def _rgb_probe() -> NDArray[np.float32]:
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(27, 27, 3)
