"""Change the light of a picture tile by tile; what the light is changed to is the caller's."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.imaging.gain import apply_gain, log_gain
from relight_cli.imaging.tiles import Blend, TileGrid, batches, cut, padded
from relight_cli.models.interface import RelightingModel

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
Target = Callable[[range, Tensor, Tensor], Tensor]
"""From tiles' indices, intrinsic latents and own illumination latents to the illumination latents wanted."""
Progress = Callable[[int], None]
"""Called with the number of tiles that are done since the last call."""


@dataclass(frozen=True)
class TileOptions:
    """How a picture goes through the network."""

    overlap: float = 0.2  # share of a tile that it has in common with its neighbour
    batch: int = 2  # tiles at a time on the device
    device: str = "cpu"  # the network's


@dataclass(frozen=True)
class ChangeOptions:
    """How much of the change of light, and onto what."""

    strength: float = 1.0  # 0: the picture's own illumination latent, 1: the target, up to 1.5
    detail: bool = True  # apply the change as a gain to the picture's own pixels; else the decoder's raw output


def load_tiles(picture: Picture, grid: TileGrid, indices: range, device: str) -> Tensor:
    """Put tiles of a `padded` picture on the device, (T, 3, S, S), clipped to [0, 1]; what is no number is black."""
    tiles = torch.from_numpy(cut(picture, grid, indices)).to(device)
    return tiles.permute(0, 3, 1, 2).nan_to_num(nan=0.0).clamp(0, 1)


@torch.inference_mode()
def change_light(
    model: RelightingModel,
    picture: Picture,
    target: Target,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Progress = lambda done: None,
) -> Picture:
    """Give the picture under the light that `target` chooses for each tile, of the same shape, not clipped.

    With `detail` each tile's log gain is relit against reconstructed, both through the same latents and decoder
    (CroCoDiLight loses fine detail, section 5); gains are blended, then applied to the picture once.
    """
    height, width = picture.shape[:2]
    grid = TileGrid(height, width, model.tile_size, tiling.overlap)
    blend, source = Blend(grid, channels=3), padded(picture, grid.tile)
    for indices in batches(grid, tiling.batch):
        intrinsic, own = model.delight(model.encode(load_tiles(source, grid, indices, tiling.device)))
        wanted = torch.lerp(own, target(indices, intrinsic, own).to(own), change.strength)
        if change.detail:
            latents = model.relight(torch.cat((intrinsic, intrinsic)), torch.cat((wanted, own)))
            tiles = log_gain(*model.decode(latents).chunk(2))
        else:
            tiles = model.decode(model.relight(intrinsic, wanted))
        for index, tile in zip(indices, tiles.permute(0, 2, 3, 1).float().cpu().numpy(), strict=True):
            blend.add(index, tile)
        progress(len(indices))
    return apply_gain(picture, blend.picture()) if change.detail else blend.picture()
