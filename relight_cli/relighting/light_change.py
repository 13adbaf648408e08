"""Change the light of a picture tile by tile; the caller chooses the new light."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.interface import RelightingModel
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import Raster, is_rereadable, streamed_rows
from relight_cli.relighting.found_shadows import find_shadows
from relight_cli.relighting.gain import apply_log_gain, log_gain, multiply_light
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.tile_colour import ColourAgreement
from relight_cli.relighting.tiles import TileGrid, blend_tiles, cut_tiles

# Times that a picture is enlarged for the light of a reference: a tile has one illumination latent, so smaller things
# in it are lit as the reference lights them. Mean PSNR of 16 held-out views of 256 pixels, by latents alone: 25.08 dB
# in their own size, 26.72 enlarged 1.5 times, 27.76 twice.
MOST_ENLARGED = 2.0

R = TypeVar("R")
Pixels = NDArray[np.float32]  # (n, W, 3) of a picture or a tile
Target = Callable[[TileGrid, range, Tensor, Tensor], Tensor]
"""Takes a grid, indices of tiles, their intrinsic and illumination latents; returns the illumination latents to use."""


def tile_grid(network: RelightingModel, picture: Raster, change: ChangeOptions, tiling: TileOptions) -> TileGrid:
    """Return the tile grid of the copy of a picture that the network sees."""
    height, width = seen_size(picture.shape[0], picture.shape[1], tiling) if change.detail else picture.shape[:2]
    return TileGrid(height, width, network.tile_size, tiling.overlap)


def seen_copy(picture: Raster, grid: TileGrid) -> Raster:
    """Return the copy of a picture that the network sees; the picture itself, if it has the size of the grid."""
    whole = (grid.height, grid.width) == picture.shape[:2]
    return picture if whole else resized(picture, grid.height, grid.width)


def seen_size(height: int, width: int, tiling: TileOptions) -> tuple[int, int]:
    """Return height and width of the copy of a picture that the network sees."""
    times = min(MOST_ENLARGED, tiling.max_side / max(height, width))
    if tiling.enlarge and times > 1:
        return round(height * times), round(width * times)
    return fit_within(height, width, tiling.max_side)


def coarse_grid(network: RelightingModel, grid: TileGrid, tiling: TileOptions) -> TileGrid | None:
    """Return the grid of the smaller copy that tiles agree with; None without agreement, or if no copy is smaller.

    The copy has the network's best size, or else that of a single tile.
    """
    height, width = fit_within(grid.height, grid.width, network.max_side or grid.tile)
    if not tiling.agree or (height, width) == (grid.height, grid.width):
        return None
    return TileGrid(height, width, grid.tile, grid.overlap)


def tile_count(network: RelightingModel, picture: Raster, change: ChangeOptions, tiling: TileOptions) -> int:
    """Return the number of tiles that pass through the network."""
    grid = tile_grid(network, picture, change, tiling)
    return len(grid) + len(coarse_grid(network, grid, tiling) or ())


def load_tiles(picture: Raster, grid: TileGrid, tiling: TileOptions) -> Iterator[tuple[range, Tensor]]:
    """Yield indices of tiles and the tiles on the device, (T, 3, S, S), clipped to [0, 1]; NaN becomes black."""
    for indices, tiles in cut_tiles(picture, grid, tiling.batch):
        batch = torch.from_numpy(tiles).to(tiling.device).permute(0, 3, 1, 2)
        yield indices, batch.nan_to_num(nan=0.0).clamp_(0, 1)


def change_light(
    network: RelightingModel,
    picture: Raster,
    target: Target,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB-encoded picture (H, W, 3) in the light that `target` chooses for each tile, not clipped.

    Rows are computed when they are read, in bands of tiles, which bounds the memory. If the network sees the picture at
    full size, the rows can be read once, from the top (`rows.is_rereadable`).
    With `detail` the log gain of each tile compares the relit with the reconstructed tile, both from the same decoder
    (CroCoDiLight loses fine detail, section 5); gains are blended, then applied to the picture.
    """
    if change.detail and change.strength == 0:
        return picture
    run = TileRun(network, target, change, tiling, progress)
    working, grid, agreement = run.prepared(picture)
    if not change.detail:
        return streamed_rows(picture.shape, run.pictures(working, grid, agreement))
    gains = streamed_rows(working.shape, run.log_gains(working, grid, agreement))
    if change.threshold:
        return _probable_shadows(picture, working, gains, change)
    return with_gains(picture, working, gains)


def with_gains(picture: Raster, working: Raster, gains: Raster) -> Raster:
    """Return a picture (H, W, 3) with the gain (h, w, 3) in stops of its copy that the network sees.

    Rows of the gain are read once, from the top.
    """
    if working is picture:
        return apply_log_gain(picture, lambda rows, own: gains[rows], rereadable=False)
    whole = slice(0, working.shape[0])
    guided = fit_guided(gains[whole], working[whole])
    return apply_log_gain(picture, lambda rows, own: guided.rows(own, rows.start, picture.shape[0]))


def copy_gain(
    network: RelightingModel,
    picture: Raster,
    target: Target,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> tuple[Pixels, Pixels]:
    """Return the gain (h, w, 3) in stops of the copy of a picture (H, W, 3) that the network sees, and the copy."""
    run = TileRun(network, target, change, tiling, progress)
    working, grid, agreement = run.prepared(picture)
    gains = np.concatenate(list(run.log_gains(working, grid, agreement)))
    return gains, np.array(working[slice(0, grid.height)], np.float32)


def _probable_shadows(picture: Raster, working: Raster, gains: Raster, change: ChangeOptions) -> Raster:
    """Return a picture (H, W, 3) with the gain of its copy (h, w, 3), except at less probable shadows."""
    copy, stops = working[slice(0, working.shape[0])], gains[slice(0, working.shape[0])]
    found = find_shadows(np.asarray(stops / change.strength, np.float32), copy)
    stops = stops * found.share_kept(change.threshold or 0.0)
    if working is picture:
        return apply_log_gain(picture, lambda rows, own: stops[rows])
    guided = fit_guided(stops, copy)
    return apply_log_gain(picture, lambda rows, own: guided.rows(own, rows.start, picture.shape[0]))


def changed_photo(photo: Photo, picture: Raster) -> Photo:
    """Return the photo with a new sRGB picture, whose pixels are computed when read if they can be read again."""
    return photo.with_lazy_srgb(picture) if is_rereadable(picture) else photo.with_srgb(picture)


@dataclass(frozen=True)
class ChangeResult:
    """A photo in another light."""

    photo: Photo  # its pixels may be computed when they are read
    layered: LayeredPhoto | None = field(default=None, kw_only=True)  # see `photo_layers`, if they are wanted


@dataclass(frozen=True)
class TileRun:
    """A change of light, tile by tile."""

    network: RelightingModel
    target: Target
    change: ChangeOptions
    tiling: TileOptions
    progress: Callable[[int], None]

    def prepared(self, picture: Raster) -> tuple[Raster, TileGrid, ColourAgreement | None]:
        """Return the copy of a picture that the network sees, its tile grid, and the agreement of its tiles."""
        grid = tile_grid(self.network, picture, self.change, self.tiling)
        working = seen_copy(picture, grid)
        coarse = coarse_grid(self.network, grid, self.tiling)
        return working, grid, self.agreement(working, grid, coarse) if coarse else None

    def log_gains(self, picture: Raster, grid: TileGrid, agreement: ColourAgreement | None = None) -> Iterator[Pixels]:
        """Yield the blended log gains of a picture in bands (n, W, 3)."""
        tiles: Iterator[Pixels] = itertools.chain.from_iterable(self.tiles(picture, grid, tile_log_gains))
        if agreement:
            tiles, seen = itertools.tee(tiles)
            tiles = (tile + added for tile, added in zip(tiles, agreement.corrections(seen), strict=True))
        return blend_tiles(grid, tiles, 3)

    def pictures(self, picture: Raster, grid: TileGrid, agreement: ColourAgreement | None = None) -> Iterator[Pixels]:
        """Yield the decoder's blended output in bands (n, W, 3); colour agreement multiplies each tile by a gain."""
        if not agreement:
            relit_only = self.tiles(picture, grid, lambda relit, _: channels_last(relit), reconstruct=False)
            return blend_tiles(grid, itertools.chain.from_iterable(relit_only), 3)

        def with_gains(relit: Tensor, own: Tensor) -> list[tuple[Pixels, Pixels]]:
            return list(zip(channels_last(relit), tile_log_gains(relit, own), strict=True))

        both: Iterator[tuple[Pixels, Pixels]] = itertools.chain.from_iterable(self.tiles(picture, grid, with_gains))
        both, seen = itertools.tee(both)
        corrections = agreement.corrections(gains for _, gains in seen)
        lit = (multiply_light(tile, added) for (tile, _), added in zip(both, corrections, strict=True))
        return blend_tiles(grid, lit, 3)

    def agreement(self, picture: Raster, grid: TileGrid, coarse: TileGrid) -> ColourAgreement:
        """Return the colour agreement with the smaller copy of a picture that the grid `coarse` describes."""
        small = resized(picture, coarse.height, coarse.width)
        return ColourAgreement(grid, np.concatenate(list(self.log_gains(small, coarse))))

    def tiles(
        self, picture: Raster, grid: TileGrid, use: Callable[[Tensor, Tensor], R], *, reconstruct: bool = True
    ) -> Iterator[R]:
        """Yield what `use` makes of each batch of relit tiles, and of the tiles reconstructed in their own light.

        Both are (T, 3, S, S). Without `reconstruct`, or with a lossless network, the second are the tiles themselves.
        `target` and `use` are called in several threads if `tiling.workers` says so.
        """

        @torch.inference_mode()
        def change(batch: tuple[range, Tensor]) -> tuple[int, R]:
            indices, tiles = batch
            return len(indices), use(*self._relit(grid, indices, tiles, reconstruct=reconstruct))

        for count, used in in_order(change, load_tiles(picture, grid, self.tiling), self.tiling.workers):
            self.progress(count)
            yield used

    def _relit(self, grid: TileGrid, indices: range, tiles: Tensor, *, reconstruct: bool) -> tuple[Tensor, Tensor]:
        network = self.network
        intrinsic, own = network.delight(network.encode(tiles))
        wanted = torch.lerp(own, self.target(grid, indices, intrinsic, own).to(own), self.change.strength)
        if network.lossless or not reconstruct:
            return network.decode(network.relight(intrinsic, wanted)), tiles
        latents = network.relight(torch.cat((intrinsic, intrinsic)), torch.cat((wanted, own)))
        relit, reconstructed = network.decode(latents).chunk(2)
        return relit, reconstructed


def tile_log_gains(relit: Tensor, reconstructed: Tensor) -> Pixels:
    """Return the log gains of tiles (T, 3, S, S), as (T, S, S, 3) on the CPU."""
    with torch.inference_mode():
        return channels_last(log_gain(relit, reconstructed))


def channels_last(batch: Tensor) -> Pixels:
    """Return a batch (T, C, S, S) as (T, S, S, C) on the CPU."""
    return batch.permute(0, 2, 3, 1).float().cpu().numpy()
