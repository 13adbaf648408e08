"""PNG of 8 and 16 bits in strips: libpng filters the rows, zlib compresses them as one stream."""

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.cores import Pool, available_cores
from relight_cli.photos.codecs.png_chunks import chunks_of
from relight_cli.photos.codecs.png_colours import colour_chunks
from relight_cli.photos.effort import Effort
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.shape import dots_of, pixel_aspect
from relight_cli.rasters.rows import Raster, strips

# Levels and strategies of zlib, by benchmarks/encoders.py: filtered rows of photos hold runs, but few repeated strings.
# Of several, each strip takes the one that makes it smallest.
_COMPRESSIONS = {
    Effort.FAST: ((1, zlib.Z_HUFFMAN_ONLY),),
    Effort.DEFAULT: ((1, zlib.Z_RLE),),
    Effort.SMALL: ((1, zlib.Z_RLE), (9, zlib.Z_FILTERED)),
}
_ZLIB_HEADER, _LAST_BLOCK = b"\x78\x01", b"\x03\x00"  # RFC 1950, section 2.2; an empty block (RFC 1951, section 3.2.6)
_STRIP = 1 << 21  # bytes
_PIECE = 1 << 13  # bytes in an IDAT chunk, as in libpng
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type by channels (PNG, section 11.2.1)
_HEADER = 33  # bytes: signature, then IHDR with length, name, 13 bytes, check sum


def encode_png(file: BinaryIO, samples: Raster, metadata: Metadata, effort: Effort = Effort.DEFAULT) -> None:
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
    for compressed in _compressed(samples, effort):
        pending += compressed
        whole = len(pending) - len(pending) % _PIECE
        for start in range(0, whole, _PIECE):
            file.write(_chunk(b"IDAT", bytes(pending[start : start + _PIECE])))
        del pending[:whole]
    if pending:
        file.write(_chunk(b"IDAT", bytes(pending)))
    file.write(_chunk(b"IEND", b""))


def _compressed(samples: Raster, effort: Effort) -> Iterator[bytes]:
    """Yield the zlib stream of the filtered rows (PNG, sections 9 and 10); cores compress a strip each."""
    check, cores, pending = 1, available_cores(), deque[Future[bytes]]()
    yield _ZLIB_HEADER
    with Pool(cores, "deflate") as pool:
        for rows in _filtered_strips(samples):
            check = zlib.adler32(rows, check)
            pending.append(pool.submit(_deflated, rows, effort))
            if len(pending) > cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    yield _LAST_BLOCK + struct.pack(">I", check)


def _deflated(rows: memoryview, effort: Effort) -> bytes:
    """Return whole blocks of deflate that refer to nothing before them."""
    made = []
    for level, strategy in _COMPRESSIONS[effort]:
        stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 8, strategy)
        made.append(stream.compress(rows) + stream.flush(zlib.Z_FULL_FLUSH))
    return min(made, key=len)


def _filtered_strips(samples: Raster) -> Iterator[memoryview]:
    """Yield the filtered rows of each strip."""
    _, width, channels = samples.shape
    above = np.empty((0, width, channels), samples.dtype)
    for strip in strips(samples, max(1, _STRIP // (width * channels * samples.dtype.itemsize))):
        # The filter of a row needs the row above it.
        filtered = zlib.decompress(_filtered(np.concatenate((above, strip))))
        row = len(filtered) // (len(above) + len(strip))
        yield memoryview(filtered)[len(above) * row :]
        above = strip[-1:]


def _filtered(strip: NDArray) -> bytes:
    """Return the zlib stream of a PNG of the strip alone: its rows, filtered by libpng and not compressed."""
    # numpy allows any stride on a last axis of one, but imagecodecs refuses it.
    plane = np.ascontiguousarray(strip[..., 0] if strip.shape[2] == 1 else strip)
    # The room that imagecodecs takes by itself has no byte for the filter of each row, too little for narrow pictures.
    size = plane.nbytes + len(plane)
    room = size + size // 64 + 1024  # for the headers of blocks and chunks
    png = memoryview(imagecodecs.png_encode(plane, level=0, out=room))
    pieces, start = [], _HEADER
    while start < len(png):
        length, name = struct.unpack_from(">I4s", png, start)
        if name == b"IDAT":
            pieces.append(png[start + 8 : start + 8 + length])
        start += length + 12
    return b"".join(pieces)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
