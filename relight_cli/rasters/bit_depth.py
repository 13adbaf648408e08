"""Conversion between uint8, uint16 and float32 samples, by rounding, never by truncation."""

import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.rows import LazyRows, Raster, is_rereadable


def to_unit(samples: NDArray) -> NDArray[np.float32]:
    """Scale uint8 or uint16 samples to float32 in [0, 1]; float32 samples are returned unchanged."""
    if samples.dtype == np.float32:
        return samples
    return np.divide(samples, np.iinfo(samples.dtype).max, dtype=np.float32)


def from_unit(values: NDArray[np.float32], dtype: np.dtype) -> NDArray:
    """Clip float32 values to [0, 1] and round them to uint8 or uint16; for float32 return them unchanged.

    NaN becomes 0 in the integer types.
    """
    if dtype == np.float32:
        return values
    scaled = np.fmax(values, np.float32(0))  # fmax returns the other value where one is NaN
    np.fmin(scaled, np.float32(1), out=scaled)
    scaled *= np.float32(np.iinfo(dtype).max)
    return np.rint(scaled, out=scaled).astype(dtype)


def in_depth(raster: Raster, dtype: np.dtype) -> Raster:
    """Return a raster converted to another dtype (uint8, uint16, float32); full scale stays full scale."""
    if raster.dtype == dtype:
        return raster
    return LazyRows(raster.shape, dtype, lambda rows: from_unit(to_unit(raster[rows]), dtype), is_rereadable(raster))


def expand_bits(samples: NDArray, bits: int) -> NDArray[np.uint16]:
    """Scale integers of 9 to 16 bits to uint16; full scale stays full scale."""
    return np.rint(samples * np.float64(65535 / (2**bits - 1))).astype(np.uint16)


def reduce_bits(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Round uint16 samples to integers of `bits` bits; full scale stays full scale."""
    return np.rint(samples * np.float64((2**bits - 1) / 65535)).astype(np.uint16)
