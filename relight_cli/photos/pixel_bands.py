"""Conversion of pixels in bands that stay in the cache."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BAND = 1 << 15  # pixels: small enough for the cache, large enough for threads that take turns in Python
PADDING = 16  # pixels: OpenCV rounds the last pixels of an array differently, which must not depend on a band's size
Convert = Callable[[NDArray], NDArray]
"""Takes pixels (n, C) and returns (n, D); each pixel's result depends on that pixel alone."""


def convert_pixels(pixels: NDArray, convert: Convert, channels: int, dtype: np.dtype, band: int = BAND) -> NDArray:
    """Return pixels (H, W, C) converted to (H, W, `channels`) of `dtype`, in bands of `band` pixels."""
    flat = np.ascontiguousarray(pixels).reshape(-1, pixels.shape[2])
    out = np.empty((len(flat), channels), dtype)
    for start in range(0, len(flat), band):
        out[start : start + band] = convert(flat[start : start + band])
    return out.reshape(*pixels.shape[:2], channels)


def padded(pixels: NDArray) -> NDArray:
    """Return pixels (n, C) with PADDING more, all zero, at the end."""
    out = np.empty((len(pixels) + PADDING, pixels.shape[1]), pixels.dtype)
    out[: len(pixels)] = pixels
    out[len(pixels) :] = 0
    return out
