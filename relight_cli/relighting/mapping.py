"""Deshadow and albedo: a picture under its own illumination latents, mapped (CroCoDiLight section 4)."""

from torch import Tensor

from relight_cli.models.interface import RelightingModel
from relight_cli.relighting.light_change import ChangeOptions, Picture, Progress, TileOptions, change_light
from relight_cli.relighting.tiles import TileGrid


def map_light(
    model: RelightingModel,
    picture: Picture,
    mapper: str,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Progress = lambda done: None,
) -> Picture:
    """Give the picture (H, W, 3) without shadows (mapper `shadow`) or without light (`albedo`), as `change_light`."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return model.map_illumination(mapper, intrinsic, own)

    return change_light(model, picture, target, change, tiling, progress)
