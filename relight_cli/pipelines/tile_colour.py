"""Bring the colours of tiles into agreement: one offset of log gain a tile and channel.

Each tile sees only itself and settles alone on what the light is; CroCoDiLight's authors blame most of what their
shadow removal lacks on that (section 5). Here neighbours are asked to agree where they overlap, and all of them with
one pass over the whole picture, scaled to a single tile.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relight_cli.imaging.guided import enlarged_rows
from relight_cli.imaging.rows import Rows
from relight_cli.imaging.tiles import TileGrid

Stops = NDArray[np.float32]  # (h, w, 3)

ANCHOR = 0.1  # weight of the pass over the whole picture, against 1 of the overlaps


class TileColour:
    """What is gathered of tiles' log gains, and the offsets that follow."""

    def __init__(self, grid: TileGrid, whole: Stops) -> None:
        self.grid, self.whole = grid, whole
        self.rows, self.columns = len(grid.rows), len(grid.columns)
        self.seen = 0
        self.away = np.zeros((len(grid), 3))  # mean by which a tile is above the pass over the whole picture
        self.seams: dict[tuple[int, int], NDArray[np.float64]] = {}  # of pairs: mean by which the first is above

    def see(self, stops: Stops) -> Stops:
        """Gather the next tile's (S, S, 3), in the grid's order, and give it back."""
        grid, (row, column) = self.grid, divmod(self.seen, self.columns)
        y, x = grid.rows[row], grid.columns[column]
        height, width = (min(grid.tile, n) for n in (grid.height, grid.width))
        if column == 0:
            self._expected = enlarged_rows(self.whole, grid.height, grid.width, y, height)
        inside = stops[:height, :width]
        self.away[self.seen] = (inside - self._expected[:, x : x + width]).mean((0, 1), dtype=np.float64)
        for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            r, c = row + down, column + across
            if 0 <= r < self.rows and 0 <= c < self.columns:
                dy, dx = grid.rows[r] - y, grid.columns[c] - x
                shared = inside[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
                other = r * self.columns + c
                pair, sign = ((self.seen, other), 1) if self.seen < other else ((other, self.seen), -1)
                self.seams[pair] = self.seams.get(pair, np.zeros(3)) + sign * shared.mean((0, 1), dtype=np.float64)
        self.seen += 1
        return stops

    def offsets(self) -> NDArray[np.float64]:
        """Solve for the offsets (T, 3), in stops, by least squares over the overlaps and the whole picture."""
        count = len(self.grid)
        matrix, wanted = ANCHOR * np.eye(count), -ANCHOR * self.away
        for (first, second), step in self.seams.items():
            matrix[[first, second], [first, second]] += 1
            matrix[[first, second], [second, first]] -= 1
            wanted[first] -= step
            wanted[second] += step
        return np.asarray(np.linalg.solve(matrix, wanted), np.float64)

    def correction(self) -> "Correction":
        """Give the offsets as a picture (H, W, 3) of stops, blended as the tiles are."""
        offsets = self.offsets().reshape(self.rows, self.columns, 3).astype(np.float32)
        sides = (self.grid.rows, self.grid.columns), self.grid.weights, (self.grid.height, self.grid.width)
        down, across = (placed(first, weights, length) for first, weights, length in zip(*sides, strict=True))
        return Correction(down, np.einsum("rcn,cx->rxn", offsets, across))


@dataclass(frozen=True)
class Correction:
    """Offsets of tiles, blended as the tiles are; its rows are made when asked for."""

    down: Stops  # weights of the rows of tiles, (R, H)
    along: Stops  # offsets along each row of tiles, (R, W, 3)

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return (self.down.shape[1], *self.along.shape[1:])

    def __getitem__(self, rows: slice, /) -> Stops:
        """Give rows of it."""
        return np.tensordot(self.down[:, rows].T, self.along, 1)


@dataclass(frozen=True)
class Sum:
    """Two pictures, one added to the other."""

    first: Rows
    second: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return self.first.shape

    def __getitem__(self, rows: slice, /) -> Stops:
        """Give rows of it."""
        return self.first[rows] + self.second[rows]


def placed(first: list[int], weights: list[Stops], length: int) -> Stops:
    """Lay the blend weights of tiles along one side, (tiles, length)."""
    laid = np.zeros((len(first), length), np.float32)
    for line, start, weight in zip(laid, first, weights, strict=True):
        line[start : start + len(weight)] = weight[: length - start]
    return laid
