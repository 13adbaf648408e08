"""Conversion between ICC profiles by lcms2, in unclipped floats."""

import struct

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.pixel_bands import convert_pixels

SRGB = bytes(imagecodecs.cms_profile("srgb"))
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # chromaticities, also of sRGB (IEC 61966-2-1)
INTENT = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
CHANNELS = {"rgb": 3, "gray": 1, "cmyk": 4}
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray", b"CMYK": "cmyk"}
_BAND = 1 << 15  # pixels: lcms2 reads both profiles again for each band


def linear_profile(chromaticities: tuple[float, ...]) -> bytes:
    """Return a profile of linear light for the (x, y) of red, green, blue and white; always the same bytes."""
    red, green, blue, white = ((*chromaticities[at : at + 2], 1.0) for at in range(0, 8, 2))
    profile = bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=(*red, *green, *blue), gamma=1.0))
    # The creation date is set to 1 January 2000, the profile ID to zero (ICC.1:2010, section 7.2.1).
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:84] + bytes(16) + profile[100:]


LINEAR = linear_profile(REC709)


def profile_space(icc: bytes) -> str | None:
    """Return the colour space of a profile: "rgb", "gray" or "cmyk"; None for any other or a broken one."""
    return _SPACES.get(icc[16:20])


def transform(
    values: NDArray[np.float32], source: bytes, space: str, target: bytes, target_space: str
) -> NDArray[np.float32]:
    """Convert (H, W, C) values from one profile to another, unclipped. Raises imagecodecs.CmsError."""

    def convert(band: NDArray[np.float32]) -> NDArray[np.float32]:
        return transform_band(band, source, space, target, target_space)

    return convert_pixels(values, convert, CHANNELS[target_space], np.dtype(np.float32), _BAND)


def transform_band(
    values: NDArray[np.float32], source: bytes, space: str, target: bytes, target_space: str
) -> NDArray[np.float32]:
    """Convert (n, C) values in the calling thread; see `transform`."""
    planes = values[:, 0] if space == "gray" else values  # imagecodecs takes and returns grey without a channel axis
    converted = imagecodecs.cms_transform(
        np.ascontiguousarray(planes[None]),
        source,
        target,
        colorspace=space,
        outcolorspace=target_space,
        outdtype="float32",
        intent=INTENT,
    )[0]
    return converted[:, None] if target_space == "gray" else converted
