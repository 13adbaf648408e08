"""Bands of pixels on all cores: for functions of OpenCV, NumPy and lcms2, which release Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

BAND = 1 << 14  # pixels whose float copies stay in the cache of one core
Convert = Callable[[NDArray], NDArray]
"""Takes pixels (n, C) and returns (n, D); each pixel's result depends on that pixel alone."""


def convert_pixels(pixels: NDArray, convert: Convert, channels: int, dtype: np.dtype, band: int = BAND) -> NDArray:
    """Return pixels (H, W, C) converted to (H, W, `channels`) of `dtype`, in bands on as many cores as OpenCV uses.

    `convert` must not call this function.
    """
    flat = np.ascontiguousarray(pixels).reshape(-1, pixels.shape[2])
    out = np.empty((len(flat), channels), dtype)

    def fill(start: int) -> None:
        out[start : start + band] = convert(flat[start : start + band])

    starts = range(0, len(flat), band)
    if len(starts) < 2 or cv2.getNumThreads() < 2:
        for start in starts:
            fill(start)
    else:
        for _ in _pool(cv2.getNumThreads()).map(fill, starts):
            pass
    return out.reshape(*pixels.shape[:2], channels)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "pixels")


if hasattr(os, "register_at_fork"):  # a child process has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
