"""Change the light of a picture tile by tile; what the light is changed to is the caller's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.imaging.gain import apply_gain, log_gain
from relight_cli.imaging.guided import guided
from relight_cli.imaging.resizing import resized, within
from relight_cli.imaging.tiles import Blend, TileGrid, batches, cut, padded
from relight_cli.models.interface import RelightingModel
from relight_cli.pipelines.tile_colour import TileColour

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
Target = Callable[[TileGrid, range, Tensor, Tensor], Tensor]
"""From a grid, some tiles' indices, intrinsic latents and own illumination latents to the illumination latents wanted.
"""
NOTHING = np.empty((0, 0, 0, 0), np.float32)
Progress = Callable[[int], None]
"""Called with the number of tiles that are done since the last call."""


@dataclass(frozen=True)
class TileOptions:
    """How a picture goes through the network."""

    overlap: float = 0.2  # share of a tile that it has in common with its neighbour
    batch: int = 2  # tiles at a time on the device
    device: str = "cpu"  # the network's
    max_side: int = 0  # longer side of the copy that the network sees where the gain is all that is wanted; 0: any
    agree: bool = False  # bring the tiles' colours into agreement


@dataclass(frozen=True)
class ChangeOptions:
    """How much of the change of light, and onto what."""

    strength: float = 1.0  # 0: the picture's own illumination latent, 1: the target, up to 1.5
    detail: bool = True  # apply the change as a gain to the picture's own pixels; else the decoder's raw output


def tile_grid(model: RelightingModel, picture: Picture, change: ChangeOptions, tiling: TileOptions) -> TileGrid:
    """Give the grid of the copy of a picture that goes through the network."""
    height, width = within(picture.shape[0], picture.shape[1], tiling.max_side if change.detail else 0)
    return TileGrid(height, width, model.tile_size, tiling.overlap)


def load_tiles(picture: Picture, grid: TileGrid, indices: range, device: str) -> Tensor:
    """Put tiles of a `padded` picture on the device, (T, 3, S, S), clipped to [0, 1]; what is no number is black."""
    tiles = torch.from_numpy(cut(picture, grid, indices)).to(device)
    return tiles.permute(0, 3, 1, 2).nan_to_num(nan=0.0).clamp(0, 1)


def tile_count(model: RelightingModel, picture: Picture, change: ChangeOptions, tiling: TileOptions) -> int:
    """Tell how many tiles go through the network."""
    grid = tile_grid(model, picture, change, tiling)
    return len(grid) + (tiling.agree and len(grid) > 1)


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
    grid = tile_grid(model, picture, change, tiling)
    working = resized(picture, grid.height, grid.width)
    run = TileRun(model, target, change, tiling, progress)
    colour = None
    if tiling.agree and len(grid) > 1:
        small = resized(working, *within(grid.height, grid.width, grid.tile))
        colour = TileColour(grid, run.stops(small, TileGrid(small.shape[0], small.shape[1], grid.tile)))
    if not change.detail:
        return run.pictures(working, grid, colour)
    stops = run.stops(working, grid, colour)
    if working.shape == picture.shape:
        return apply_gain(picture, lambda rows: stops[rows])
    gain = guided(stops, working)
    return apply_gain(picture, lambda rows: gain.rows(picture[rows], rows.start, len(picture)))


@dataclass(frozen=True)
class TileRun:
    """A change of light, tile by tile."""

    model: RelightingModel
    target: Target
    change: ChangeOptions
    tiling: TileOptions
    progress: Progress

    def stops(self, picture: Picture, grid: TileGrid, colour: TileColour | None = None) -> Picture:
        """Give the blended log gains (H, W, 3) of a picture."""
        blend = Blend(grid, channels=3)
        for indices, stops, _ in self._tiles(picture, grid, gains=True, decoded=False):
            self._gather(indices, stops, blend, colour)
        if colour:
            colour.correct(blend.picture())
        return blend.picture()

    def pictures(self, picture: Picture, grid: TileGrid, colour: TileColour | None = None) -> Picture:
        """Give the decoder's blended output; colours that agree are a gain on that."""
        blend, correction = Blend(grid, channels=3), np.zeros((grid.height, grid.width, 3), np.float32)
        for indices, stops, decoded in self._tiles(picture, grid, gains=colour is not None, decoded=True):
            self._gather(indices, decoded, blend)
            if colour:
                for index, tile in zip(indices, stops, strict=True):
                    colour.add(index, tile)
        if not colour:
            return blend.picture()
        colour.correct(correction)
        return apply_gain(blend.picture(), lambda rows: correction[rows])

    @staticmethod
    def _gather(indices: range, tiles: Picture, blend: Blend, colour: TileColour | None = None) -> None:
        for index, tile in zip(indices, tiles, strict=True):
            blend.add(index, tile)
            if colour:
                colour.add(index, tile)

    def _tiles(
        self, picture: Picture, grid: TileGrid, *, gains: bool, decoded: bool
    ) -> Iterator[tuple[range, Picture, Picture]]:
        """Give tiles' indices, their log gains and the decoder's output (T, S, S, 3), empty where not wanted."""
        model, source = self.model, padded(picture, grid.tile)
        for indices in batches(grid, self.tiling.batch):
            intrinsic, own = model.delight(model.encode(load_tiles(source, grid, indices, self.tiling.device)))
            wanted = torch.lerp(own, self.target(grid, indices, intrinsic, own).to(own), self.change.strength)
            if gains:
                latents = model.relight(torch.cat((intrinsic, intrinsic)), torch.cat((wanted, own)))
                relit, reconstructed = model.decode(latents).chunk(2)
                stops = as_tiles(log_gain(relit, reconstructed))
            else:
                relit, stops = model.decode(model.relight(intrinsic, wanted)), NOTHING
            yield indices, stops, as_tiles(relit) if decoded else NOTHING
            self.progress(len(indices))


def as_tiles(batch: Tensor) -> Picture:
    """Give a batch (T, C, S, S) as (T, S, S, C) on the CPU."""
    return batch.permute(0, 2, 3, 1).float().cpu().numpy()
