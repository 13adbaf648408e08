"""EXIF tags in pairs, across and down the picture (EXIF 2.32, sections 4.6.4 and 4.6.5)."""

import contextlib
import struct

from PIL import ExifTags, Image

_INCHES, _CENTIMETRES = 2, 3  # ResolutionUnit
_EXIF_DIRECTORY = 0x8769
# ImageWidth and ImageLength, XResolution and YResolution; PixelXDimension and PixelYDimension, FocalPlaneXResolution
# and FocalPlaneYResolution.
_PAIRS = ((0x0100, 0x0101), (0x011A, 0x011B), (0xA002, 0xA003), (0xA20E, 0xA20F))
_ENTRY = 12  # bytes of an entry; the first two are its tag


def swap_axes(exif: bytes) -> bytes:
    """Exchange the values of each pair, for a picture that is turned by 90 or 270 degrees.

    Only entries change places, so every offset stays valid. EXIF that is broken, or has one of a pair, is unchanged
    there.
    """
    patched = bytearray(exif)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        entries = _entries(exif, order or "<", start)
        if _EXIF_DIRECTORY in entries:
            (below,) = struct.unpack_from(f"{order}I", exif, entries[_EXIF_DIRECTORY] + 8)
            entries |= _entries(exif, order or "<", below)
    except struct.error:
        return exif
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


def _entries(exif: bytes, order: str, start: int) -> dict[int, int]:
    """Return the offsets of the entries of a directory, by tag. Raises struct.error if it is cut off."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    places = range(start + 2, start + 2 + _ENTRY * count, _ENTRY)
    return {struct.unpack_from(order + "H8xH", exif, place)[0]: place for place in places}
