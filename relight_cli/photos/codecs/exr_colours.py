"""The colours that the header of an EXR states: chromaticities, and the colorInteropID of OpenEXR 3.4."""

from collections.abc import Mapping
from typing import Any

from relight_cli.photos import cicp
from relight_cli.photos.codecs.linear_colours import linear_colours
from relight_cli.photos.colour_profiles import LINEAR, REC709
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.exif_colours import ADOBE_RGB

_ACES_WHITE = (0.32168, 0.33767)
# Names of the Color Interop Forum (Color Space Encodings for Texture Assets and CG Rendering): curve_primaries_state.
PRIMARIES = {
    "rec709": REC709,
    "p3d65": cicp.PRIMARIES[12],
    "rec2020": cicp.PRIMARIES[9],
    "adobergb": ADOBE_RGB,
    "ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, *_ACES_WHITE),
    "ap1": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *_ACES_WHITE),
}
_LINEAR = "lin"
_CURVES: dict[str, cicp.Curve] = {"srgb": cicp.SRGB_LIGHT, "g18": (1.8,), "g22": (2.2,), "g24": (2.4,), "g26": (2.6,)}
_SAYS_NOTHING = ("", "unknown")


def exr_colours(header: Mapping[str, Any], channels: int, notes: list[str]) -> tuple[bytes | None, ColourTags | None]:
    """Return the profile of a picture, linear light unless its header says otherwise, and what says the same.

    Linear light in primaries other than those of sRGB has tags with its primaries. A name that is known counts more
    than chromaticities; for any other see `undecided_space`.
    """
    own = tuple(float(value) for value in header.get("chromaticities", REC709))  # the default of the format
    name = str(header.get("colorInteropID") or "")
    curve, primaries = (*name.split("_"), "")[:2]
    if primaries in PRIMARIES and curve in (_LINEAR, *_CURVES):
        own = PRIMARIES[primaries]
        if curve != _LINEAR:
            icc = cicp.profile_of(own, _CURVES[curve], grey=channels == 1)
            return icc, None if icc else ColourTags(srgb=True)
    return (LINEAR, None) if channels == 1 else linear_colours(own, notes)


def undecided_space(header: Mapping[str, Any]) -> str | None:
    """Return the name of a colour space that a header states and that is not known; empty if it states no colours."""
    name = str(header.get("colorInteropID") or "")
    curve, primaries = (*name.split("_"), "")[:2]
    if primaries in PRIMARIES and curve in (_LINEAR, *_CURVES):
        return None
    if name in _SAYS_NOTHING:
        return None if "chromaticities" in header else ""
    return name
