"""ICC profiles: a photo's own colours to sRGB and back, unbounded, through lcms2.

Floats go through lcms2's unbounded float pipeline: colours outside sRGB come out below 0 or above 1 and survive the way
back. Negative values follow the straight toe of the sRGB curve (12.92 times the linear value).
"""

import struct
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import row_bands

SRGB = bytes(imagecodecs.cms_profile("srgb"))


def linear_profile(chromaticities: tuple[float, ...]) -> bytes:
    """Make a profile of linear light from the (x, y) of red, green, blue and white, always of the same bytes."""
    red, green, blue, white = ((*chromaticities[at : at + 2], 1.0) for at in range(0, 8, 2))
    made = bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=(*red, *green, *blue), gamma=1.0))
    # In place of the moment of its recipe, the first of January 2000 (ICC.1:2010, section 7.2.1).
    return made[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + made[36:84] + bytes(16) + made[100:]


LINEAR = linear_profile((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290))  # sRGB's primaries (IEC 61966-2-1)

_INTENT = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray", b"CMYK": "cmyk"}


def profile_space(icc: bytes) -> str | None:
    """Name the colour space of a profile: "rgb", "gray" or "cmyk"; None for any other or a broken one."""
    return _SPACES.get(icc[16:20])


def profile_to_srgb(values: NDArray[np.float32], icc: bytes | None) -> NDArray[np.float32]:
    """Convert (H, W, C) values of C = 1 or 3 channels in [0, 1] to (H, W, 3) sRGB.

    No profile, or one that says sRGB in other words, leaves the values untouched; grey values become three equal ones,
    also under an RGB profile. Raises imagecodecs.CmsError for a broken profile.
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


def between(values: NDArray[np.float32], source: bytes, target: bytes) -> NDArray[np.float32]:
    """Convert (H, W, 3) values from one RGB profile to another, unclipped."""
    return _transform(values, source, "rgb", target, "rgb")


def cmyk_to_srgb(inks: NDArray, icc: bytes | None) -> NDArray:
    """Convert (H, W, 4) CMYK, the largest value being full ink, to (H, W, 3) sRGB; both are uint8 or uint16.

    Without a profile an ink takes its share of the light that the black ink leaves. Raises imagecodecs.CmsError.
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
    """Tell whether a profile means sRGB to within half an 8-bit step, whatever it is called.

    Every camera maker ships its own sRGB profile; converting through them would only add rounding.
    """
    if profile_space(icc) == "gray":
        probe = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
        return bool(np.abs(_transform(probe, icc, "gray", SRGB, "rgb") - probe).max() < 0.5 / 255)
    probe = _rgb_probe()
    return bool(np.abs(_transform(probe, icc, "rgb", SRGB, "rgb") - probe).max() < 0.5 / 255)


@lru_cache(maxsize=64)
def converts_both_ways(icc: bytes) -> bool:
    """Tell whether lcms2 can go from the profile to sRGB and back; scanner profiles often lack the way back."""
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
    """Tell whether the profile describes pixels of this space ("rgb", "gray", "cmyk") and lcms2 can read it."""
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
    # lcms2 wants grey without a channel axis, and imagecodecs gives it back so.
    planes = np.ascontiguousarray(values[..., 0] if space == "gray" else values)
    converted = imagecodecs.cms_transform(
        planes, source, target, colorspace=space, outcolorspace=target_space, outdtype="float32", intent=_INTENT
    )
    return converted[..., None] if target_space == "gray" else converted
