"""Radiance pictures (.hdr, RGBE): linear light of any brightness, through imagecodecs.

The header is that of Radiance's file formats (G. Ward): lines of KEY=value until an empty one, then the size.
"""

import math
import re
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError
from relight_cli.photos.codecs.linear_colours import linear_colours
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.shape import Shape, aspect_of

MAGIC = (b"#?RADIANCE", b"#?RGBE")
_RGBE = b"32-bit_rle_rgbe"  # the default of the format
_RUN = b"\1\1\1"
_LONGEST_HEADER = 1 << 16  # bytes
_SIZE = re.compile(rb"\n([-+])([XY]) (\d+) ([-+])([XY]) (\d+)\r?\n")  # of the slower axis, then of the faster


def decode_radiance(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode RGB to float32 linear light in its own primaries, at the exposure that the file has.

    Corrections of its colours (COLORCORR) are undone; primaries are those of sRGB if the file names none. Raises
    UnsupportedError for XYZ, and what imagecodecs raises.
    """
    size, header = _read_header(file)
    check_size(*read_size(file))
    file.seek(size.end())
    pixels = _upright(_decode(file.read(), int(size[6]), int(size[3])), size)
    notes: list[str] = []
    if (correction := _product(header, b"COLORCORR", 3, notes)) != (1, 1, 1):
        pixels /= np.array(correction, np.float32)
    if _product(header, b"GAMMA", 1, notes) != (1,):
        notes.append("its GAMMA is not undone; it is read as linear light")
    icc, colour = linear_colours(_numbers(header.get(b"PRIMARIES", [b""])[-1]) or REC709, notes)
    aspect = aspect_of(1, _product(header, b"PIXASPECT", 1, notes)[0])
    return Decoded(pixels, None, "PNG", icc=icc, notes=notes, shape=Shape(aspect), colour=colour)


def _decode(body: bytes, width: int, height: int) -> NDArray[np.float32]:
    """Return (H, W, 3) light as stored, also of runs as Radiance wrote them until 1991."""
    # imagecodecs reads no other form of a header.
    head = b"#?RADIANCE\nFORMAT=%b\n\n-Y %d +X %d\n" % (_RGBE, height, width)
    try:
        return np.ascontiguousarray(imagecodecs.rgbe_decode(head + body), np.float32)
    except imagecodecs.RgbeError:
        if body[:4] == b"\2\2" + (width & 0xFFFF).to_bytes(2):  # runs by colour
            raise
        plain = _without_runs(body, width * height)
        if plain is None:
            raise
        return np.ascontiguousarray(imagecodecs.rgbe_decode(head + plain), np.float32)


def _upright(pixels: NDArray[np.float32], size: re.Match[bytes]) -> NDArray[np.float32]:
    """Return stored light with rows from above and columns from the left; Y points up, X to the right."""
    if size[2] == b"X":
        pixels = pixels.swapaxes(0, 1)
    signs = {size[2]: size[1], size[5]: size[4]}
    down, right = signs[b"Y"] == b"-", signs[b"X"] == b"+"
    return np.ascontiguousarray(pixels[:: 1 if down else -1, :: 1 if right else -1])


def _without_runs(data: bytes, count: int) -> bytes | None:
    """Return `count` pixels of 4 bytes each; None if they are cut off.

    A pixel of 1, 1, 1 and n stands for n more of the one before it; the next one after it counts 256 times as much.
    """
    pixels, shift, at = bytearray(), 0, 0
    while len(pixels) < 4 * count:
        pixel = data[at : at + 4]
        if len(pixel) < 4 or (pixel[:3] == _RUN and not pixels):
            return None
        repeated = pixel[:3] == _RUN
        pixels += bytes(pixels[-4:]) * min(pixel[3] << shift, count) if repeated else pixel
        shift = shift + 8 if repeated else 0
        at += 4
    return bytes(pixels[: 4 * count])


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return the upright width and height. Raises ValueError for a header without them, UnsupportedError."""
    size, _ = _read_header(file)
    lengths = {size[2]: int(size[3]), size[5]: int(size[6])}
    return lengths[b"X"], lengths[b"Y"]


def _read_header(file: BinaryIO) -> tuple[re.Match[bytes], dict[bytes, list[bytes]]]:
    """Return the line of the size, and the values of each key in the order of their lines. Raises as `read_size`."""
    file.seek(0)
    header = file.read(_LONGEST_HEADER)
    found = _SIZE.search(header)
    if found is None or found[2] == found[5]:
        raise ValueError("the header names no size")
    values: dict[bytes, list[bytes]] = {}
    for line in header[: found.start()].splitlines():  # indented ones belong to pictures that this one was made from
        key, _, value = line.partition(b"=")
        values.setdefault(key, []).append(value)
    if values.get(b"FORMAT", [_RGBE])[-1].strip() != _RGBE:
        raise UnsupportedError("it is a Radiance picture in XYZ or another format than RGBE")
    return found, values


def _product(header: dict[bytes, list[bytes]], key: bytes, count: int, notes: list[str]) -> tuple[float, ...]:
    """Return the product of all lines of a key, `count` numbers each; a line of other numbers gets a note."""
    product = (1.0,) * count
    for value in header.get(key, []):
        numbers = _numbers(value)
        if len(numbers) == count and all(0 < number < math.inf for number in numbers):
            product = tuple(one * other for one, other in zip(product, numbers, strict=True))
        else:
            notes.append(f"its {key.decode()} is broken and ignored")
    return product


def _numbers(text: bytes) -> tuple[float, ...]:
    """Return the numbers in a text; (NaN,) if a word is none."""
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        return (math.nan,)
