"""Samples as 8-bit, 16-bit or float, and back: rounded, never truncated."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BAND_PIXELS = 1 << 18


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Cut the rows of a picture into slices of about 256 k pixels, so that float copies stay small."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def to_unit(samples: NDArray) -> NDArray[np.float32]:
    """Scale uint8 or uint16 samples to float32 in [0, 1]; float32 samples pass unchanged."""
    if samples.dtype == np.float32:
        return samples
    return np.divide(samples, np.iinfo(samples.dtype).max, dtype=np.float32)


def from_unit(values: NDArray[np.float32], dtype: np.dtype) -> NDArray:
    """Clip float32 values to [0, 1] and round them to uint8 or uint16; float32 keeps the values as they are.

    NaN becomes 0 in the integer types.
    """
    if dtype == np.float32:
        return values
    top = np.iinfo(dtype).max
    return np.rint(np.clip(np.nan_to_num(values, posinf=1.0, neginf=0.0), 0.0, 1.0) * np.float32(top)).astype(dtype)


def change_depth(samples: NDArray, dtype: np.dtype) -> NDArray:
    """Give (H, W, ...) samples another dtype (uint8, uint16, float32), 1.0 staying full scale."""
    if samples.dtype == dtype:
        return samples
    changed = np.empty(samples.shape, dtype)
    for rows in row_bands(*samples.shape[:2]):
        changed[rows] = from_unit(to_unit(samples[rows]), dtype)
    return changed
