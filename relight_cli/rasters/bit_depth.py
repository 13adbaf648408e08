"""Samples as 8-bit, 16-bit or float, and back: rounded, never truncated."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from relight_cli.rasters.samples import Samples

_BAND_PIXELS = 1 << 16


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Cut the rows of a picture into slices of about 64 k pixels, so that float copies stay in the cache."""
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
    scaled = np.fmax(values, np.float32(0))  # the number, where the other is none
    np.fmin(scaled, np.float32(1), out=scaled)
    scaled *= np.float32(np.iinfo(dtype).max)
    return np.rint(scaled, out=scaled).astype(dtype)


def deepen(samples: NDArray, bits: int) -> NDArray[np.uint16]:
    """Spread integers of 9 to 16 bits over uint16, so that the largest stays full scale."""
    return np.rint(samples * np.float64(65535 / (2**bits - 1))).astype(np.uint16)


def shallow(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Round uint16 samples to integers of so many bits."""
    return np.rint(samples * np.float64((2**bits - 1) / 65535)).astype(np.uint16)


def change_depth(samples: "Samples", dtype: np.dtype) -> NDArray:
    """Give (H, W, ...) samples another dtype (uint8, uint16, float32), 1.0 staying full scale."""
    if isinstance(samples, np.ndarray) and samples.dtype == dtype:
        return samples
    changed = np.empty(samples.shape, dtype)
    for rows in row_bands(*samples.shape[:2]):
        changed[rows] = from_unit(to_unit(samples[rows]), dtype)
    return changed
