"""Change the light of a picture tile by tile; what the light is changed to is the caller's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import tee

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.interface import RelightingModel
from relight_cli.rasters.resizing import resized, within
from relight_cli.rasters.rows import Forward, Rows
from relight_cli.relighting.gain import Lit, log_gain, multiplied
from relight_cli.relighting.guided import guided
from relight_cli.relighting.tile_colour import TileColour
from relight_cli.relighting.tiles import TileGrid, blended, cut

Picture = Rows  # (H, W, 3), sRGB-encoded, nominally [0, 1]
Pixels = NDArray[np.float32]  # (n, W, 3) of a picture or a tile
Target = Callable[[TileGrid, range, Tensor, Tensor], Tensor]
"""From a grid, some tiles' indices, intrinsic latents and own illumination latents to the illumination latents wanted.
"""
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


def coarse_grid(model: RelightingModel, grid: TileGrid, tiling: TileOptions) -> TileGrid | None:
    """Give the grid of the smaller copy that tiles are to agree with, if they are asked to and there is one.

    It is as large as the network sees best, else a single tile.
    """
    height, width = within(grid.height, grid.width, model.max_side or grid.tile)
    if not tiling.agree or (height, width) == (grid.height, grid.width):
        return None
    return TileGrid(height, width, grid.tile, grid.overlap)


def tile_count(model: RelightingModel, picture: Picture, change: ChangeOptions, tiling: TileOptions) -> int:
    """Tell how many tiles go through the network."""
    grid = tile_grid(model, picture, change, tiling)
    return len(grid) + len(coarse_grid(model, grid, tiling) or ())


def loaded_tiles(picture: Picture, grid: TileGrid, tiling: TileOptions) -> Iterator[tuple[range, Tensor]]:
    """Yield tiles' indices and the tiles on the device, (T, 3, S, S), clipped to [0, 1]; what is no number is black."""
    for indices, tiles in cut(picture, grid, tiling.batch):
        batch = torch.from_numpy(tiles).to(tiling.device).permute(0, 3, 1, 2)
        yield indices, batch.nan_to_num(nan=0.0).clamp_(0, 1)


def change_light(
    model: RelightingModel,
    picture: Picture,
    target: Target,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Progress = lambda done: None,
) -> Picture:
    """Give the picture under the light that `target` chooses for each tile, of the same shape, not clipped.

    Its rows come as they are read: a photo of any size goes through in bands of tiles. Where the network sees the
    picture itself they come from the top and once (`rows.readable_again`), for it works as they are read.
    With `detail` each tile's log gain is relit against reconstructed, both through the same latents and decoder
    (CroCoDiLight loses fine detail, section 5); gains are blended, then applied to the picture.
    """
    if change.detail and change.strength == 0:
        return picture
    grid = tile_grid(model, picture, change, tiling)
    working: Picture = picture
    if (grid.height, grid.width) != picture.shape[:2]:
        working = resized(picture, grid.height, grid.width)
    run = TileRun(model, target, change, tiling, progress)
    coarse = coarse_grid(model, grid, tiling)
    colour = run.colour(working, grid, coarse) if coarse else None
    if not change.detail:
        return Forward(picture.shape, run.pictures(working, grid, colour))
    stops = Forward(working.shape, run.stops(working, grid, colour))
    if working is picture:
        return Lit(picture, lambda rows, own: stops[rows], once=True)
    gain = guided(stops[slice(0, grid.height)], working[slice(0, grid.height)])
    return Lit(picture, lambda rows, own: gain.rows(own, rows.start, picture.shape[0]))


@dataclass(frozen=True)
class TileRun:
    """A change of light, tile by tile."""

    model: RelightingModel
    target: Target
    change: ChangeOptions
    tiling: TileOptions
    progress: Progress

    def stops(self, picture: Picture, grid: TileGrid, colour: TileColour | None = None) -> Iterator[Pixels]:
        """Yield the blended log gains of a picture in bands (n, W, 3)."""
        tiles: Iterator[Pixels] = (tile for relit, own in self.tiles(picture, grid) for tile in gains(relit, own))
        if colour:
            tiles, seen = tee(tiles)
            tiles = (tile + added for tile, added in zip(tiles, colour.corrections(seen), strict=True))
        return blended(grid, tiles, 3)

    def pictures(self, picture: Picture, grid: TileGrid, colour: TileColour | None = None) -> Iterator[Pixels]:
        """Yield the decoder's blended output in bands (n, W, 3); colours that agree are a gain on a tile's."""
        if not colour:
            return blended(grid, (t for relit, _ in self.tiles(picture, grid, alone=True) for t in as_tiles(relit)), 3)
        both: Iterator[tuple[Pixels, Pixels]] = (
            pair
            for relit, own in self.tiles(picture, grid)
            for pair in zip(as_tiles(relit), gains(relit, own), strict=True)
        )
        both, seen = tee(both)
        corrections = colour.corrections(stops for _, stops in seen)
        lit = (multiplied(tile, added) for (tile, _), added in zip(both, corrections, strict=True))
        return blended(grid, lit, 3)

    def colour(self, picture: Picture, grid: TileGrid, coarse: TileGrid) -> TileColour:
        """Pass over the whole picture at the size of another grid, which tiles are to agree with."""
        small = resized(picture, coarse.height, coarse.width)
        return TileColour(grid, np.concatenate(list(self.stops(small, coarse))))

    def tiles(self, picture: Picture, grid: TileGrid, *, alone: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield tiles relit and reconstructed in their own light, (T, 3, S, S); `alone`, the second is left out."""
        model = self.model
        for indices, tiles in loaded_tiles(picture, grid, self.tiling):
            with torch.inference_mode():
                intrinsic, own = model.delight(model.encode(tiles))
                wanted = torch.lerp(own, self.target(grid, indices, intrinsic, own).to(own), self.change.strength)
                if alone or model.lossless:
                    relit, reconstructed = model.decode(model.relight(intrinsic, wanted)), tiles
                else:
                    latents = model.relight(torch.cat((intrinsic, intrinsic)), torch.cat((wanted, own)))
                    relit, reconstructed = model.decode(latents).chunk(2)
            yield relit, reconstructed
            self.progress(len(indices))


def gains(relit: Tensor, reconstructed: Tensor) -> Pixels:
    """Give the log gains of tiles (T, 3, S, S), as (T, S, S, 3) on the CPU."""
    with torch.inference_mode():
        return as_tiles(log_gain(relit, reconstructed))


def as_tiles(batch: Tensor) -> Pixels:
    """Give a batch (T, C, S, S) as (T, S, S, C) on the CPU."""
    return batch.permute(0, 2, 3, 1).float().cpu().numpy()
