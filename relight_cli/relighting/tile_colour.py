"""Bring the colours of tiles into agreement with each other, and with a pass over a smaller copy of the picture.

Each tile sees only itself and settles alone on what the light is; CroCoDiLight's authors blame most of what their
shadow removal lacks on that (section 5). Here a tile keeps to itself only what the copy cannot show. All that is
coarser is taken from the mean of the pass, which sees the whole picture, and of the tiles put together, which see it
large. Measured on rendered scenes of 2000 x 1500 (`tiny`), that mean is nearer the truth than either alone.
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

FINEST = 64  # of a tile's side: the pass is believed from a 64th on, however large its copy is


class ColourAgreement:
    """What a pass over a smaller copy says of the tiles."""

    def __init__(self, grid: TileGrid, whole: Stops) -> None:
        """Take the log gains (h, w, 3) of the pass."""
        self.grid, self.whole = grid, whole
        self.reach = max(grid.tile / FINEST, grid.height / whole.shape[0], grid.width / whole.shape[1])

    def corrections(self, tiles: Iterable[Stops]) -> Iterator[Stops]:
        """Give what has to be added to the log gains (S, S, 3) of each tile, all of them in the grid's order.

        It needs to have seen the row of tiles below.
        """
        grid = self.grid
        tiles, seen = itertools.tee(tiles)
        together = streamed_rows((grid.height, grid.width, 3), blend_tiles(grid, seen, 3))
        for top in grid.rows:
            count = min(grid.tile, grid.height - top)
            agreed = upsample_rows(self.whole, grid.height, grid.width, top, count)
            agreed += together[slice(top, top + count)]
            agreed /= 2
            for left, tile in zip(grid.columns, tiles):  # noqa: B905  the tiles of the rows below are left
                yield self._correction(tile, agreed[:, left : left + grid.tile])

    def _correction(self, stops: Stops, agreed: Stops) -> Stops:
        height, width = agreed.shape[:2]
        added = np.zeros_like(stops)
        away = agreed - stops[:height, :width]
        added[:height, :width] = cv2.GaussianBlur(away, (0, 0), self.reach, borderType=cv2.BORDER_REFLECT)
        return added
