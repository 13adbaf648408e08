"""Pictures whose rows are made when they are asked for, so that no stage holds a float copy of a large photo."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.bit_depth import row_bands

Pixels = NDArray[np.float32]  # (n, W, C)


class Rows(Protocol):
    """A picture (H, W, C), float32; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        ...

    def __getitem__(self, rows: slice, /) -> Pixels:
        """Give the rows from `rows.start` to `rows.stop`."""
        ...


class Forward:
    """Rows that come in bands from the top, each to be read once."""

    once = True

    def __init__(self, shape: tuple[int, ...], bands: Iterator[Pixels]) -> None:
        self.shape, self._bands = shape, bands
        self._first, self._held = 0, np.empty((0, *shape[1:]), np.float32)

    def __getitem__(self, rows: slice, /) -> Pixels:
        """Give rows that are not behind those given before. Raises ValueError for others."""
        if rows.start < self._first:
            raise ValueError(f"row {rows.start} has been read already; the next is {self._first}")
        self._held, self._first = self._held[rows.start - self._first :], rows.start
        while len(self._held) < rows.stop - rows.start:
            band = next(self._bands)
            self._held = np.concatenate((self._held, band)) if len(self._held) else band
        return self._held[: rows.stop - rows.start]


def readable_again(picture: Rows) -> bool:
    """Tell whether rows may be read as often as wanted, in any order."""
    return not getattr(picture, "once", False)


def whole(picture: Rows) -> Pixels:
    """Give all rows of a picture as an array."""
    if isinstance(picture, np.ndarray):
        return picture
    out = np.empty(picture.shape, np.float32)
    for rows in row_bands(*picture.shape[:2]):
        out[rows] = picture[rows]
    return out
