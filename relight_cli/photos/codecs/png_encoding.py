"""PNG of 8 and 16 bits in strips: libpng filters the rows, zlib compresses them as libpng would."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.png_chunks import chunks_of
from relight_cli.photos.codecs.png_colours import colour_chunks
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.shape import dots_of, pixel_aspect
from relight_cli.rasters.rows import Raster, strips

_LEVEL = 1  # five times as fast as level 6
_STRIP = 1 << 21  # bytes
_PIECE = 1 << 13  # bytes in an IDAT chunk, as in libpng
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type by channels (PNG, section 11.2.1)
_HEADER = 33  # bytes: signature, then IHDR with length, name, 13 bytes, check sum


def encode_png(file: BinaryIO, samples: Raster, metadata: Metadata) -> None:
    """Write (H, W, 1 to 4) uint8 or uint16 samples, the 2nd or 4th of which is alpha, with the metadata after IHDR.

    Raises OSError.
    """
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.dtype.itemsize, _COLOURS[channels], 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
    for name, body in colour_chunks(metadata.colour):
        file.write(_chunk(name, body))
    if metadata.icc:
        file.write(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in metadata.dpi), 1)))
    elif (aspect := pixel_aspect(metadata)) != 1:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *dots_of(aspect), 0)))
    if metadata.exif:
        file.write(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    for name, body in chunks_of(metadata.extras):
        file.write(_chunk(name, body))
    pending = bytearray()
    for compressed in _compressed(samples):
        pending += compressed
        whole = len(pending) - len(pending) % _PIECE
        for start in range(0, whole, _PIECE):
            file.write(_chunk(b"IDAT", bytes(pending[start : start + _PIECE])))
        del pending[:whole]
    if pending:
        file.write(_chunk(b"IDAT", bytes(pending)))
    file.write(_chunk(b"IEND", b""))


def _compressed(samples: Raster) -> Iterator[bytes]:
    """Yield the zlib stream of the filtered rows (PNG, sections 9 and 10)."""
    height, width, channels = samples.shape
    rows = max(1, _STRIP // (width * channels * samples.dtype.itemsize))
    if rows >= height:
        yield from (_idat(strip, _LEVEL) for strip in strips(samples, height))
        return
    # The settings of libpng for filtered rows.
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_FILTERED)
    above = np.empty((0, width, channels), samples.dtype)
    for strip in strips(samples, rows):
        # The filter of a row needs the row above it.
        filtered = zlib.decompress(_idat(np.concatenate((above, strip)), 0))
        row = len(filtered) // (len(above) + len(strip))
        yield stream.compress(memoryview(filtered)[len(above) * row :])
        above = strip[-1:]
    yield stream.flush()


def _idat(strip: NDArray, level: int) -> bytes:
    """Return the IDAT content of a PNG of the strip alone: its rows, filtered by libpng and compressed."""
    # numpy allows any stride on a last axis of one, but imagecodecs refuses it.
    plane = np.ascontiguousarray(strip[..., 0] if strip.shape[2] == 1 else strip)
    png, pieces, start = memoryview(imagecodecs.png_encode(plane, level=level)), [], _HEADER
    while start < len(png):
        length, name = struct.unpack_from(">I4s", png, start)
        if name == b"IDAT":
            pieces.append(png[start + 8 : start + 8 + length])
        start += length + 12
    return b"".join(pieces)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
