"""Metadata of a photo: EXIF, ICC, XMP and resolution, as raw bytes with the orientation reset; and what only some
containers store."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relight_cli._version import __version__

if TYPE_CHECKING:
    from relight_cli.photos.colour_tags import ColourTags
    from relight_cli.photos.shape import Shape

TOOL = "relight-cli"
SOFTWARE = f"{TOOL} {__version__}"  # the Software tag of every output

_ORIENTATION = 0x0112
_XMP_ORIENTATION = rb"(?<![\w.-])%s:Orientation(?:\s*=\s*[\"']|\s*>\s*)([1-8])(?=\s*[\"'<])"
_XMP_PREFIX = re.compile(rb"xmlns:([\w.-]+)\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']")


@dataclass(frozen=True)
class Extras:
    """Metadata that only some containers store."""

    iptc: bytes | None = None  # IPTC-IIM data sets
    resources: bytes | None = None  # image resources of Photoshop, without IPTC
    xmp_extension: bytes | None = None  # the second packet of a JPEG, to which the first points
    comments: tuple[bytes, ...] = ()  # of JPEG, JPEG 2000 and GIF
    texts: tuple[tuple[bytes, bytes], ...] = ()  # tEXt, zTXt, iTXt and tIME chunks of PNG: name, content
    geo: tuple[tuple[int, int, int, bytes], ...] = ()  # GeoTIFF tags: code, type, count, little-endian value
    boxes: tuple[tuple[bytes, bytes], ...] = ()  # of JPEG 2000: name, content
    attributes: Mapping[str, Any] = field(default_factory=dict)  # of the header of an EXR


@dataclass(frozen=True)
class Metadata:
    """Metadata as found in the file, except that the orientation says upright."""

    exif: bytes | None = None  # a TIFF structure that begins with "II" or "MM", without the "Exif\0\0" of JPEG
    icc: bytes | None = None  # a profile that converts to sRGB and back
    xmp: bytes | None = None  # the packet
    dpi: tuple[float, float] | None = None  # horizontal, vertical
    extras: Extras = field(default_factory=Extras)
    shape: "Shape | None" = None  # None: square pixels, no windows
    colour: "ColourTags | None" = None  # the same as `icc` in other words, for containers that have them


def strip_exif_header(exif: bytes) -> bytes:
    """Drop the "Exif\\0\\0" that JPEG puts before the TIFF structure, once or (seen in the wild) twice."""
    return re.sub(rb"^(?:Exif\x00\x00){1,2}", b"", exif)


def reset_exif_orientation(exif: bytes) -> tuple[bytes, int | None]:
    """Patch the Orientation of IFD0 to 1 in place; return the bytes and the old value, None if there was none.

    Every other byte stays: re-writing EXIF breaks maker notes, which hold offsets of their own.
    Raises ValueError for bytes that are not a TIFF structure (TIFF 6.0, section 2; EXIF 2.32, section 4.6.2).
    """
    position = _find_orientation(exif)
    if position is None:
        return exif, None
    order, entry = position
    (kind,) = struct.unpack_from(order + "H", exif, entry + 2)
    layout = {1: "B", 3: "H", 4: "I"}.get(kind)
    if layout is None:
        raise ValueError(f"the EXIF orientation has the wrong type {kind}")
    (value,) = struct.unpack_from(order + layout, exif, entry + 8)
    patched = bytearray(exif)
    struct.pack_into(order + layout, patched, entry + 8, 1)
    return bytes(patched), value if 1 <= value <= 8 else None


def drop_exif_orientation(exif: bytes) -> bytes:
    """Remove the Orientation entry from IFD0 without moving anything that an offset points to.

    The entries after it and the link to the next IFD move up by 12 bytes, and 12 unused bytes fill the gap.
    """
    position = _find_orientation(exif)
    if position is None:
        return exif
    order, entry = position
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start)
    end = start + 2 + 12 * count + 4
    patched = exif[:entry] + exif[entry + 12 : end] + bytes(12) + exif[end:]
    return patched[:start] + struct.pack(order + "H", count - 1) + patched[start + 2 :]


def _find_orientation(exif: bytes) -> tuple[str, int] | None:
    """Return the byte order ("<" or ">") and the offset of the 12-byte entry of the Orientation in IFD0."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError("the EXIF data has no TIFF header")
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            if struct.unpack_from(order + "H", exif, entry)[0] == _ORIENTATION and entry + 12 <= len(exif):
                return order, entry
    except struct.error as error:
        raise ValueError("the EXIF data is cut off") from error
    return None


def reset_xmp_orientation(xmp: bytes) -> tuple[bytes, int | None]:
    """Patch tiff:Orientation to 1 in an XMP packet; return the packet and the old value, None if there was none."""
    prefixes = {re.escape(prefix) for prefix in (*_XMP_PREFIX.findall(xmp), b"tiff")}
    found = re.search(_XMP_ORIENTATION % (b"(?:%s)" % b"|".join(sorted(prefixes))), xmp)
    if found is None:
        return xmp, None
    start, end = found.span(1)
    return xmp[:start] + b"1" + xmp[end:], int(found[1])
