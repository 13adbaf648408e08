"""Image resources of Photoshop (JPEG APP13, TIFF 34377), among them IPTC (Adobe Photoshop File Formats, 2019).

psdtags parses them too, but writes them again from its own classes; here every kept block keeps its bytes.
"""

import struct
from collections.abc import Iterator

_IPTC, _IPTC_DIGEST = 0x0404, 0x0425
_PATHS = range(0x07D0, 0x0BB8)  # clipping paths and the name of the clipping path
# Resources of the old pixels (thumbnails, layers, slices, channels, pixel aspect), and copies of ICC, EXIF and XMP.
_DROPPED = {
    *(0x03EE, 0x03EF, 0x0400, 0x0402, 0x0409, 0x040C, 0x040F, 0x0411, 0x0415, 0x041A, 0x041D, 0x0422),
    *(0x0423, 0x0424, 0x0428, 0x042D, 0x0430, 0x0431, 0x0435, 0x043C),
}
_ON_THE_PICTURE = {0x03ED, 0x0408, *_PATHS}  # resolution, guides, paths: wrong if the picture is turned


def split_iptc(data: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the IPTC data and the other resources that remain valid for a new picture; None for what is absent."""
    iptc, kept = None, b""
    for number, content, block in _blocks(data):
        if number == _IPTC:
            iptc = iptc or content or None
        elif number not in _DROPPED:
            kept += block
    return iptc, kept or None


def join_iptc(iptc: bytes | None, resources: bytes | None) -> bytes:
    """Return resources with IPTC data as the first."""
    head = struct.pack(">4sHHI", b"8BIM", _IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2) if iptc else b""
    return head + (resources or b"")


def for_turned_picture(resources: bytes | None) -> tuple[bytes | None, bool]:
    """Return the resources that hold for a picture that is turned upright, and whether any path is dropped."""
    blocks = list(_blocks(resources or b""))
    kept = b"".join(block for number, _, block in blocks if number not in _ON_THE_PICTURE)
    return kept or None, any(number in _PATHS for number, _, _ in blocks)


def _blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, content and all bytes of each resource; stop at one that is cut off."""
    at = 0
    while data[at : at + 4] in (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR") and at + 7 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        name = 1 + data[at + 6]  # its length and its bytes, padded to an even number
        start = at + 6 + name + name % 2
        if start + 4 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, start)
        end = start + 4 + length
        if end > len(data):
            return
        block = data[at:end]
        yield number, data[start + 4 : end], block + bytes(length % 2)
        at = end + length % 2
