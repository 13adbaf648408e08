"""EXIF tags in pairs, across and down the picture, and about places in it (EXIF 2.32, sections 4.6.4 and 4.6.5)."""

import contextlib
import struct

from PIL import ExifTags, Image

_INCHES, _CENTIMETRES = 2, 3  # ResolutionUnit
_EXIF_DIRECTORY = 0x8769
_SIZE = (0xA002, 0xA003)  # PixelXDimension and PixelYDimension
# ImageWidth and ImageLength, XResolution and YResolution, the size, FocalPlaneXResolution and FocalPlaneYResolution.
_PAIRS = ((0x0100, 0x0101), (0x011A, 0x011B), _SIZE, (0xA20E, 0xA20F))
_SUBJECTS = (0x9214, 0xA214)  # SubjectArea, SubjectLocation: a point of the stored picture, then sizes
_ENTRY = 12  # bytes of an entry; the first two are its tag
_SHORT = 3


def turn_exif(exif: bytes, orientation: int) -> bytes:
    """Return EXIF data for a picture that is turned upright from an orientation of 1 to 8; no byte moves.

    The subject is turned with it, and on its side each pair changes places. EXIF that is broken is unchanged there.
    """
    if orientation == 1:
        return exif
    exif = _turn_subjects(exif, orientation)
    return swap_axes(exif) if orientation >= 5 else exif


def turned_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Return where a point of the stored picture is in the upright one; both from 0 to 1 across and down."""
    if orientation >= 5:
        x, y = y, x
    return (1 - x if orientation in (2, 3, 6, 7) else x), (1 - y if orientation in (3, 4, 7, 8) else y)


def swap_axes(exif: bytes) -> bytes:
    """Exchange the values of each pair, for a picture that is turned by 90 or 270 degrees.

    Only entries change places, so every offset stays valid. EXIF that is broken, or has one of a pair, is unchanged
    there.
    """
    patched, (_, entries) = bytearray(exif), _all_entries(exif)
    for across, down in _PAIRS:
        if across in entries and down in entries:
            first, second = (slice(entries[tag] + 2, entries[tag] + _ENTRY) for tag in (across, down))
            patched[first], patched[second] = patched[second], patched[first]
    return bytes(patched)


def exif_resolution(exif: bytes) -> tuple[float, float] | None:
    """Return the dots per inch across and down that EXIF data says; None if it says none."""
    found = Image.Exif()
    with contextlib.suppress(Exception):  # Pillow raises anything for broken EXIF
        found.load(exif)
        unit = {_INCHES: 1.0, _CENTIMETRES: 2.54}[found.get(ExifTags.Base.ResolutionUnit, _INCHES)]
        return unit * float(found[ExifTags.Base.XResolution]), unit * float(found[ExifTags.Base.YResolution])
    return None


def _turn_subjects(exif: bytes, orientation: int) -> bytes:
    """Turn the point of a subject, and the width and height of its area, in a picture whose size EXIF data says."""
    patched, (order, entries) = bytearray(exif), _all_entries(exif)
    with contextlib.suppress(KeyError, struct.error, ZeroDivisionError):
        size = [_number(exif, order, entries[tag]) for tag in _SIZE]
        upright = size[::-1] if orientation >= 5 else size
        for place in (entries[tag] for tag in _SUBJECTS if tag in entries):
            kind, count, start = struct.unpack_from(order + "HII", exif, place + 2)
            if kind != _SHORT or count not in (2, 3, 4):
                continue
            layout, start = f"{order}{count}H", place + 8 if count == 2 else start
            x, y, *area = struct.unpack_from(layout, exif, start)
            turned = turned_point(x / size[0], y / size[1], orientation)
            point = (round(at * length) for at, length in zip(turned, upright, strict=True))
            struct.pack_into(layout, patched, start, *point, *(area[::-1] if orientation >= 5 else area))
    return bytes(patched)


def _number(exif: bytes, order: str, place: int) -> int:
    """Return the number of an entry, of 16 or 32 bits."""
    (kind,) = struct.unpack_from(order + "H", exif, place + 2)
    return int(struct.unpack_from(order + ("H" if kind == _SHORT else "I"), exif, place + 8)[0])


def _all_entries(exif: bytes) -> tuple[str, dict[int, int]]:
    """Return the byte order, and the offsets of the entries of IFD0 and the Exif directory, by tag; none if broken."""
    with contextlib.suppress(KeyError, struct.error):
        order = {b"II*\0": "<", b"MM\0*": ">"}[exif[:4]]
        (start,) = struct.unpack_from(order + "I", exif, 4)
        entries = _entries(exif, order, start)
        if _EXIF_DIRECTORY in entries:
            (below,) = struct.unpack_from(order + "I", exif, entries[_EXIF_DIRECTORY] + 8)
            entries |= _entries(exif, order, below)
        return order, entries
    return "", {}


def _entries(exif: bytes, order: str, start: int) -> dict[int, int]:
    """Return the offsets of the entries of a directory, by tag. Raises struct.error if it is cut off."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    places = range(start + 2, start + 2 + _ENTRY * count, _ENTRY)
    return {struct.unpack_from(order + "H8xH", exif, place)[0]: place for place in places}
