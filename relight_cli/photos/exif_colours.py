"""The colours that EXIF data states (EXIF 2.32, section 4.6.6; DCF 2.0, section 5.3)."""

from dataclasses import dataclass

from PIL import ExifTags, Image

from relight_cli.photos.cicp import D65, are_primaries
from relight_cli.photos.library_warnings import library_warnings

ADOBE_RGB = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290)
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998), section 4.3.4.2
_SRGB, _ADOBE_RGB, _UNCALIBRATED = 1, 2, 65535  # ColorSpace; 2 is not in the standard, but cameras write it
_GAMMA, _COLOUR_SPACE = 0xA500, 0xA001


@dataclass(frozen=True)
class ExifColours:
    """sRGB, or a gamma with primaries; both None for what is not said."""

    srgb: bool = False
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None  # (x, y) of red, green, blue and white


def exif_colours(exif: bytes | None) -> ExifColours | None:
    """Return what EXIF data says about colours: InteropIndex, then ColorSpace, then Gamma; None if it says nothing."""
    if not exif:
        return None
    try:
        with library_warnings():  # reported where the EXIF data is kept
            found = Image.Exif()
            found.load(exif)
            details = found.get_ifd(ExifTags.IFD.Exif)
            interop = found.get_ifd(ExifTags.IFD.Interop) if ExifTags.IFD.Interop in details else {}
            return _colours(found, details, str(interop.get(1, "")).strip("\0 "))
    except Exception:  # noqa: BLE001  Pillow raises anything; broken metadata is never an error
        return None


def _colours(found: Image.Exif, details: dict, index: str) -> ExifColours | None:
    space = details.get(_COLOUR_SPACE)
    if index == "R03" or (space == _ADOBE_RGB and index != "R98"):
        return ExifColours(gamma=ADOBE_GAMMA, chromaticities=ADOBE_RGB)
    if index == "R98" or space == _SRGB:
        return ExifColours(srgb=True)
    primaries, white = (
        found.get(tag) or details.get(tag) for tag in (ExifTags.Base.PrimaryChromaticities, ExifTags.Base.WhitePoint)
    )
    chromaticities = tuple(float(value) for value in (*(primaries or ()), *(white or D65)))
    gamma = float(details.get(_GAMMA) or 0)
    valid = are_primaries(chromaticities)
    if not valid and not 0.1 <= gamma <= 10:
        return None
    return ExifColours(False, gamma if 0.1 <= gamma <= 10 else None, chromaticities if valid else None)
