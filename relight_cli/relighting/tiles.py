"""The tile grid of CroCoDiLight and how tiles are blended (supplement: 448 x 448 tiles, overlap 0.2, linear ramps)."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.rasters.rows import Raster

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class TileGrid:
    """The positions of a picture's tiles. A picture smaller than a tile is padded to one, and cropped afterwards."""

    height: int
    width: int
    tile: int = 448
    overlap: float = 0.2
    align: int = 1  # the sides are padded to multiples of it; see `aligned_to`

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or not 0 <= self.overlap <= 0.5:
            raise ValueError(f"no tile grid for {self.width} x {self.height} with overlap {self.overlap}")

    def aligned_to(self, align: int) -> "TileGrid":
        """Return the grid with tiles that begin at multiples of `align`, a divisor of theirs; they may overlap more."""
        step = max(int(self.tile * (1 - self.overlap)) // align, math.ceil(self.tile / 2 / align)) * align
        return TileGrid(self.height, self.width, self.tile, 1 - step / self.tile, align)

    @cached_property
    def padded(self) -> tuple[int, int]:
        """Height and width of the picture with its padding."""
        height, width = (
            max(self.tile, math.ceil(side / self.align) * self.align) for side in (self.height, self.width)
        )
        return height, width

    @cached_property
    def rows(self) -> list[int]:
        """First row of each row of tiles."""
        return tile_starts(self.padded[0], self.tile, self.overlap)

    @cached_property
    def columns(self) -> list[int]:
        """First column of each column of tiles."""
        return tile_starts(self.padded[1], self.tile, self.overlap)

    @property
    def origins(self) -> list[tuple[int, int]]:
        """First row and column of every tile, row-major."""
        return [(y, x) for y in self.rows for x in self.columns]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    @cached_property
    def weights(self) -> tuple[list[Pixels], list[Pixels]]:
        """Blend weights along the height of each row of tiles and along the width of each column of tiles."""
        return tuple(blend_ramps(s, self.tile, self.overlap) for s in (self.rows, self.columns))  # type: ignore[return-value]


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Return the first pixel of each tile along one side; the last tile is moved back to end at the edge."""
    if length <= tile:
        return [0]
    stride = int(round(tile * (1 - overlap), 6))
    return [*range(0, length - tile, stride), length - tile]


def blend_ramps(starts: list[int], tile: int, overlap: float) -> list[Pixels]:
    """Return each tile's blend weights (tile,) along one side; over the picture they sum to one.

    A ramp runs from 0 to 1, ends included, over the overlap of the grid, and only towards a neighbour. If the last tile
    overlaps its neighbour more, its weight is 0 before the ramp; if there are only two tiles, the ramp is as long as
    their overlap.
    """
    weights = [np.ones(tile, np.float32) for _ in starts]
    for i, (here, after) in enumerate(itertools.pairwise(starts)):
        shared = here + tile - after
        ramp = shared if len(starts) == 2 else min(shared, math.ceil(tile * overlap))
        up = np.linspace(0, 1, ramp, dtype=np.float32) if ramp > 1 else np.zeros(ramp, np.float32)
        weights[i + 1][: shared - ramp] = 0
        weights[i + 1][shared - ramp : shared] = up
        weights[i][tile - ramp :] = 1 - up
    return weights


def pad_picture(picture: Pixels, height: int, width: int) -> Pixels:
    """Pad a picture (H, W, C) to a least size downwards and to the right: reflect once, then replicate."""
    for axis, least in enumerate((height, width)):
        length = picture.shape[axis]
        mirrored = np.maximum(2 * length - 2 - np.arange(length, least), 0)
        if len(mirrored):
            picture = np.concatenate((picture, picture.take(mirrored, axis)), axis)
    return picture


def batches(grid: TileGrid, size: int) -> Iterator[range]:
    """Yield the indices of tiles in batches of at most `size`."""
    for start in range(0, len(grid), size):
        yield range(start, min(start + size, len(grid)))


def cut_tiles(picture: Raster, grid: TileGrid, size: int) -> Iterator[tuple[range, Pixels]]:
    """Yield indices of tiles and the tiles (T, tile, tile, C), at most `size` at a time; keep one row of tiles."""
    columns, held, band = len(grid.columns), -1, np.empty(0, np.float32)
    for indices in batches(grid, size):
        tiles = np.empty((len(indices), grid.tile, grid.tile, picture.shape[2]), np.float32)
        for tile, index in zip(tiles, indices, strict=True):
            row, column = divmod(index, columns)
            if row != held:
                top = grid.rows[row]
                own = picture[slice(top, min(top + grid.tile, grid.height))]
                held, band = row, pad_picture(own, grid.tile, grid.padded[1])
            left = grid.columns[column]
            tile[...] = band[:, left : left + grid.tile]
        yield indices, tiles


def blend_tiles(grid: TileGrid, tiles: Iterable[Pixels], channels: int) -> Iterator[Pixels]:
    """Yield the picture blended from tiles (tile, tile, C) in the grid's order, in bands (n, W, C) from the top.

    A band ends where the next row of tiles begins.
    """
    size, columns = grid.tile, len(grid.columns)
    sums = np.zeros((size, max(grid.width, size), channels), np.float32)
    down, across = ([torch.from_numpy(w) for w in weights] for weights in grid.weights)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left = grid.columns[column]
        place = torch.from_numpy(sums[:, left : left + size])
        weight = down[row][:, None, None] * across[column][:, None]
        place.addcmul_(torch.from_numpy(tile), weight)
        if column == columns - 1:
            top, following = grid.rows[row], [*grid.rows, grid.height][row + 1]
            yield sums[: following - top, : grid.width].copy()
            sums[: size - (following - top)] = sums[following - top :]
            sums[size - (following - top) :] = 0


def stitch_tiles(grid: TileGrid, tiles: Iterable[Pixels], channels: int = 3) -> Pixels:
    """Return the whole picture (H, W, C) blended from tiles (tile, tile, C) in the grid's order."""
    return np.concatenate(list(blend_tiles(grid, tiles, channels)))
