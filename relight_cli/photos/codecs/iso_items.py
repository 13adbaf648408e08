"""The items of an AVIF or HEIF: what each one is, and where its bytes are."""

import struct
from collections.abc import Iterator

from relight_cli.photos.codecs.jpeg2000 import iso_boxes


def read_exif(data: bytes) -> bytes | None:
    """Return the EXIF data as stored, from "II" or "MM" on; None if there is none in the file (ISO 23008-12, A.2.1)."""
    meta = dict(iso_boxes(data)).get(b"meta", b"")
    try:
        parts = dict(iso_boxes(meta[4:]))
        kinds = dict(item_kinds(parts[b"iinf"]))
        for item, extents in item_extents(parts[b"iloc"]):
            if kinds.get(item) == b"Exif":
                stored = b"".join(data[start : start + length] for start, length in extents)
                exif = stored[4 + int.from_bytes(stored[:4]) :]
                return exif if exif[:2] in (b"II", b"MM") else None
    except (KeyError, IndexError, ValueError, struct.error):
        pass
    return None


def item_kinds(iinf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and type of the items (ISO 14496-12, section 8.11.6)."""
    for _, infe in iso_boxes(iinf[8 if iinf[0] else 6 :]):
        wide = infe[0] >= 3
        (number,) = struct.unpack_from(">I" if wide else ">H", infe, 4)
        start = 10 if wide else 8
        yield number, infe[start : start + 4]


def item_extents(iloc: bytes) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield number and extents (start in the file, length) of the items (ISO 14496-12, section 8.11.3)."""
    version, sizes, more, at = iloc[0], iloc[4], iloc[5], 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(iloc):
            raise ValueError("the table of items is cut off")
        return int.from_bytes(iloc[at - size : at])

    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item, method = number(wide), number(2) if version else 0
        number(2)  # of the data reference
        base, extents = number(more >> 4), []
        for _ in range(number(2)):
            number(more & 15 if version else 0)  # an index
            start, length = number(sizes >> 4), number(sizes & 15)
            extents.append((base + start, length))
        if method & 15 == 0:  # in the file; else in the header, where only small metadata is
            yield item, extents
