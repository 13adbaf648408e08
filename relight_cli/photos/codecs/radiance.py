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
_RGBE = b"FORMAT=32-bit_rle_rgbe\n"
_RUN = b"\1\1\1"
_LONGEST_HEADER = 1 << 16  # bytes
_SIZE = re.compile(rb"\n([-+][XY]) (\d+) ([-+][XY]) (\d+)\r?\n")


def decode_radiance(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode RGB to float32 linear light in its own primaries, at the exposure that the file has.

    Corrections of its colours (COLORCORR) are undone; primaries are those of sRGB if the file names none. Raises
    UnsupportedError for XYZ and for rows in another order than from above, and what imagecodecs raises.
    """
    width, height, header = _read_header(file)
    check_size(width, height)
    file.seek(0)
    first, rest = file.readline(), file.read()
    said = b"" if b"FORMAT" in header else _RGBE  # the default of the format, which imagecodecs wants to see
    pixels = _decode(first + said + rest, width * height)
    notes: list[str] = []
    if (correction := _product(header, b"COLORCORR", 3, notes)) != (1, 1, 1):
        pixels /= np.array(correction, np.float32)
    if _product(header, b"GAMMA", 1, notes) != (1,):
        notes.append("its GAMMA is not undone; it is read as linear light")
    icc, colour = linear_colours(_numbers(header.get(b"PRIMARIES", [b""])[-1]) or REC709, notes)
    aspect = aspect_of(1, _product(header, b"PIXASPECT", 1, notes)[0])
    return Decoded(pixels, None, "PNG", icc=icc, notes=notes, shape=Shape(aspect), colour=colour)


def _decode(data: bytes, count: int) -> NDArray[np.float32]:
    """Return (H, W, 3) light of `count` pixels, also of runs as Radiance wrote them until 1991."""
    try:
        return np.ascontiguousarray(imagecodecs.rgbe_decode(data), np.float32)
    except imagecodecs.RgbeError:
        start = _SIZE.search(data)
        if start is None or _has_new_runs(data, start):
            raise
        plain = _without_runs(data[start.end() :], count)
        if plain is None:
            raise
        return np.ascontiguousarray(imagecodecs.rgbe_decode(data[: start.end()] + plain), np.float32)


def _has_new_runs(data: bytes, size: re.Match[bytes]) -> bool:
    """Return whether the first row begins as one of runs by colour does: with 2, 2 and its width."""
    return data[size.end() : size.end() + 4] == b"\2\2" + (int(size[4]) & 0xFFFF).to_bytes(2)


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
    """Return width and height from the header. Raises ValueError for a header without them, UnsupportedError."""
    return _read_header(file)[:2]


def _read_header(file: BinaryIO) -> tuple[int, int, dict[bytes, list[bytes]]]:
    """Return width, height and the values of each key, in the order of their lines. Raises as `read_size`."""
    file.seek(0)
    header = file.read(_LONGEST_HEADER)
    found = _SIZE.search(header)
    if found is None:
        raise ValueError("the header names no size")
    if b"32-bit_rle_xyze" in header[: found.start()]:
        raise UnsupportedError("it is a Radiance picture in XYZ")
    if found[1] + found[3] != b"-Y+X":
        raise UnsupportedError("it is a Radiance picture that is turned or mirrored")
    values: dict[bytes, list[bytes]] = {}
    for line in header[: found.start()].splitlines():  # indented ones belong to pictures that this one was made from
        key, _, value = line.partition(b"=")
        values.setdefault(key, []).append(value)
    return int(found[4]), int(found[2]), values


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
