"""The colours that a BMP states in its header, which Pillow does not read (BITMAPV4HEADER and BITMAPV5HEADER)."""

import struct
from typing import BinaryIO

_HEADER = 14  # bytes of the file header, before that of the bitmap
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B  # CSType: "MBED", "LINK"


def read_profile(file: BinaryIO, notes: list[str]) -> bytes | None:
    """Return the embedded ICC profile; add a note on colours that are stated in another way."""
    file.seek(_HEADER)
    head = file.read(124)
    if len(head) < 124 or struct.unpack_from("<I", head)[0] < 108:
        return None
    (kind,) = struct.unpack_from("<I", head, 56)
    if kind == _EMBEDDED and struct.unpack_from("<I", head)[0] >= 124:
        offset, size = struct.unpack_from("<II", head, 112)
        file.seek(_HEADER + offset)
        icc = file.read(size)
        return icc if size and len(icc) == size else None
    if kind == _LINKED or (kind == _CALIBRATED and any(head[60:108])):
        notes.append("the colour space in its header is not supported; the colours are read as sRGB")
    return None
