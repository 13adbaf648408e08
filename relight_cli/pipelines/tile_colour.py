"""Bring the colours of tiles into agreement with a pass over a smaller copy of the whole picture.

Each tile sees only itself and settles alone on what the light is; CroCoDiLight's authors blame most of what their
shadow removal lacks on that (section 5). Here a tile keeps to itself only what the copy cannot show: all that is
coarser than a pixel of that is taken from the pass.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.imaging.guided import enlarged_rows
from relight_cli.imaging.tiles import TileGrid

Stops = NDArray[np.float32]  # (h, w, 3)

FINEST = 64  # of a tile's side: the pass is believed from a 64th on, however large its copy is


class TileColour:
    """What a pass over a smaller copy says of the tiles."""

    def __init__(self, grid: TileGrid, whole: Stops) -> None:
        """Take the log gains (h, w, 3) of the pass."""
        self.grid, self.whole = grid, whole
        self.reach = max(grid.tile / FINEST, grid.height / whole.shape[0], grid.width / whole.shape[1])

    def correction(self, index: int, stops: Stops) -> Stops:
        """Give what has to be added to the log gains (S, S, 3) of the tile of this index, in the grid's order."""
        grid, (row, column) = self.grid, divmod(index, len(self.grid.columns))
        if column == 0:
            side = min(grid.tile, grid.height)
            self._expected = enlarged_rows(self.whole, grid.height, grid.width, grid.rows[row], side)
        expected = self._expected[:, grid.columns[column] :][:, : grid.tile]
        height, width = expected.shape[:2]
        added = np.zeros_like(stops)
        away = expected - stops[:height, :width]
        added[:height, :width] = cv2.GaussianBlur(away, (0, 0), self.reach, borderType=cv2.BORDER_REFLECT)
        return added
