"""The Software tag of an EXIF block, and its thumbnail, changed without moving what an offset points to."""

import struct
from typing import NamedTuple

_SOFTWARE, _EXIF_DIRECTORY, _MAKER_NOTE = 0x0131, 0x8769, 0x927C
_THUMBNAILS = ((0x0201, 0x0202), (0x0111, 0x0117))  # offset and length of a JPEG, of plain pixels (EXIF 2.32, 4.6.9)
_ASCII = 2


class _Entry(NamedTuple):
    kind: int
    number: int  # of values
    value: int  # an offset where the value needs more than four bytes
    raw: bytes


def sign_exif(exif: bytes | None, software: str) -> bytes:
    """Name the software in an EXIF block (from its "II" or "MM" on), or in a new one, and take the thumbnail out.

    A new first directory is put behind the others, and no other byte moves: maker notes hold offsets of their own. The
    thumbnail shows the old picture; its directory is left out of the chain and its bytes are cut off or blanked.
    Raises ValueError for bytes that are no TIFF structure (TIFF 6.0, section 2).
    """
    exif = exif or b"II*\0\x08\0\0\0" + bytes(6)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError("the EXIF data has no TIFF header")
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        entries, following = _directory(exif, start, order)
        kept = bytearray(_without_thumbnail(exif, entries, following, order))
    except struct.error as error:
        raise ValueError("the EXIF data is cut off") from error
    name = software.encode("ascii") + b"\0"
    kept += bytes(len(kept) % 2)  # values and directories begin on a word
    entries[_SOFTWARE] = _Entry(0, 0, 0, struct.pack(order + "HHII", _SOFTWARE, _ASCII, len(name), len(kept)))
    kept += name + bytes(len(name) % 2)
    struct.pack_into(order + "I", kept, 4, len(kept))
    kept += struct.pack(order + "H", len(entries)) + b"".join(entries[tag].raw for tag in sorted(entries)) + bytes(4)
    return bytes(kept)


def _directory(exif: bytes, start: int, order: str) -> tuple[dict[int, _Entry], int]:
    """Read the entries of a directory by tag, and the offset of the next directory (0: none)."""
    (count,) = struct.unpack_from(order + "H", exif, start)
    entries: dict[int, _Entry] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from(order + "HHII", exif, place)
        if kind == 3 and number == 1:
            (value,) = struct.unpack_from(order + "H", exif, place + 8)
        entries.setdefault(tag, _Entry(kind, number, value, exif[place : place + 12]))
    end = start + 2 + 12 * count
    following = struct.unpack_from(order + "I", exif, end)[0] if end + 4 <= len(exif) else 0
    return entries, following


def _without_thumbnail(exif: bytes, entries: dict[int, _Entry], following: int, order: str) -> bytes:
    """Cut the thumbnail's bytes off where they end the block, else blank them, unless a maker note holds them."""
    try:
        thumbnail = _directory(exif, following, order)[0] if following else {}
        details = _directory(exif, entries[_EXIF_DIRECTORY].value, order)[0] if _EXIF_DIRECTORY in entries else {}
    except struct.error:
        return exif  # the chain breaks off before a picture
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
