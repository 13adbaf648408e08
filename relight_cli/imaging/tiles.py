"""The tile grid of CroCoDiLight and its blend (supplement: 448 x 448 tiles, overlap 0.2, linear ramps)."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class TileGrid:
    """Where the tiles of a picture lie. A picture smaller than a tile is padded to one (`padded`), cropped after."""

    height: int
    width: int
    tile: int = 448
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or not 0 <= self.overlap <= 0.5:
            raise ValueError(f"no tile grid for {self.width} x {self.height} with overlap {self.overlap}")

    @cached_property
    def rows(self) -> list[int]:
        """First row of each row of tiles."""
        return starts(self.height, self.tile, self.overlap)

    @cached_property
    def columns(self) -> list[int]:
        """First column of each column of tiles."""
        return starts(self.width, self.tile, self.overlap)

    @property
    def origins(self) -> list[tuple[int, int]]:
        """First row and column of every tile, row-major."""
        return [(y, x) for y in self.rows for x in self.columns]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    @cached_property
    def weights(self) -> tuple[list[Pixels], list[Pixels]]:
        """Blend weights along the height of each row of tiles and along the width of each column of tiles."""
        return tuple(ramps(s, self.tile, self.overlap) for s in (self.rows, self.columns))  # type: ignore[return-value]


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Give the first pixel of each tile along one side; the last is moved back to end at the edge."""
    if length <= tile:
        return [0]
    stride = int(tile * (1 - overlap))
    return [*range(0, length - tile, stride), length - tile]


def ramps(first: list[int], tile: int, overlap: float) -> list[Pixels]:
    """Give each tile's blend weights (tile,) along one side; over the picture they sum to one.

    A ramp runs from 0 to 1, ends included, over the overlap that the grid asks for, and only where a neighbour is.
    Where the last tile covers more of its neighbour, its weight is 0 before the ramp; where there are only two tiles
    the ramp is as long as their overlap.
    """
    weights = [np.ones(tile, np.float32) for _ in first]
    for i, (here, after) in enumerate(itertools.pairwise(first)):
        shared = here + tile - after
        ramp = shared if len(first) == 2 else min(shared, math.ceil(tile * overlap))
        up = np.linspace(0, 1, ramp, dtype=np.float32) if ramp > 1 else np.zeros(ramp, np.float32)
        weights[i + 1][: shared - ramp] = 0
        weights[i + 1][shared - ramp : shared] = up
        weights[i][tile - ramp :] = 1 - up
    return weights


def padded(picture: Pixels, tile: int) -> Pixels:
    """Extend a picture (H, W, C) to at least one tile downwards and to the right: reflected once, then replicated."""
    for axis in (0, 1):
        length = picture.shape[axis]
        mirrored = np.maximum(2 * length - 2 - np.arange(length, tile), 0)
        if len(mirrored):
            picture = np.concatenate((picture, picture.take(mirrored, axis)), axis)
    return picture


def batches(grid: TileGrid, size: int) -> Iterator[range]:
    """Give the tiles' indices in batches of at most `size`."""
    for start in range(0, len(grid), size):
        yield range(start, min(start + size, len(grid)))


class Blend:
    """A picture put together from overlapping tiles."""

    def __init__(self, grid: TileGrid, channels: int) -> None:
        self.grid = grid
        size = (max(grid.height, grid.tile), max(grid.width, grid.tile), channels)
        self.sum = np.zeros(size, np.float32)

    def add(self, index: int, tile: Pixels) -> None:
        """Add the tile (tile, tile, C) of this index with its weights."""
        columns = len(self.grid.columns)
        row, column = divmod(index, columns)
        y, x = self.grid.rows[row], self.grid.columns[column]
        down, across = self.grid.weights
        weight = down[row][:, None, None] * across[column][:, None]
        self.sum[y : y + self.grid.tile, x : x + self.grid.tile] += weight * tile

    def picture(self) -> Pixels:
        """Give the blended picture (H, W, C)."""
        return self.sum[: self.grid.height, : self.grid.width]


def cut(picture: Pixels, grid: TileGrid, indices: range) -> Pixels:
    """Cut tiles (T, tile, tile, C) from a picture that is `padded`."""
    origins = grid.origins
    tiles = (picture[y : y + grid.tile, x : x + grid.tile] for y, x in (origins[i] for i in indices))
    return np.stack(list(tiles))
