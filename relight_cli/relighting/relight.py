"""Relight a photo by a reference (CroCoDiLight, section 4)."""

from collections.abc import Callable

import torch
from torch import Tensor

from relight_cli.models.interface import Model, RelightingModel
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import resized_rows
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.light_change import ChangeResult, change_light, changed_photo, load_tiles, tile_grid
from relight_cli.relighting.masks import Mask, blend_by_mask, mask_for
from relight_cli.relighting.options import (
    ChangeOptions,
    Progress,
    RelightOptions,
    TileOptions,
    TileProgress,
    change_options,
    tile_options,
)
from relight_cli.relighting.tiles import TileGrid

CACHED_SIZES = 8  # photo sizes whose latents are kept, so that memory does not grow with a batch


class RelightResult(ChangeResult):
    """The result of `relight`."""


class ReferenceLight:
    """The illumination latents of a reference, for photos of any size.

    A reference of the photo's size relights it tile by tile, as published. Any other is resized to the photo's size
    first. Interpolating its latents by relative position would be cheaper, but an illumination latent encodes where in
    its tile the light falls, so a tile of another size shows the wrong pattern. Measured with an early `tiny` on 14
    real shots whose reference was halved: interpolated latents gain 0.2 dB over the untouched photo, the resized
    reference 3.0 dB.

    A reference is encoded once for every photo size: once for a batch from one camera. Threads must not share it.
    """

    def __init__(self, reference: Photo | Callable[[], Photo]) -> None:
        """Take the reference, or a function that returns it each time it is encoded and so saves memory."""
        self._reference = reference
        self._latents: dict[tuple[RelightingModel, TileGrid], Tensor] = {}

    def tiles_to_encode(self, network: RelightingModel, grid: TileGrid) -> int:
        """Return the number of tiles that `latents` has yet to encode for this grid."""
        return 0 if (network, grid) in self._latents else len(grid)

    @torch.inference_mode()
    def latents(
        self, network: RelightingModel, grid: TileGrid, tiling: TileOptions, progress: Callable[[int], None]
    ) -> Tensor:
        """Return the illumination latent of each tile of a grid, (T, 1, C) on the CPU."""
        key = (network, grid)
        if key not in self._latents:
            encoded = []
            reference = self._reference() if callable(self._reference) else self._reference
            view = resized_rows(reference.srgb, grid.height, grid.width)
            for indices, tiles in load_tiles(view, grid, tiling):
                encoded.append(network.delight(network.encode(tiles))[1].cpu())
                progress(len(indices))
            if len(self._latents) == CACHED_SIZES:
                self._latents.pop(next(iter(self._latents)))
            self._latents[key] = torch.cat(encoded)
        self._latents[key] = self._latents.pop(key)  # the most recently used is last
        return self._latents[key]


def relight(
    model: Model,
    photo: Photo,
    light: Photo | ReferenceLight,
    options: RelightOptions = RelightOptions(),
    progress: Progress | None = None,
    mask: Mask | None = None,
) -> RelightResult:
    """Return the photo in the light of a reference, ideally the same view in other light.

    Photo and reference may have any size, bit depth and profile; the result has the photo's. For many photos and one
    reference pass a `ReferenceLight`, which encodes the reference once. `progress(done, total)` counts tiles.
    The network runs in the calling thread, and torch operations release the GIL; several threads may share one model.
    Where the mask is 0, samples stay unchanged. Raises DeviceError if memory runs out, UsageError for a mask of another
    size.
    Source: CroCoDiLight, section 4.
    """
    weights = mask_for(mask, photo)
    reference = light if isinstance(light, ReferenceLight) else ReferenceLight(light)
    network, picture, change = model.network, photo.srgb, change_options(options)
    tiling = tile_options(model, options, network.reference_side)
    grid = tile_grid(network, picture, change, tiling)
    count = TileProgress(progress, reference.tiles_to_encode(network, grid) + len(grid))
    relit = relight_picture(network, picture, reference, change, tiling, count)
    return RelightResult(changed_photo(photo, relit if weights is None else blend_by_mask(weights, picture, relit)))


def relight_picture(
    network: RelightingModel,
    picture: Raster,
    light: ReferenceLight,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB-encoded picture (H, W, 3) in the light of a reference, not clipped; see `change_light`."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        latents = light.latents(network, grid, tiling, progress)
        return network.adapt_illumination(latents[indices.start : indices.stop].to(own), own)

    return change_light(network, picture, target, change, tiling, progress)
