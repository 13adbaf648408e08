"""Set the Software tag of an EXIF block and remove its thumbnail, without moving anything that an offset points to."""

import struct
from typing import NamedTuple

_SOFTWARE, _EXIF_DIRECTORY, _MAKER_NOTE = 0x0131, 0x8769, 0x927C
_THUMBNAILS = ((0x0201, 0x0202), (0x0111, 0x0117))  # offset and length: JPEG, plain pixels (EXIF 2.32, 4.6.9)
_ASCII = 2


class _Entry(NamedTuple):
    kind: int
    number: int  # of values
    value: int  # an offset if the value needs more than four bytes
    raw: bytes


def sign_exif(exif: bytes | None, software: str) -> bytes:
    """Set the Software tag of an EXIF block (from "II" or "MM" on), or of a new one, and remove the thumbnail.

    A new first directory is appended, and no other byte moves: maker notes hold offsets of their own. The thumbnail
    shows the old picture; its directory is unlinked and its bytes are cut off or blanked.
    Raises ValueError for bytes that are not a TIFF structure (TIFF 6.0, section 2).
    """
    exif = exif or b"II*\0\x08\0\0\0" + bytes(6)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError("the EXIF data has no TIFF header")
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        entries, next_start = _read_directory(exif, start, order)
        signed = bytearray(_without_thumbnail(exif, entries, next_start, order))
    except struct.error as error:
        raise ValueError("the EXIF data is cut off") from error
    name = software.encode("ascii") + b"\0"
    signed += bytes(len(signed) % 2)  # values and directories begin on a word
    entries[_SOFTWARE] = _Entry(0, 0, 0, struct.pack(order + "HHII", _SOFTWARE, _ASCII, len(name), len(signed)))
    signed += name + bytes(len(name) % 2)
    struct.pack_into(order + "I", signed, 4, len(signed))
    signed += struct.pack(order + "H", len(entries)) + b"".join(entries[tag].raw for tag in sorted(entries)) + bytes(4)
    return bytes(signed)


def _read_directory(exif: bytes, start: int, order: str) -> tuple[dict[int, _Entry], int]:
    """Return the entries of a directory by tag, and the offset of the next directory (0: none)."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    entries: dict[int, _Entry] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from(order + "HHII", exif, place)
        if kind == 3 and number == 1:
            (value,) = struct.unpack_from(order + "H", exif, place + 8)
        entries.setdefault(tag, _Entry(kind, number, value, exif[place : place + 12]))
    end = start + 2 + 12 * count
    next_start = struct.unpack_from(order + "I", exif, end)[0] if end + 4 <= len(exif) else 0
    return entries, next_start


def _without_thumbnail(exif: bytes, entries: dict[int, _Entry], next_start: int, order: str) -> bytes:
    """Cut off the thumbnail's bytes if they end the block, else blank them; keep them if a maker note overlaps."""
    try:
        thumbnail = _read_directory(exif, next_start, order)[0] if next_start else {}
        details = _read_directory(exif, entries[_EXIF_DIRECTORY].value, order)[0] if _EXIF_DIRECTORY in entries else {}
    except struct.error:
        return exif  # the chain of directories is cut off
    note = details.get(_MAKER_NOTE)
    for offset, length in _THUMBNAILS:
        if offset not in thumbnail or length not in thumbnail or thumbnail[offset].number != 1:
            continue
        begin, size = thumbnail[offset].value, thumbnail[length].value
        end = begin + size
        if begin < 8 or not size or (note and begin < note.value + note.number and note.value < end):
            continue
        exif = exif[:begin] if end >= len(exif) else exif[:begin] + bytes(size) + exif[end:]
    return exif
