"""Samples of photos that are made in bands when they are read, so that no stage holds another whole copy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.bit_depth import from_unit, row_bands, to_unit


class Samples(Protocol):
    """Rows of uint8, uint16 or float32 samples, (H, W, ...); an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and what follows."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Tell the kind of number."""
        ...

    def __getitem__(self, rows: slice, /) -> NDArray:
        """Give the rows from `rows.start` to `rows.stop`."""
        ...


@dataclass(frozen=True)
class Made:
    """Samples that a function makes of the rows asked for, as often as they are asked for."""

    shape: tuple[int, ...]
    dtype: np.dtype
    make: Callable[[slice], NDArray]

    def __getitem__(self, rows: slice, /) -> NDArray:
        """Give rows of them."""
        return self.make(rows)


def gathered(samples: Samples) -> NDArray:
    """Give all samples as an array."""
    if isinstance(samples, np.ndarray):
        return samples
    out = np.empty(samples.shape, samples.dtype)
    for rows in row_bands(*samples.shape[:2]):
        out[rows] = samples[rows]
    return out


def strips(samples: Samples, height: int) -> Iterator[NDArray]:
    """Yield contiguous strips of so many rows from the top; the last may be lower.

    What is made is made in the bands of `gathered`, for rounding may depend on how many rows are made at a time.
    """
    total, held = samples.shape[0], []
    for rows in row_bands(*samples.shape[:2]):
        held.append(samples[rows])
        if (count := sum(map(len, held))) < height and rows.stop < total:
            continue
        whole = np.concatenate(held) if held[1:] else held[0]
        end = count if rows.stop == total else count - count % height
        for top in range(0, end, height):
            yield np.ascontiguousarray(whole[top : min(top + height, end)])
        held = [whole[end:]] if end < count else []


def in_depth(samples: Samples, dtype: np.dtype) -> Samples:
    """Give samples in another dtype (uint8, uint16, float32), 1.0 staying full scale."""
    if samples.dtype == dtype:
        return samples
    return Made(samples.shape, dtype, lambda rows: from_unit(to_unit(samples[rows]), dtype))


def with_alpha(pixels: Samples, alpha: Samples) -> Samples:
    """Put an alpha (H, W) behind the channels of pixels (H, W, C)."""
    shape = (*pixels.shape[:2], pixels.shape[2] + 1)
    return Made(shape, pixels.dtype, lambda rows: np.concatenate((pixels[rows], alpha[rows][..., None]), axis=-1))
