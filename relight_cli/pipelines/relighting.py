"""Relight a picture by a reference (CroCoDiLight section 4)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.imaging.tiles import TileGrid, batches, padded
from relight_cli.models.interface import RelightingModel
from relight_cli.pipelines.light_change import (
    ChangeOptions,
    Picture,
    Progress,
    TileOptions,
    change_light,
    load_tiles,
)


@dataclass(frozen=True)
class ReferenceLight:
    """The illumination latents of a reference, one per tile of its own grid."""

    grid: TileGrid
    latents: Tensor  # (T, 1, C), on the CPU


@torch.inference_mode()
def encode_light(
    model: RelightingModel, reference: Picture, tiling: TileOptions, progress: Progress = lambda done: None
) -> ReferenceLight:
    """Take the illumination latents from a reference (H, W, 3); once for all pictures that it lights."""
    grid = TileGrid(reference.shape[0], reference.shape[1], model.tile_size, tiling.overlap)
    source, latents = padded(reference, grid.tile), []
    for indices in batches(grid, tiling.batch):
        latents.append(model.delight(model.encode(load_tiles(source, grid, indices, tiling.device)))[1].cpu())
        progress(len(indices))
    return ReferenceLight(grid, torch.cat(latents))


def relight(
    model: RelightingModel,
    picture: Picture,
    light: ReferenceLight,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Progress = lambda done: None,
) -> Picture:
    """Give the picture (H, W, 3) in the reference's light, sRGB-encoded, not clipped."""
    if change.detail and change.strength == 0:
        return picture
    latents = fit_light(light, TileGrid(picture.shape[0], picture.shape[1], model.tile_size, tiling.overlap)).to(
        tiling.device
    )

    def target(indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return latents[indices.start : indices.stop]

    return change_light(model, picture, target, change, tiling, progress)


def fit_light(light: ReferenceLight, grid: TileGrid) -> Tensor:
    """Give an illumination latent (T, 1, C) for every tile of a grid from a reference's own.

    A reference of the same size has the same grid: tile for tile, as published. Any other is seen as the same view in
    another frame: a tile takes the latents at its relative place, linearly interpolated between the centres of the
    reference's tiles, or averaged where the reference has more of them. Latents are mixed, never the reference's
    pixels stretched, since an illumination latent describes a tile at its own scale and stays meaningful when mixed
    (section 4.3), while a tile of a stretched picture is blurred as no photo is.
    """
    if light.grid == grid:
        return light.latents
    rows = interpolation(_centres(light.grid.rows, light.grid), _centres(grid.rows, grid))
    columns = interpolation(_centres(light.grid.columns, light.grid), _centres(grid.columns, grid))
    field = light.latents.unflatten(0, (len(light.grid.rows), len(light.grid.columns)))
    fitted = torch.einsum("yr,xc,rcld->yxld", torch.from_numpy(rows).float(), torch.from_numpy(columns).float(), field)
    return fitted.flatten(0, 1)


def _centres(first: list[int], grid: TileGrid) -> NDArray[np.float64]:
    """Give the tiles' centres along one side, 0 to 1 from the first tile's edge to the last one's."""
    return (np.array(first) + grid.tile / 2) / (first[-1] + grid.tile)


def interpolation(known: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights (wanted, known) of linear interpolation from known to wanted places, rows summing to one.

    The tent is as wide as the coarser of the two spacings, so that finer knowledge is averaged, not skipped; beyond the
    outermost known place that one holds.
    """
    if len(known) == 1:
        return np.ones((len(wanted), 1))
    spacing = max(np.diff(known).max(), np.diff(wanted).max(initial=0.0) if len(wanted) > 1 else 1.0)
    places = wanted.clip(known[0], known[-1])
    weights = (1 - np.abs(places[:, None] - known) / spacing).clip(min=0)
    return weights / weights.sum(axis=1, keepdims=True)
