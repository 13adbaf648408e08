"""The focal length of a photo in pixels."""

import math

from PIL import ExifTags, Image

FULL_FRAME_DIAGONAL = math.hypot(36, 24)  # millimetres; it defines the 35 mm equivalent (EXIF 2.32, 4.6.5)
NORMAL_LENS = 50.0  # millimetres of 35 mm equivalent, where a photo does not say


def focal_from_equivalent(millimetres: float, height: int, width: int) -> float:
    """Return the focal length in pixels of a 35 mm equivalent."""
    return math.hypot(height, width) * millimetres / FULL_FRAME_DIAGONAL


def focal_from_exif(exif: bytes | None, height: int, width: int) -> float | None:
    """Return the focal length in pixels from the 35 mm equivalent; None if the EXIF has none."""
    if not exif:
        return None
    found = Image.Exif()
    try:
        found.load(exif)
        millimetres = float(found.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
    except Exception:  # noqa: BLE001  EXIF of any camera; broken EXIF counts as none
        return None
    return focal_from_equivalent(millimetres, height, width) if 0 < millimetres < math.inf else None


def focal_length(exif: bytes | None, height: int, width: int) -> float:
    """Return the focal length in pixels of a photo in any size: from its EXIF, else that of a 50 mm lens."""
    return focal_from_exif(exif, height, width) or focal_from_equivalent(NORMAL_LENS, height, width)
