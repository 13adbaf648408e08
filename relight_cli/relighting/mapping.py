"""Deshadow and albedo: a photo relit by its own illumination latents, mapped (CroCoDiLight, section 4)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from relight_cli.errors import UsageError
from relight_cli.models.interface import ALBEDO, SHADOW, Model, RelightingModel
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.layers import expose_albedo, shading_layer, shadow_layer
from relight_cli.relighting.light_change import ChangeResult, Target, change_light, changed_photo, tile_count
from relight_cli.relighting.masks import Mask, blend_by_mask, mask_for
from relight_cli.relighting.options import (
    AlbedoOptions,
    ChangeOptions,
    DeshadowOptions,
    MappingOptions,
    Progress,
    TileColour,
    TileOptions,
    TileProgress,
    change_options,
    tile_options,
)
from relight_cli.relighting.tiles import TileGrid
from relight_cli.relighting.timing import seconds_per_tile
from relight_cli.relighting.whole_view import map_whole, view_tiles, whole_views


@dataclass(frozen=True)
class DeshadowResult(ChangeResult):
    """The result of `deshadow`."""

    original: Photo

    @cached_property
    def shadow(self) -> Photo:
        """The share of the light that the shadow removed, (H, W, 1) uint8: 0 for none, 255 for all of it."""
        return Photo(shadow_layer(self.original.srgb, self.photo.srgb))


@dataclass(frozen=True)
class AlbedoResult(ChangeResult):
    """The result of `albedo`."""

    original: Photo

    @cached_property
    def shading(self) -> Photo:
        """The linear light, (H, W, C) float32: albedo x shading = photo in linear light."""
        channels = self.original.pixels.shape[2]
        return Photo(shading_layer(self.original.srgb, self.photo.srgb, channels), format="TIFF")


def deshadow(
    model: Model,
    photo: Photo,
    mask: Mask | None = None,
    options: DeshadowOptions = DeshadowOptions(),
    progress: Progress | None = None,
) -> DeshadowResult:
    """Return the photo without cast shadows, in the photo's size, bit depth and profile.

    Where the mask is 0, samples stay unchanged. `progress(done, total)` counts tiles. Raises UsageError for a mask
    of another size or a model without this mapper, DeviceError if memory runs out. Threads: see `relight`.
    Source: CroCoDiLight, section 4.
    """
    return DeshadowResult(_mapped(model, photo, SHADOW, mask, options, progress), photo)


def albedo(
    model: Model,
    photo: Photo,
    mask: Mask | None = None,
    options: AlbedoOptions = AlbedoOptions(),
    progress: Progress | None = None,
) -> AlbedoResult:
    """Return the albedo (reflectance) of the photo's surfaces; its scale is not known.

    Mask, progress, errors and source: see `deshadow`.
    """
    expose = expose_albedo if options.fit_shading else None
    return AlbedoResult(_mapped(model, photo, ALBEDO, mask, options, progress, expose), photo)


def _mapped(
    model: Model,
    photo: Photo,
    mapper: str,
    mask: Mask | None,
    options: MappingOptions,
    progress: Progress | None,
    finish: Callable[[Raster, Raster], Raster] | None = None,
) -> Photo:
    network, picture, change = model.network, photo.srgb, change_options(options)
    require_mapper(model, mapper)
    weights = mask_for(mask, photo)
    tiling = mapping_tiles(model, options)
    count = TileProgress(progress, mapped_tiles(network, picture, mapper, change, tiling))
    mapped = map_picture(network, picture, mapper, change, tiling, count)
    if finish:
        mapped = finish(picture, mapped)
    return changed_photo(photo, mapped if weights is None else blend_by_mask(weights, picture, mapped))


def require_mapper(model: Model, mapper: str) -> None:
    """Raise UsageError if a model cannot map this light."""
    if mapper not in model.network.mapper_names:
        raise UsageError(f"this model has no {mapper} mapper: load it for that task.")


def mapping_tiles(model: Model, options: MappingOptions) -> TileOptions:
    """Return how a photo passes through the network of a model."""
    return tile_options(model, options, model.network.max_side, agree=options.tile_colour == TileColour.AGREE)


def tiles_to_map(model: Model, photo: Photo, mapper: str, options: MappingOptions) -> int:
    """Return the number of tiles of a photo that pass through the network."""
    return mapped_tiles(model.network, photo.srgb, mapper, change_options(options), mapping_tiles(model, options))


def mapped_tiles(
    network: RelightingModel, picture: Raster, mapper: str, change: ChangeOptions, tiling: TileOptions
) -> int:
    """Return the number of tiles that `map_picture` passes through the network, or that take as long."""
    if views := whole_views(network, mapper, change, tiling):
        return view_tiles(network, views, mapper, picture, tiling.max_side)
    return tile_count(network, picture, change, tiling)


def mapping_seconds(model: Model, mapper: str) -> float:
    """Return the seconds that the model takes to map one tile."""

    return seconds_per_tile(model, mapper_target(model.network, mapper))


def mapper_target(network: RelightingModel, mapper: str) -> Target:
    """Return the choice of light of `change_light`: each tile's own, mapped."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return network.map_illumination(mapper, intrinsic, own)

    return target


def map_picture(
    network: RelightingModel,
    picture: Raster,
    mapper: str,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) relit by its mapped illumination latents, not clipped; see `change_light`.

    A network that sees whole pictures needs no tiles for it; see `map_whole`.
    """
    if change.detail and change.strength == 0:
        return picture
    if views := whole_views(network, mapper, change, tiling):
        return map_whole(network, views, picture, mapper, change, tiling, progress)
    return change_light(network, picture, mapper_target(network, mapper), change, tiling, progress)
