"""IPTC, image resources and GeoTIFF tags of a TIFF."""

from typing import Any

import numpy as np
import tifffile

from relight_cli.photos.image_resources import join_iptc, split_iptc
from relight_cli.photos.metadata import Extras

_IPTC, _RESOURCES = 33723, 34377
# ModelPixelScale, IntergraphMatrix, ModelTiepoint, ModelTransformation, GeoKeyDirectory, GeoDoubleParams and
# GeoAsciiParams (OGC GeoTIFF 1.1), GDAL_METADATA, GDAL_NODATA and RPCCoefficients (GDAL).
_GEO = (33550, 33920, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844)
_LAYERS = 37724  # ImageSourceData of Photoshop
_TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 16: "u8"}
_UNDEFINED = 7


def read_tiff_extras(tiff: tifffile.TiffFile, page: tifffile.TiffPage, notes: list[str]) -> Extras:
    """Return what the tags of a page hold next to EXIF, ICC and XMP; add a note on layers, which are dropped."""
    if _LAYERS in page.tags:
        notes.append("its layers are dropped; the merged picture is used")
    inside, resources = split_iptc(_value(tiff, page.tags.get(_RESOURCES)))
    iptc = _in_order(_value(tiff, page.tags.get(_IPTC))) or inside
    geo = []
    for code in _GEO:
        tag = page.tags.get(code)
        if tag is not None and (value := _value(tiff, tag)):
            geo.append((code, int(tag.dtype), int(tag.count), value))
    return Extras(iptc, resources, geo=tuple(geo))


def extra_tags(extras: Extras) -> list[tuple[int, int | str, int, bytes, bool]]:
    """Return the tags to write, as tifffile takes them, for a little-endian file."""
    tags: list[tuple[int, int | str, int, bytes, bool]] = [(*tag, True) for tag in extras.geo]
    if extras.iptc:
        tags.append((_IPTC, _UNDEFINED, len(extras.iptc), extras.iptc, True))
    if extras.resources:
        block = join_iptc(extras.iptc, extras.resources)
        tags.append((_RESOURCES, _UNDEFINED, len(block), block, True))
    return tags


def _value(tiff: tifffile.TiffFile, tag: Any) -> bytes:
    """Return the bytes of a tag, little-endian; b"" if it is absent or cut off."""
    kind = _TYPES.get(int(tag.dtype)) if tag is not None else None
    if kind is None:
        return b""
    tiff.filehandle.seek(tag.valueoffset)
    size = tag.count * np.dtype(kind).itemsize
    raw = tiff.filehandle.read(size)
    return np.frombuffer(raw, tiff.byteorder + kind).astype("<" + kind).tobytes() if len(raw) == size else b""


def _in_order(iptc: bytes) -> bytes | None:
    """Restore IPTC data that a program has stored as 32-bit numbers in the other byte order."""
    if iptc[:1] != b"\x1c" and iptc[3:4] == b"\x1c" and len(iptc) % 4 == 0:
        iptc = np.frombuffer(iptc, "<u4").byteswap().tobytes()
    return iptc or None
