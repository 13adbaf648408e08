"""Relight a picture by a reference (CroCoDiLight section 4)."""

from collections.abc import Callable

import torch
from torch import Tensor

from relight_cli.models.interface import RelightingModel
from relight_cli.rasters.resizing import Resized
from relight_cli.relighting.light_change import (
    ChangeOptions,
    Picture,
    Progress,
    TileOptions,
    change_light,
    loaded_tiles,
)
from relight_cli.relighting.tiles import TileGrid

SIZES_KEPT = 8  # sizes of pictures whose latents are kept, so that memory does not grow with a batch


class ReferenceLight:
    """The illumination latents of a reference, for pictures of any size.

    A reference of the picture's size lights it tile by tile, as published. Any other is resized to the picture's size
    first, as the same view in another frame. Its own latents could be carried over instead, interpolated by relative
    place; but an illumination latent holds where in its tile the light falls, so a tile lit by a larger or a smaller
    one's latent shows the wrong pattern. Measured with an early `tiny` on 14 real shots whose reference was halved, the
    carried latents gained 0.2 dB over the untouched photo and the resized reference 3.0.

    A reference is encoded once for every size of picture: once for a batch from one camera.
    """

    def __init__(self, model: RelightingModel, reference: Picture | Callable[[], Picture], tiling: TileOptions) -> None:
        """Take the reference, or what gives it whenever it is to be encoded, so that it need not be held meanwhile."""
        self.model, self.reference, self.tiling = model, reference, tiling
        self._latents: dict[TileGrid, Tensor] = {}

    def tiles_to_encode(self, grid: TileGrid) -> int:
        """Tell how many tiles `latents` would have to encode for this grid."""
        return 0 if grid in self._latents else len(grid)

    @torch.inference_mode()
    def latents(self, grid: TileGrid, progress: Progress = lambda done: None) -> Tensor:
        """Give the illumination latent of each tile of a grid, (T, 1, C) on the CPU."""
        if grid not in self._latents:
            encoded = []
            reference = self.reference() if callable(self.reference) else self.reference
            view = Resized(reference, grid.height, grid.width)
            for indices, tiles in loaded_tiles(view, grid, self.tiling):
                encoded.append(self.model.delight(self.model.encode(tiles))[1].cpu())
                progress(len(indices))
            if len(self._latents) == SIZES_KEPT:
                self._latents.pop(next(iter(self._latents)))
            self._latents[grid] = torch.cat(encoded)
        self._latents[grid] = self._latents.pop(grid)  # the last used stands last
        return self._latents[grid]


def relight(
    model: RelightingModel,
    picture: Picture,
    light: ReferenceLight,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Progress = lambda done: None,
) -> Picture:
    """Give the picture (H, W, 3) in the reference's light, sRGB-encoded, not clipped, as `change_light` does."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return model.lend(light.latents(grid, progress)[indices.start : indices.stop].to(own), own)

    return change_light(model, picture, target, change, tiling, progress)
