"""The capture time of a photo: read from its header, and patched in EXIF and XMP without moving a byte."""

import contextlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from relight_cli.errors import MissingExtraError, PhotoUnreadableError, names_no_file
from relight_cli.photos import header as photo_header

_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_TAKEN, _TAKEN_FRACTION = 0x9003, 0x9291  # DateTimeOriginal, SubSecTimeOriginal (EXIF 2.32, section 4.6.5.G)
_TAKEN_OFFSET = 0x9011  # OffsetTimeOriginal
_DIGITIZED, _DIGITIZED_FRACTION, _DIGITIZED_OFFSET = 0x9004, 0x9292, 0x9012
_CHANGED, _CHANGED_OFFSET = 0x0132, 0x9010  # DateTime, OffsetTime
_GPS_TIME, _GPS_DATE = 7, 29  # UTC (section 4.6.6)
_GPS_AGREES = 30.0  # seconds by which camera and GPS may differ, besides quarters of an hour
_PATTERN = "%Y:%m:%d %H:%M:%S"
_DATE = re.compile(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?")
_XMP_TAKEN = re.compile(
    rb"(?:exif:DateTimeOriginal|photoshop:DateCreated)(?:\s*=\s*[\"']|\s*>\s*)"
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
)
_XMP_REST = re.compile(rb"(?:\.(\d+))?\s*(Z|[+-]\d\d:\d\d)?")  # what may follow: fraction and offset from UTC
_OFFSET = re.compile(r"([+-])(\d\d?)(?::?([0-5]\d))?")
_MOST_HOURS = 15  # from UTC


@dataclass(frozen=True)
class CaptureHeader:
    """Upright size and capture time of a photo."""

    width: int
    height: int
    turned: bool  # the stored pixels are not upright
    taken: float | None  # capture time in seconds by the camera's clock, so only differences are meaningful
    offset: float | None = None  # seconds that the camera's clock is ahead of UTC


def read_header(path: Path) -> CaptureHeader:
    """Read size and capture time without decoding a pixel. Raises PhotoUnreadableError, MissingExtraError."""
    try:
        header = photo_header.read_header(path)
        width, height = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
        taken, offset = capture_time(header.exif, header.xmp)
        return CaptureHeader(width, height, header.orientation > 1, taken, offset)
    except MissingExtraError as error:
        raise MissingExtraError(f"{path}: {error}") from error
    except PhotoUnreadableError:
        raise
    except Exception as error:  # libraries raise anything for damaged bytes
        if names_no_file(error):
            raise PhotoUnreadableError(f"{path}: no such file; check the path.") from error
        if isinstance(error, PermissionError):
            message = f"{path}: no permission to read the file; change its permissions."
            raise PhotoUnreadableError(message) from error
        raise PhotoUnreadableError(f"{path}: the picture cannot be opened; copy it again from its source.") from error


def capture_time(exif_data: bytes | None, xmp: bytes | None) -> tuple[float | None, float | None]:
    """Return the capture time in seconds and its offset from UTC, by EXIF, else by XMP. Raises for broken EXIF."""
    exif = Image.Exif()
    exif.load(exif_data or b"")
    details, gps = exif.get_ifd(_EXIF_DIRECTORY), _gps_seconds(exif.get_ifd(_GPS_DIRECTORY))
    in_xmp = _time_in_xmp(xmp)
    original = _moment(details.get(_TAKEN), details.get(_TAKEN_FRACTION), details.get(_TAKEN_OFFSET))
    digitized = _moment(details.get(_DIGITIZED), details.get(_DIGITIZED_FRACTION), details.get(_DIGITIZED_OFFSET))
    changed = _moment(exif.get(_CHANGED), None, details.get(_CHANGED_OFFSET))
    for taken, offset in (original, in_xmp, digitized):
        if taken is None:
            continue
        # Another statement of the same time may say the offset that this one does not.
        others = (seconds for time, seconds in (digitized, changed, in_xmp) if time and int(time) == int(taken))
        offsets = (offset, *others, _offset_by_gps(taken, gps))
        return taken, next((seconds for seconds in offsets if seconds is not None), None)
    return None, None


def _moment(text: object, fraction: object, offset: object) -> tuple[float | None, float | None]:
    """Return the seconds of a date, and its offset from UTC; None for what is missing or invalid."""
    found = _DATE.fullmatch(str(text).strip("\0 "))
    if found is None:
        return None, None
    *date, second, own_fraction, zone = found.groups()
    try:
        year, month, day, hour, minute = map(int, date)
        moment = datetime(year, month, day, hour, minute, int(second or 0), tzinfo=UTC)
    except ValueError:
        return None, None
    digits = own_fraction or str(fraction).strip("\0 ")
    seconds = moment.timestamp() + (float(f"0.{digits}") if re.fullmatch(r"[0-9]+", digits) else 0.0)
    own, said = _offset(zone), _offset(offset)
    return seconds, own if said is None else said


def _gps_seconds(gps: Mapping[int, Any]) -> float | None:
    """Return the time of GPS tags in seconds, UTC."""
    with contextlib.suppress(Exception):  # broken numbers
        hour, minute, second = (float(number) for number in gps[_GPS_TIME])
        day, _ = _moment(f"{str(gps[_GPS_DATE]).strip(chr(0) + ' ')} 00:00:00", None, None)
        seconds = 3600 * hour + 60 * minute + second
        return day + seconds if day is not None and 0 <= seconds < 86400 else None
    return None


def _offset_by_gps(taken: float, gps: float | None) -> float | None:
    """Return the offset between a camera's clock and GPS if it is a whole number of quarters of an hour."""
    if gps is None:
        return None
    offset = 900.0 * round((taken - gps) / 900)
    agrees = abs(taken - gps - offset) <= _GPS_AGREES
    return offset if agrees and abs(offset) < 3600 * _MOST_HOURS else None


def _offset(text: object) -> float | None:
    """Return the seconds ahead of UTC that EXIF or XMP says, None if it says none."""
    stripped = str(text).strip("\0 ")
    found = _OFFSET.fullmatch(stripped)
    if stripped == "Z":
        return 0.0
    if found is None or int(found[2]) >= _MOST_HOURS:
        return None
    seconds = 3600.0 * int(found[2]) + 60.0 * int(found[3] or 0)
    return -seconds if found[1] == "-" else seconds


def _time_in_xmp(xmp: bytes | None) -> tuple[float | None, float | None]:
    """Return the capture time in an XMP packet and its offset from UTC, None for what it does not say."""
    found = _XMP_TAKEN.search(xmp) if isinstance(xmp, bytes) else None
    if xmp is None or found is None:
        return None, None
    rest = _XMP_REST.match(xmp, found.end(1))
    fraction, offset = (part and part.decode() for part in rest.groups()) if rest else (None, None)
    return _moment(found[1].decode(), fraction, offset)


def exif_with_time(exif: bytes, seconds: float) -> bytes:
    """Patch DateTimeOriginal and SubSecTimeOriginal in place; EXIF that has neither, or is broken, is unchanged.

    No other byte changes (maker notes hold offsets of their own). The fraction keeps its number of digits; a time
    without one is rounded to whole seconds.
    """
    patched = bytearray(exif)
    with contextlib.suppress(struct.error, OverflowError, KeyError):
        order = {b"II*\0": "<", b"MM\0*": ">"}[exif[:4]]
        values = _find_values(exif, order)
        start, length = values[_TAKEN]
        digits = 0
        if _TAKEN_FRACTION in values:
            fraction, count = values[_TAKEN_FRACTION]
            digits = len(exif[fraction : fraction + count].rstrip(b"\0 "))
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=round(seconds, digits))
        if length >= 19:
            patched[start : start + 19] = moment.strftime(_PATTERN).encode()
            if digits:
                patched[fraction : fraction + digits] = f"{moment.microsecond:06}".ljust(digits, "0")[:digits].encode()
    return bytes(patched)


def xmp_with_time(xmp: bytes, seconds: float) -> bytes:
    """Patch the capture times of an XMP packet, if it has any, in whole seconds."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=round(seconds))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").encode()
    return _XMP_TAKEN.sub(lambda found: found[0][: found.start(1) - found.start()] + text, xmp)


def _find_values(exif: bytes, order: str) -> dict[int, tuple[int, int]]:
    """Return offset and count of the values in IFD0 and the Exif directory, by tag (TIFF 6.0, section 2)."""
    values: dict[int, tuple[int, int]] = {}
    (directory,) = struct.unpack_from(order + "I", exif, 4)
    for _ in range(2):
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", exif, entry)
            offset = entry + 8 if kind != 2 or number <= 4 else struct.unpack_from(order + "I", exif, entry + 8)[0]
            if offset + (number if kind == 2 else 4) <= len(exif):
                values[tag] = (offset, number)
        if _EXIF_DIRECTORY not in values:
            break
        (directory,) = struct.unpack_from(order + "I", exif, values.pop(_EXIF_DIRECTORY)[0])
    return values
