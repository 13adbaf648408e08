"""Blend what tiles tell before a decoder sees it: values and maps of tiles become maps of a window."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.interface import TileBlock


@dataclass(frozen=True)
class Blend:
    """How values and maps of a block's tiles become maps of its window."""

    tiles: TileBlock

    def values(self, values: Tensor, size: Sequence[int]) -> Tensor:
        """Return values (T, C) of tiles, blended from one to the next, as maps (1, C, h, w)."""
        down, across = self._shares(values, size)
        return torch.einsum("rkc,rh,kw->chw", values.unflatten(0, (len(down), len(across))), down, across)[None]

    def maps(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Return maps (T, C, n, n) of tiles, blended where they overlap, as maps (1, C, h, w)."""
        down, across = self._shares(maps, size)
        side, stride = maps.shape[-1], self.tiles.down.shape[1] // size[0]
        out = maps.new_zeros(1, maps.shape[1], *size)
        for row, top in enumerate(self.tiles.top):
            y, within_y = _overlap(top // stride, side, size[0])
            for column, left in enumerate(self.tiles.left):
                x, within_x = _overlap(left // stride, side, size[1])
                share = down[row, y, None] * across[column, x]
                out[0, :, y, x] += maps[row * len(across) + column, :, within_y, within_x] * share
        return out

    def _shares(self, like: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the shares of rows (R, h) and of columns (K, w) of tiles."""
        shares = ((self.tiles.down, size[0]), (self.tiles.across, size[1]))
        down, across = (F.adaptive_avg_pool1d(share.to(like), cells) for share, cells in shares)
        return down, across


def _overlap(first: int, length: int, size: int) -> tuple[slice, slice]:
    """Return where `length` cells from `first` on lie within `size` cells, and which of them do."""
    inside = slice(max(0, first), min(size, first + length))
    return inside, slice(inside.start - first, inside.stop - first)


@dataclass(frozen=True)
class BlendedLatents:
    """Illumination latents (T, 1, L) of tiles that modulate a window's maps."""

    latents: Tensor
    blend: Blend
