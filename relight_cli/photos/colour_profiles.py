"""ICC profiles: a photo's own colours to sRGB and back, unclipped, through lcms2.

lcms2 does not clip floats: colours outside sRGB become values below 0 or above 1 and can be converted back. Negative
values follow the linear part of the sRGB curve (12.92 times the linear value).
"""

import struct
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import row_bands

SRGB = bytes(imagecodecs.cms_profile("srgb"))
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # chromaticities, also of sRGB (IEC 61966-2-1)


def linear_profile(chromaticities: tuple[float, ...]) -> bytes:
    """Return a profile of linear light for the (x, y) of red, green, blue and white; always the same bytes."""
    red, green, blue, white = ((*chromaticities[at : at + 2], 1.0) for at in range(0, 8, 2))
    profile = bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=(*red, *green, *blue), gamma=1.0))
    # The creation date is set to 1 January 2000, the profile ID to zero (ICC.1:2010, section 7.2.1).
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:84] + bytes(16) + profile[100:]


LINEAR = linear_profile(REC709)

_INTENT = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray", b"CMYK": "cmyk"}


def profile_space(icc: bytes) -> str | None:
    """Return the colour space of a profile: "rgb", "gray" or "cmyk"; None for any other or a broken one."""
    return _SPACES.get(icc[16:20])


def profile_to_srgb(values: NDArray[np.float32], icc: bytes | None) -> NDArray[np.float32]:
    """Convert (H, W, C) values of C = 1 or 3 channels in [0, 1] to (H, W, 3) sRGB.

    Without a profile, or with one that is equivalent to sRGB, values are unchanged. Grey becomes three equal channels,
    also in an RGB profile. Raises imagecodecs.CmsError for a broken profile.
    """
    if icc is None or is_srgb(icc):
        return values if values.shape[2] == 3 else np.broadcast_to(values, (*values.shape[:2], 3))
    if profile_space(icc) == "gray":
        return _transform(values[..., :1], icc, "gray", SRGB, "rgb")
    return _transform(np.broadcast_to(values, (*values.shape[:2], 3)), icc, "rgb", SRGB, "rgb")


def srgb_to_profile(srgb: NDArray[np.float32], icc: bytes | None, channels: int) -> NDArray[np.float32]:
    """Convert (H, W, 3) sRGB to (H, W, C) values in the profile, C = 1 or 3; unclipped.

    Grey without a grey profile is the BT.709 luma of the encoded colour.
    """
    if icc is None or is_srgb(icc):
        own = srgb
    elif profile_space(icc) == "gray":
        return _transform(srgb, SRGB, "rgb", icc, "gray")
    else:
        own = _transform(srgb, SRGB, "rgb", icc, "rgb")
    return (own @ _LUMA)[..., None] if channels == 1 else own


def convert_rgb(values: NDArray[np.float32], source: bytes, target: bytes) -> NDArray[np.float32]:
    """Convert (H, W, 3) values from one RGB profile to another, unclipped."""
    return _transform(values, source, "rgb", target, "rgb")


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
            intent=_INTENT,
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
        return bool(np.abs(_transform(probe, icc, "gray", SRGB, "rgb") - probe).max() < 0.5 / 255)
    probe = _rgb_probe()
    return bool(np.abs(_transform(probe, icc, "rgb", SRGB, "rgb") - probe).max() < 0.5 / 255)


@lru_cache(maxsize=64)
def is_linear(icc: bytes) -> bool:
    """Return whether values in a profile are proportional to light; False for a broken profile."""
    space, steps = profile_space(icc), np.linspace(0, 1, 65, dtype=np.float32)
    if space not in ("rgb", "gray"):
        return False
    probe = np.repeat(steps[None, :, None], 1 if space == "gray" else 3, axis=2)
    try:
        light = _transform(probe, icc, space, LINEAR, "rgb")
    except (imagecodecs.CmsError, ValueError):
        return False
    return bool(np.abs(light - steps[None, :, None]).max() < 1e-3)


@lru_cache(maxsize=64)
def converts_both_ways(icc: bytes) -> bool:
    """Return whether lcms2 can convert from the profile to sRGB and back; scanner profiles often convert one way."""
    space = profile_space(icc)
    if space not in ("rgb", "gray"):
        return False
    try:
        srgb = _transform(_rgb_probe()[..., : 1 if space == "gray" else 3], icc, space, SRGB, "rgb")
        _transform(srgb, SRGB, "rgb", icc, space)
    except (imagecodecs.CmsError, ValueError):
        return False
    return True


def converts_to_srgb(icc: bytes, space: str) -> bool:
    """Return whether a profile is of a space ("rgb", "gray", "cmyk") and lcms2 can convert from it."""
    channels = {"rgb": 3, "gray": 1, "cmyk": 4}[space]
    if profile_space(icc) != space:
        return False
    try:
        _transform(np.zeros((1, 1, channels), np.float32), icc, space, SRGB, "rgb")
    except (imagecodecs.CmsError, ValueError):
        return False
    return True


def _rgb_probe() -> NDArray[np.float32]:
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(27, 27, 3)


def _transform(
    values: NDArray[np.float32], source: bytes, space: str, target: bytes, target_space: str
) -> NDArray[np.float32]:
    # imagecodecs takes and returns grey without a channel axis.
    planes = np.ascontiguousarray(values[..., 0] if space == "gray" else values)
    converted = imagecodecs.cms_transform(
        planes, source, target, colorspace=space, outcolorspace=target_space, outdtype="float32", intent=_INTENT
    )
    return converted[..., None] if target_space == "gray" else converted
