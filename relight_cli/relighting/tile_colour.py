"""Make the colours of tiles agree with each other and with a pass over a smaller copy of the picture.

The network estimates the light of each tile from that tile alone; CroCoDiLight's authors name this as the main limit of
their shadow removal (section 5). Here a tile keeps only the detail that the copy cannot show. Everything coarser is the
mean of the pass over the copy, which sees the whole picture, and of the blended tiles, which see it at full size.
Measured on rendered scenes of 2000 x 1500 (`tiny`), this mean is nearer the truth than either alone.
"""

import itertools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.rows import streamed_rows
from relight_cli.relighting.guided import upsample_rows
from relight_cli.relighting.tiles import TileGrid, blend_tiles

Stops = NDArray[np.float32]  # (h, w, 3)

FINEST = 64  # the blur is at least a 64th of a tile's side wide, however large the copy is


class ColourAgreement:
    """Corrections of tiles by a pass over a smaller copy of the picture."""

    def __init__(self, grid: TileGrid, coarse: Stops) -> None:
        """Take the log gains (h, w, 3) of the pass."""
        self.grid, self.coarse = grid, coarse
        self.sigma = max(grid.tile / FINEST, grid.height / coarse.shape[0], grid.width / coarse.shape[1])  # of the blur

    def corrections(self, tiles: Iterable[Stops]) -> Iterator[Stops]:
        """Yield the correction to add to each tile's log gains (S, S, 3); `tiles` holds all tiles in the grid's order.

        A correction needs the row of tiles below its tile.
        """
        grid = self.grid
        tiles, seen = itertools.tee(tiles)
        blended = streamed_rows((grid.height, grid.width, 3), blend_tiles(grid, seen, 3))
        for top in grid.rows:
            count = min(grid.tile, grid.height - top)
            agreed = upsample_rows(self.coarse, grid.height, grid.width, top, count)
            agreed += blended[slice(top, top + count)]
            agreed /= 2
            for left, tile in zip(grid.columns, tiles):  # noqa: B905  `tiles` continues with the rows below
                yield self._correction(tile, agreed[:, left : left + grid.tile])

    def _correction(self, stops: Stops, agreed: Stops) -> Stops:
        height, width = agreed.shape[:2]
        correction = np.zeros_like(stops)
        difference = agreed - stops[:height, :width]
        correction[:height, :width] = cv2.GaussianBlur(difference, (0, 0), self.sigma, borderType=cv2.BORDER_REFLECT)
        return correction
