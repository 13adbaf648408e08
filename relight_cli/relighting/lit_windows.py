"""Light a picture by its tiles' latents without tiles in the result: windows of it are decoded under blended light.

Each tile tells its light, as published (CroCoDiLight, section 4). The decoder sees windows larger than tiles, in which
light passes smoothly from tile to tile. Windows see more than their own pixels, so that they agree without blending.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.interface import RelightingModel, TileBlock, WholeViews
from relight_cli.rasters.rows import Raster, streamed_rows
from relight_cli.relighting.gain import change_gain
from relight_cli.relighting.light_change import channels_last, load_tiles, seen_copy, tile_grid, with_gains
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.tiles import TileGrid, pad_picture

Pixels = NDArray[np.float32]
Target = Callable[[range, Tensor], Tensor]
"""Takes indices of tiles and their illumination latents (T, 1, C); returns the illumination latents to use."""

WINDOW = 512  # pixels along a side that are lit at a time
HALO = 64  # pixels more on each side that the decoder sees; with them gains are within .003 stops of one window's


def window_views(network: RelightingModel, change: ChangeOptions) -> WholeViews | None:
    """Return the part of a network that lights windows; None where tiles do it, as for the decoder's raw output."""
    return network.whole_views if change.detail else None


def light_grid(network: RelightingModel, picture: Raster, change: ChangeOptions, tiling: TileOptions) -> TileGrid:
    """Return the grid of the tiles that tell the light of a picture, and of a reference for it."""
    grid, views = tile_grid(network, picture, change, tiling), window_views(network, change)
    return grid.aligned_to(views.stride) if views else grid


def decoded_share(overlap: float) -> float:
    """Return the pixels of windows, halos included, for each pixel of the tiles of a large picture."""
    return ((1 - overlap) * (WINDOW + 2 * HALO) / WINDOW) ** 2


def light_windows(
    views: WholeViews,
    picture: Raster,
    grid: TileGrid,
    target: Target,
    strength: float,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) in the light that `target` chooses for each tile of its grid, not clipped.

    Rows are computed when they are read; see `change_light`. `progress` counts the tiles of finished windows.
    """
    working = seen_copy(picture, grid)
    run = WindowRun(views, target, strength, tiling, progress)
    return with_gains(picture, working, streamed_rows(working.shape, run.log_gains(working, grid)))


class _Seen(NamedTuple):
    """What is known of one tile."""

    intrinsic: Tensor  # (C', n, n)
    own: Tensor  # (1, C''), its illumination latent
    wanted: Tensor


class _Span(NamedTuple):
    """A window along one side of the picture."""

    first: int
    end: int
    seen_first: int  # with its halo
    seen_end: int


@dataclass(frozen=True)
class WindowRun:
    """A change of light, window by window."""

    views: WholeViews
    target: Target
    strength: float
    tiling: TileOptions
    progress: Callable[[int], None]

    def log_gains(self, picture: Raster, grid: TileGrid) -> Iterator[Pixels]:
        """Yield the log gains of an sRGB picture (H, W, 3) in bands (n, W, 3), given its grid, aligned.

        Only the tiles of a row of windows are held.
        """
        columns = _spans(grid.width, grid.padded[1])
        tiles = enumerate(self._rows_of_tiles(picture, grid))
        held: dict[int, list[_Seen]] = {}
        for row in _spans(grid.height, grid.padded[0]):
            touched = _touched(grid.rows, grid.tile, row)
            held = {number: seen for number, seen in held.items() if number in touched}
            added = dict(islice(tiles, len(touched) - len(held)))
            held |= added
            of_window = partial(self._gain, grid, held, self._band(picture, grid, row), row)
            gains = np.concatenate(list(in_order(of_window, columns, self.tiling.workers)), axis=1)
            self.progress(len(added) * len(grid.columns))
            yield gains

    @torch.inference_mode()
    def _gain(self, grid: TileGrid, held: dict[int, list[_Seen]], band: Tensor, row: _Span, column: _Span) -> Pixels:
        """Return the log gain (h, w, 3) of a window, without its halo."""
        window = band[..., column.seen_first : column.seen_end]
        block, wanted = _block(grid, row, column, held)
        gain = channels_last(change_gain(self.views.relit(window, block, wanted), window))[0]
        top, left = row.first - row.seen_first, column.first - column.seen_first
        return gain[top : top + row.end - row.first, left : left + column.end - column.first]

    def _rows_of_tiles(self, picture: Raster, grid: TileGrid) -> Iterator[list[_Seen]]:
        """Yield what is known of the tiles of each row of the grid."""

        @torch.inference_mode()
        def see(batch: tuple[range, Tensor]) -> list[_Seen]:
            indices, tiles = batch
            intrinsic, own = self.views.see_tiles(tiles)
            wanted = torch.lerp(own, self.target(indices, own).to(own), self.strength)
            return list(map(_Seen, intrinsic, own, wanted))

        tiles = chain.from_iterable(in_order(see, load_tiles(picture, grid, self.tiling), self.tiling.workers))
        while row := list(islice(tiles, len(grid.columns))):
            yield row

    def _band(self, picture: Raster, grid: TileGrid, row: _Span) -> Tensor:
        """Return the rows that a row of windows sees, (1, 3, n, W) with the padding, in [0, 1]."""
        own = picture[slice(row.seen_first, min(row.seen_end, grid.height))]
        padded = pad_picture(np.asarray(own, np.float32), row.seen_end - row.seen_first, grid.padded[1])
        band = torch.from_numpy(np.ascontiguousarray(padded)).to(self.tiling.device).permute(2, 0, 1)[None]
        return band.nan_to_num(nan=0.0).clamp(0, 1)


def _spans(length: int, padded: int) -> list[_Span]:
    """Return the windows along a side."""
    return [
        _Span(first, min(first + WINDOW, length), max(0, first - HALO), min(first + WINDOW + HALO, padded))
        for first in range(0, length, WINDOW)
    ]


def _touched(starts: list[int], tile: int, span: _Span) -> range:
    """Return the numbers of the rows or columns of tiles that a window sees."""
    numbers = [n for n, start in enumerate(starts) if start < span.seen_end and start + tile > span.seen_first]
    return range(numbers[0], numbers[-1] + 1)


def _block(grid: TileGrid, row: _Span, column: _Span, held: dict[int, list[_Seen]]) -> tuple[TileBlock, Tensor]:
    """Return the tiles that a window sees, and the illumination latents (T, 1, C) to use for them."""
    rows, columns = _touched(grid.rows, grid.tile, row), _touched(grid.columns, grid.tile, column)
    tiles = [held[r][c] for r in rows for c in columns]
    intrinsic, own, wanted = (torch.stack(part) for part in zip(*tiles, strict=True))
    down, across = grid.weights
    block = TileBlock(
        top=[grid.rows[r] - row.seen_first for r in rows],
        left=[grid.columns[c] - column.seen_first for c in columns],
        down=_shares(grid.rows, down, rows, row).to(own),
        across=_shares(grid.columns, across, columns, column).to(own),
        intrinsic=intrinsic,
        own=own,
    )
    return block, wanted


def _shares(starts: list[int], weights: list[Pixels], numbers: range, span: _Span) -> Tensor:
    """Return the blend weights (R, n) of rows or columns of tiles at the pixels that a window sees."""
    shares = np.zeros((len(numbers), span.seen_end - span.seen_first), np.float32)
    for share, number in zip(shares, numbers, strict=True):
        start = starts[number]
        first, end = max(start, span.seen_first), min(start + len(weights[number]), span.seen_end)
        share[first - span.seen_first : end - span.seen_first] = weights[number][first - start : end - start]
    return torch.from_numpy(shares)
