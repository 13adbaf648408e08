"""The colours that a BMP states in its header, which Pillow does not read (BITMAPV4HEADER and BITMAPV5HEADER)."""

import struct
from typing import BinaryIO

import numpy as np

from relight_cli.photos.cicp import D65, are_primaries
from relight_cli.photos.colour_tags import ColourTags

_HEADER = 14  # bytes of the file header, before that of the bitmap
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B  # CSType: "MBED", "LINK"
_FIXED, _GAMMA = 1 << 30, 1 << 16  # one as FXPT2DOT30 and as 16.16
_CLOSE = 0.02  # to a sum of 1
_GAMMAS = (0.9, 3.0)  # ImageMagick writes the chromaticities as gammas


def read_colours(file: BinaryIO, notes: list[str]) -> tuple[bytes | None, ColourTags | None]:
    """Return the embedded ICC profile and the calibrated colours; add a note on colours that cannot be used."""
    file.seek(_HEADER)
    head = file.read(124)
    if len(head) < 108 or struct.unpack_from("<I", head)[0] < 108:
        return None, None
    (kind,) = struct.unpack_from("<I", head, 56)
    if kind == _CALIBRATED and any(head[60:108]):
        return None, _calibrated(head, notes)
    if len(head) < 124 or struct.unpack_from("<I", head)[0] < 124:
        return None, None
    offset, size = struct.unpack_from("<II", head, 112)
    if kind == _EMBEDDED:
        file.seek(_HEADER + offset)
        icc = file.read(size)
        if size and len(icc) == size:
            return icc, None
        notes.append("its colour profile is cut off; the colours are read as sRGB")
    if kind == _LINKED:
        notes.append("its colour profile is in another file and not used: --input-colour can name it")
    return None, None


def _calibrated(head: bytes, notes: list[str]) -> ColourTags | None:
    """Return the colours that LCS_CALIBRATED_RGB states by X, Y and Z of red, green and blue, and by gammas.

    Many writers store (x, y, z) that add up to 1 instead, which leaves the white open; it is taken as D65.
    """
    xyz = np.array(struct.unpack_from("<9i", head, 60), float).reshape(3, 3) / _FIXED
    gammas = np.array(struct.unpack_from("<3I", head, 96)) / _GAMMA
    chromaticities = None
    if xyz.any():
        sums = xyz.sum(axis=1, keepdims=True)
        are_xyz = np.abs(sums - 1).max() > _CLOSE and xyz.sum() > 0
        white = tuple(xyz.sum(axis=0)[:2] / xyz.sum()) if are_xyz else D65
        with np.errstate(divide="ignore", invalid="ignore"):
            stated = tuple(float(value) for value in (*(xyz / sums)[:, :2].ravel(), *white))
        chromaticities = stated if are_primaries(stated) else None
    gamma = float(gammas[0]) if np.ptp(gammas) < 1e-3 and _GAMMAS[0] <= gammas[0] <= _GAMMAS[1] else None
    if (xyz.any() and chromaticities is None) or (gammas.any() and gamma is None):
        notes.append("the colour space in its header is not possible or not supported; the colours are read as sRGB")
        return None
    return ColourTags(gamma=gamma, chromaticities=chromaticities)
