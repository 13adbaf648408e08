"""PGM, PPM and PAM of 1 to 16 bits, and PFM, through netpbmfile; bitmaps (PBM) through Pillow."""

from typing import BinaryIO

import netpbmfile
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError, split_alpha
from relight_cli.photos.colour_profiles import LINEAR

BITMAPS = (b"P1", b"P4")
_OTHERS = (b"P2", b"P3", b"P5", b"P6", b"P7", b"PF", b"Pf")


def is_netpbm(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is one of these formats."""
    return start[:2] in (*BITMAPS, *_OTHERS) and start[2:3] in b" \t\r\n#" and len(start) > 2


def decode_netpbm(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode grey or RGB and alpha; integers are scaled from their largest value, floats are linear light.

    Raises UnsupportedError for other channels, and what netpbmfile raises.
    """
    file.seek(0)
    notes = []
    with netpbmfile.NetpbmFile(file) as picture:
        check_size(picture.width, picture.height)
        samples = picture.asarray()
        if picture.axes.startswith("I"):  # whatever follows the first picture
            notes.append("only the first picture is used")
            samples = samples[0]
        depth, kind, largest = picture.depth, picture.tupltype, picture.maxval
    transparent = kind.endswith("_ALPHA")
    if depth not in ((2, 4) if transparent else (1, 3)):
        raise UnsupportedError(f"it is a PAM with {depth} channels ({kind or 'of no named kind'})")
    samples = samples.reshape(picture.height, picture.width, depth)
    if samples.dtype.kind == "f":
        # Rows go from the bottom up (PFM).
        return Decoded(np.ascontiguousarray(samples[::-1], np.float32), None, "PNG", icc=LINEAR, notes=notes)
    pixels, alpha = split_alpha(_scaled(samples, largest))
    return Decoded(pixels, alpha, "PNG", notes=notes)


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from the header."""
    file.seek(0)
    with netpbmfile.NetpbmFile(file) as picture:
        return picture.width, picture.height


def _scaled(samples: NDArray, largest: int) -> NDArray:
    """Return samples up to `largest` as uint8 or uint16 up to full scale."""
    dtype = np.uint8 if largest <= 255 else np.uint16
    full = np.iinfo(dtype).max
    if largest == full:
        return samples.astype(dtype)
    return np.rint(np.minimum(samples, largest) * (full / largest)).astype(dtype)
