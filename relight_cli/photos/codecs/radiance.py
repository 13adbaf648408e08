"""Radiance pictures (.hdr, RGBE): linear light of any brightness, through imagecodecs."""

import re
from typing import BinaryIO

import imagecodecs
import numpy as np

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError
from relight_cli.photos.colour_profiles import LINEAR

MAGIC = (b"#?RADIANCE", b"#?RGBE")
_LONGEST_HEADER = 1 << 16  # bytes
_SIZE = re.compile(rb"\n([-+][XY]) (\d+) ([-+][XY]) (\d+)\r?\n")


def decode_radiance(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode RGB to float32 linear light in the primaries of sRGB, at the exposure that the file has.

    Raises UnsupportedError for XYZ and for rows in another order than from above, and what imagecodecs raises.
    """
    width, height = read_size(file)
    check_size(width, height)
    file.seek(0)
    pixels = imagecodecs.rgbe_decode(file.read())
    return Decoded(np.ascontiguousarray(pixels, np.float32), None, "PNG", icc=LINEAR)


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from the header. Raises ValueError for a header without them, UnsupportedError."""
    file.seek(0)
    header = file.read(_LONGEST_HEADER)
    found = _SIZE.search(header)
    if found is None:
        raise ValueError("the header names no size")
    if b"32-bit_rle_xyze" in header[: found.start()]:
        raise UnsupportedError("it is a Radiance picture in XYZ")
    if found[1] + found[3] != b"-Y+X":
        raise UnsupportedError("it is a Radiance picture that is turned or mirrored")
    return int(found[4]), int(found[2])
