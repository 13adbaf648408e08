"""The colour code points of an AVIF, which Pillow does not report (ISO 14496-12, sections 8.11 and 12.1.5)."""

import struct
from collections.abc import Iterator

from relight_cli.photos.codecs.jpeg2000 import iso_boxes
from relight_cli.photos.colour_tags import ColourTags


def read_colours(data: bytes) -> ColourTags | None:
    """Return the code points of the main picture; None if the file has none."""
    meta = dict(iso_boxes(data)).get(b"meta", b"")
    boxes = dict(iso_boxes(meta[4:]))  # after version and flags
    properties = dict(iso_boxes(boxes.get(b"iprp", b"")))
    try:
        version, start = boxes[b"pitm"][0], 4
        main = int.from_bytes(boxes[b"pitm"][start : start + (4 if version else 2)])
        wanted = set(dict(_associations(properties[b"ipma"]))[main])
    except (KeyError, IndexError, struct.error):
        return None
    codes = {
        number: struct.unpack_from(">HH", body, 4)
        for number, (name, body) in enumerate(iso_boxes(properties.get(b"ipco", b"")), 1)
        if name == b"colr" and body[:4] == b"nclx" and len(body) >= 10
    }
    own = [pair for number, pair in codes.items() if number in wanted]
    if not own and len(set(codes.values())) == 1:  # only the tiles of a grid state them
        own = list(codes.values())
    return ColourTags(own[0]) if own else None


def _associations(body: bytes) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of each item with those of its properties (8.11.14)."""
    version, flags, count = body[0], body[3], struct.unpack_from(">I", body, 4)[0]
    place = 8
    for _ in range(count):
        size = 4 if version else 2
        item, properties = int.from_bytes(body[place : place + size]), body[place + size]
        place += size + 1
        width = 2 if flags & 1 else 1
        numbers = [int.from_bytes(body[at : at + width]) for at in range(place, place + width * properties, width)]
        yield item, [number & (0x7FFF if width == 2 else 0x7F) for number in numbers]
        place += width * properties
