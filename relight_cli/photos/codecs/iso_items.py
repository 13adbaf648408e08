"""The items of an AVIF or HEIF: what each one is, and where its bytes are."""

import contextlib
import struct
from collections.abc import Iterator
from typing import BinaryIO

from relight_cli.photos.codecs.jpeg2000 import iso_boxes
from relight_cli.photos.xmp_packets import GAIN_MAP

AVIF = {b"avif", b"avis"}  # brands
HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}  # ISO 23008-12, annex B
_SEARCHED = 1 << 24  # bytes at the start of a file
_IN_FILE, _IN_HEADER = 0, 1  # construction methods
_ALPHA, _DEPTH = (b":alpha", b"hevc:2015:auxid:1"), b"hevc:2015:auxid:2"


def brands_of(start: bytes) -> set[bytes]:
    """Return the brands in the first box of an ISO media file (ISO 14496-12, section 4.3); none for other files."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(len(start), int.from_bytes(start[:4]))
    return {start[8:12]} | {start[place : place + 4] for place in range(16, end, 4)}


def read_head(file: BinaryIO) -> bytes:
    """Return the start of a file, which has all of its properties in files that cameras and programs write."""
    file.seek(0)
    return file.read(_SEARCHED)


def read_exif(data: bytes) -> bytes | None:
    """Return the EXIF data as stored, from "II" or "MM" on; None if there is none in the file (ISO 23008-12, A.2.1)."""
    meta = dict(iso_boxes(data)).get(b"meta", b"")
    try:
        parts = dict(iso_boxes(meta[4:]))
        kinds = dict(item_kinds(parts[b"iinf"]))
        offset = data.index(parts[b"idat"]) if parts.get(b"idat") else None
        for item, extents in item_extents(parts[b"iloc"], offset):
            if kinds.get(item) == b"Exif":
                stored = b"".join(data[start : start + length] for start, length in extents)
                exif = stored[4 + int.from_bytes(stored[:4]) :]
                return exif if exif[:2] in (b"II", b"MM") else None
    except (KeyError, IndexError, ValueError, struct.error):
        pass
    return None


def dropped_parts(head: bytes) -> set[str]:
    """Return the names of the gain maps and auxiliary pictures in a file, which are not written again."""
    meta = dict(iso_boxes(head)).get(b"meta", b"")
    found: set[str] = set()
    with contextlib.suppress(KeyError, IndexError, struct.error):
        parts = dict(iso_boxes(meta[4:]))
        if b"tmap" in dict(item_kinds(parts[b"iinf"])).values():  # ISO 21496-1
            found.add(GAIN_MAP)
        for name, body in iso_boxes(dict(iso_boxes(parts[b"iprp"]))[b"ipco"]):
            kind = body[4:].split(b"\0", 1)[0].lower()  # ISO 23008-12, section 6.5.8
            if name == b"auxC" and not kind.endswith(_ALPHA):
                depth = b"depth" in kind or kind.endswith(_DEPTH)
                found.add(GAIN_MAP if b"gainmap" in kind else "depth map" if depth else "auxiliary picture")
    return found


def item_kinds(iinf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and type of the items (ISO 14496-12, section 8.11.6)."""
    for _, infe in iso_boxes(iinf[8 if iinf[0] else 6 :]):
        wide = infe[0] >= 3
        (number,) = struct.unpack_from(">I" if wide else ">H", infe, 4)
        start = 10 if wide else 8
        yield number, infe[start : start + 4]


def item_extents(iloc: bytes, idat: int | None = None) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield number and extents (start in the file, length) of the items (ISO 14496-12, section 8.11.3).

    `idat` is where the data in the header starts; None leaves out the items there, which are only small metadata.
    """
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
        if method & 15 == _IN_FILE:
            yield item, extents
        elif method & 15 == _IN_HEADER and idat is not None:
            yield item, [(idat + start, length) for start, length in extents]
