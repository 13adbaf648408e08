"""Where and when a photo was taken, and where its camera looked, from its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from relight_cli.photos import header as photo_header
from relight_cli.photos.capture_time import capture_time
from relight_cli.photos.library_warnings import library_warnings


@dataclass(frozen=True)
class CapturePlace:
    """What the GPS tags of a photo say; None for what they do not."""

    place: tuple[float, float] | None = None  # latitude, positive in the north, and longitude, in the east; degrees
    facing: float | None = None  # degrees clockwise from north
    magnetic: bool = False  # whether that north is the compass's (GPSImgDirectionRef)


@dataclass(frozen=True)
class CaptureFacts:
    """Where and when a photo was taken, as far as its metadata say."""

    place: tuple[float, float] | None = None  # as in `CapturePlace`
    facing: float | None = None
    taken: float | None = None  # seconds by the camera's clock, as if that were UTC
    offset: float | None = None  # seconds that the clock is ahead of UTC
    magnetic: bool = False  # as in `CapturePlace`


def read_facts(path: Path) -> CaptureFacts:
    """Read the facts of a photo from its header; a file that cannot be read says nothing."""
    try:
        header = photo_header.read_header(path)
    except Exception:  # noqa: BLE001  libraries raise anything; reading the photo reports it
        return CaptureFacts()
    return facts_of(header.exif, header.xmp)


def facts_of(exif: bytes | None, xmp: bytes | None) -> CaptureFacts:
    """Return what EXIF and XMP say of where and when a photo was taken."""
    where = place_in_exif(exif)
    try:
        taken, offset = capture_time(exif, xmp)
    except Exception:  # noqa: BLE001  broken EXIF counts as none
        taken, offset = None, None
    return CaptureFacts(where.place, where.facing, taken, offset, where.magnetic)


def place_in_exif(exif: bytes | None) -> CapturePlace:
    """Return what EXIF says of the place (EXIF 2.32, section 4.6.6)."""
    found = Image.Exif()
    try:
        with library_warnings():  # reported where the EXIF data is kept
            found.load(exif or b"")
            gps = found.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # noqa: BLE001  broken EXIF counts as none
        return CapturePlace()
    latitude = _angle(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S", 90)
    longitude = _angle(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W", 180)
    # Cameras without a fix write 0, 0, which is in the open sea.
    place = None if latitude is None or longitude is None or latitude == longitude == 0 else (latitude, longitude)
    try:
        facing = float(gps[ExifTags.GPS.GPSImgDirection])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return CapturePlace(place)
    if not 0 <= facing <= 360:
        return CapturePlace(place)
    return CapturePlace(place, facing % 360, _letter(gps, ExifTags.GPS.GPSImgDirectionRef) == "M")


def _angle(gps: Mapping[int, Any], tag: int, reference: int, negative: str, most: float) -> float | None:
    """Return degrees from degrees, minutes and seconds; None for what is missing or not on the earth."""
    try:
        degrees, minutes, seconds = (float(part) for part in gps[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    if not 0 <= angle <= most:  # false for NaN too
        return None
    return -angle if _letter(gps, reference) == negative else angle


def _letter(gps: Mapping[int, Any], reference: int) -> str:
    return str(gps.get(reference, "")).strip("\0 ").upper()
