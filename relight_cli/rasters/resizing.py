"""Pictures in other sizes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.bit_depth import row_bands
from relight_cli.rasters.rows import Rows, whole

Picture = NDArray[np.float32]

SHARPNESS = -0.75  # of the cubic kernel (Keys 1981), as OpenCV has it


@dataclass(frozen=True)
class Resized:
    """A picture (H, W, C) in another size: the mean over areas along a side that shrinks, bicubic along one that grows.

    Rows are made when asked for, from the rows of the picture that they need.
    """

    picture: Rows
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return (self.height, self.width, *self.picture.shape[2:])

    def __getitem__(self, rows: slice, /) -> Picture:
        """Give rows of it."""
        if self.height == self.picture.shape[0]:
            return self._across(rows)
        first, shares = row_shares(self.picture.shape[0], self.height, rows)
        across = self._across(slice(first, first + shares.shape[1]))
        return (shares @ across.reshape(len(across), -1)).reshape(len(shares), *across.shape[1:])

    def _across(self, rows: slice) -> Picture:
        """Give rows of the picture in the wanted width."""
        own = self.picture.shape[1]
        if own == self.width:
            return self.picture[rows]
        out = np.empty((rows.stop - rows.start, self.width, *self.picture.shape[2:]), np.float32)
        how = cv2.INTER_CUBIC if self.width > own else cv2.INTER_AREA
        for band in row_bands(len(out), own):
            part = self.picture[slice(rows.start + band.start, rows.start + band.stop)]
            out[band] = cv2.resize(part, (self.width, len(part)), interpolation=how).reshape(out[band].shape)
        return out


def row_shares(length: int, wanted: int, rows: slice) -> tuple[int, Picture]:
    """Give the first of the rows that some rows of a resized picture need, and what they need of each, (rows, n).

    `length` is the picture's height and `wanted` the resized one's.
    """
    scale = length / wanted
    index = np.arange(rows.start, rows.stop)
    if scale > 1:
        top, bottom = index[:, None] * scale, (index[:, None] + 1) * scale
        first, last = int(top[0, 0]), min(length, int(np.ceil(bottom[-1, 0] - 1e-9)))
        source = np.arange(first, last)
        covered = np.minimum(bottom, source + 1) - np.maximum(top, source)
        return first, (covered.clip(0) / scale).astype(np.float32)
    place = (index + 0.5) * scale - 0.5
    taps = np.floor(place).astype(int)[:, None] + np.arange(-1, 3)
    weights = _cubic(np.abs(place[:, None] - taps))
    taps = taps.clip(0, length - 1)
    first = int(taps.min())
    shares = np.zeros((len(index), int(taps.max()) + 1 - first), np.float32)
    np.add.at(shares, (np.arange(len(index))[:, None], taps - first), weights)
    return first, shares


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    a, d = SHARPNESS, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def resized(picture: Rows, height: int, width: int) -> Picture:
    """Give the whole of a resized picture."""
    if picture.shape[:2] == (height, width):
        return whole(picture)
    return whole(Resized(picture, height, width))


def within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Give the size of a picture whose longer side is brought down to `longest` pixels; 0 leaves every size."""
    if not longest or max(height, width) <= longest:
        return height, width
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
