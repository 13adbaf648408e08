"""Segments of a JPEG next to EXIF, ICC and the first XMP packet, from the list of Pillow: IPTC, XMP, comments."""

import struct

from PIL import Image

from relight_cli.photos.image_resources import join_iptc, split_iptc
from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.xmp_packets import (
    GAIN_MAP,
    extension_name,
    has_gain_map_tags,
    merge_extension,
    split_packet,
    without_extension,
)

PROFILE = b"ICC_PROFILE\0"  # then number and count of the parts (ICC.1:2010, section B.4)
_PHOTOSHOP = b"Photoshop 3.0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"  # then name, length, offset (XMP, part 3, section 1.1.3.1)
_GAIN_MAP_SEGMENT = b"urn:iso:std:iso:ts:21496:-1\0"  # ISO 21496-1, annex C
_CAMERA_DATA = (  # segments that describe the old pixels or have no place elsewhere, and what a note calls them
    ("APP1", b"FLIR\0", "thermal data"),
    ("APP6", b"GoPro\0", "GoPro data"),
    ("APP11", b"HDR_RI ", GAIN_MAP),
)
_SEGMENT = 65533  # bytes at most
_XMP_BYTES = _SEGMENT - len(_XMP)


def read_extras(image: Image.Image, notes: list[str]) -> tuple[bytes | None, Extras]:
    """Return the first XMP packet, without a link to an extension that is not whole, and the other segments."""
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])
    xmp = image.info.get("xmp") or None
    photoshop = b"".join(body[len(_PHOTOSHOP) :] for name, body in segments if _is(name, body, "APP13", _PHOTOSHOP))
    iptc, resources = split_iptc(photoshop)
    extension = _read_extension(xmp, segments) if xmp else None
    if xmp and extension is None and (unlinked := without_extension(xmp)) != xmp:
        notes.append("the second part of its XMP data is missing or damaged and is dropped")
        xmp = unlinked
    comments = tuple(body for name, body in segments if name == "COM" and body.strip(b"\0 "))
    return xmp, Extras(iptc, resources, extension, comments)


def read_profile(image: Image.Image, notes: list[str]) -> bytes | None:
    """Return the ICC profile, also one whose parts are counted wrongly or repeated; add a note if parts are missing."""
    if found := image.info.get("icc_profile"):
        return found
    parts: dict[int, bytes] = {}
    for name, body in getattr(image, "applist", []):
        if _is(name, body, "APP2", PROFILE) and len(body) > len(PROFILE) + 2:
            parts.setdefault(body[len(PROFILE)], body[len(PROFILE) + 2 :])
    whole = b"".join(parts[number] for number in sorted(parts))
    if whole and int.from_bytes(whole[:4]) == len(whole):
        return whole
    if parts:
        notes.append("its colour profile is damaged and dropped")
    return None


def has_gain_map(image: Image.Image) -> bool:
    """Return whether a JPEG has an HDR gain map (Ultra HDR), as a picture of its own after the first."""
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])
    said = has_gain_map_tags(image.info.get("xmp") or b"")
    return said or any(_is(name, body, "APP2", _GAIN_MAP_SEGMENT) for name, body in segments)


def camera_data(image: Image.Image) -> set[str]:
    """Return the names of segments of cameras that are not written again."""
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])
    return {said for kind, begin, said in _CAMERA_DATA if any(_is(name, body, kind, begin) for name, body in segments)}


def segments_of(metadata: Metadata) -> bytes:
    """Return the segments for a JPEG next to EXIF and ICC; an XMP packet too long for one is split.

    Raises ValueError for such a packet if it cannot be split.
    """
    extras, xmp = metadata.extras, metadata.xmp
    extension = extras.xmp_extension if xmp else None
    if xmp and len(xmp) > _XMP_BYTES:
        whole = merge_extension(xmp, extension) if extension else xmp
        parts = split_packet(whole, _XMP_BYTES) if whole else None
        if parts is None:
            raise ValueError("XMP data is too long")
        xmp, extension = parts
    pieces = [_segment(0xE1, _XMP + xmp)] if xmp else []
    if extension:
        name = (extension_name(xmp or b"") or b"")[:32]
        at = 0
        for part in _cut(extension, _SEGMENT - len(_EXTENSION) - 40):
            pieces.append(_segment(0xE1, _EXTENSION + name + struct.pack(">II", len(extension), at) + part))
            at += len(part)
    if extras.iptc or extras.resources:
        block = join_iptc(extras.iptc, extras.resources)
        pieces += [_segment(0xED, _PHOTOSHOP + part) for part in _cut(block, _SEGMENT - len(_PHOTOSHOP))]
    pieces += [_segment(0xFE, part) for comment in extras.comments for part in _cut(comment, _SEGMENT)]
    return b"".join(pieces)


def _read_extension(xmp: bytes, segments: list[tuple[str, bytes]]) -> bytes | None:
    """Return the extension that the packet names, if all of it is there."""
    wanted = (extension_name(xmp) or b"").upper()
    parts: dict[int, bytes] = {}
    total = 0
    for name, body in segments:
        label = body[len(_EXTENSION) : len(_EXTENSION) + 32]
        if not _is(name, body, "APP1", _EXTENSION) or label.upper() != wanted or len(body) < len(_EXTENSION) + 40:
            continue
        total, at = struct.unpack_from(">II", body, len(_EXTENSION) + 32)
        parts[at] = body[len(_EXTENSION) + 40 :]
    whole = b""
    for at in sorted(parts):
        if at != len(whole):
            return None
        whole += parts[at]
    return whole if whole and len(whole) == total else None


def _is(name: str, body: bytes, kind: str, begin: bytes) -> bool:
    return name == kind and body.startswith(begin)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
