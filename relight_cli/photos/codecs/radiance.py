"""Radiance pictures (.hdr, RGBE): linear light of any brightness, through imagecodecs.

The header is that of Radiance's file formats (G. Ward): lines of KEY=value until an empty one, then the size.
"""

import math
import re
from typing import BinaryIO

import imagecodecs
import numpy as np

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError
from relight_cli.photos.codecs.linear_colours import linear_colours
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.shape import Shape, aspect_of

MAGIC = (b"#?RADIANCE", b"#?RGBE")
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
    pixels = np.ascontiguousarray(imagecodecs.rgbe_decode(file.read()), np.float32)
    notes: list[str] = []
    if (correction := _product(header, b"COLORCORR", 3, notes)) != (1, 1, 1):
        pixels /= np.array(correction, np.float32)
    if _product(header, b"GAMMA", 1, notes) != (1,):
        notes.append("its GAMMA is not undone; it is read as linear light")
    icc, colour = linear_colours(_numbers(header.get(b"PRIMARIES", [b""])[-1]) or REC709, notes)
    aspect = aspect_of(1, _product(header, b"PIXASPECT", 1, notes)[0])
    return Decoded(pixels, None, "PNG", icc=icc, notes=notes, shape=Shape(aspect), colour=colour)


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
