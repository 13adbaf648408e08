"""The mask of the cast shadows in a photo, without removing them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.models.interface import SHADOW, Model
from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import from_unit
from relight_cli.rasters.rows import LazyRows, Raster
from relight_cli.relighting.found_shadows import FoundShadows, find_shadows
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.light_change import ChangeResult, copy_gain
from relight_cli.relighting.mapping import mapped_tiles, mapper_target, mapping_tiles, require_mapper
from relight_cli.relighting.masks import Mask, mask_for
from relight_cli.relighting.options import ChangeOptions, DeshadowOptions, Progress, TileOptions, TileProgress
from relight_cli.relighting.whole_view import THRESHOLD, whole_gain, whole_views

Maps = NDArray[np.float32]

LARGEST = 1024  # longer side of the copy where the network sees tiles: shadows are found in the whole of it


@dataclass(frozen=True)
class ShadowMask(ChangeResult):
    """The result of `shadow_mask`: `photo` is the mask, (H, W, 1), white in a shadow's core, black in light.

    It has 8 bits where the photo has, else 16. Its rows are made when they are read.
    """

    original: Photo
    found: FoundShadows
    copy: Maps  # (h, w, 3) of the photo, sRGB, that the network saw
    allowed: Raster | None  # (H, W), 0 where the mask is black in any case

    @cached_property
    def probability(self) -> Photo:
        """How probable it is that a cast shadow takes more than a fifth of the light of a pixel, like `photo`."""
        return mask_photo(self.original, self.found.probability, self.copy, self.allowed)


def shadow_mask(
    model: Model,
    photo: Photo,
    mask: Mask | None = None,
    options: DeshadowOptions = DeshadowOptions(),
    progress: Progress | None = None,
) -> ShadowMask:
    """Return where the cast shadows of a photo are, along its edges: a mask to retouch with, and a probability.

    Shadows less probable than `options.threshold` are not in the mask; `options.strength` means nothing here. Where
    `mask` is 0, it is black. Progress, errors and threads: see `deshadow`. Raises UsageError where `options.detail` is
    False.
    """
    if not options.detail:
        raise UsageError("a mask of shadows follows the photo's own pixels: leave out detail=False.")
    allowed = mask_for(mask, photo)
    stops, copy, best = _gain(model, photo, options, progress)
    found = find_shadows(stops, copy)
    cover = found.cover(copy, best if options.threshold is None else options.threshold)
    return ShadowMask(mask_photo(photo, cover, copy, allowed), photo, found, copy, allowed)


def mask_photo(photo: Photo, values: Maps, copy: Maps, allowed: Raster | None) -> Photo:
    """Return a mask (h, w) of a copy (h, w, 3) of a photo as a grey picture of the photo's size, along its edges."""
    picture, height = photo.srgb, photo.pixels.shape[0]
    dtype = np.dtype(np.uint8 if photo.pixels.dtype == np.uint8 else np.uint16)
    fitted = None if copy.shape[:2] == picture.shape[:2] else fit_guided(values[..., None], copy)

    def make(rows: slice) -> NDArray:
        own = np.array(picture[rows])
        share = values[rows][..., None] if fitted is None else fitted.rows(own, rows.start, height)
        return from_unit(share if allowed is None else share * allowed[rows][..., None], dtype)

    return Photo(LazyRows((*picture.shape[:2], 1), dtype, make))


def tiles_of_mask(model: Model, photo: Photo, options: DeshadowOptions) -> int:
    """Return the number of tiles of a photo that pass through the network for its mask."""
    return mapped_tiles(model.network, photo.srgb, SHADOW, ChangeOptions(), _mask_tiling(model, options))


def _mask_tiling(model: Model, options: DeshadowOptions) -> TileOptions:
    """Return how a photo passes through the network: of tiles, a copy in which shadows are found as wholes."""
    tiling = mapping_tiles(model, options)
    if whole_views(model.network, SHADOW, ChangeOptions(), tiling):
        return tiling
    return replace(tiling, max_side=min(tiling.max_side or LARGEST, LARGEST))


def _gain(model: Model, photo: Photo, options: DeshadowOptions, progress: Progress | None) -> tuple[Maps, Maps, float]:
    """Return the gain of shadows in stops, and the photo, in a copy (h, w, 3), and the network's best threshold."""
    require_mapper(model, SHADOW)
    network, picture, change = model.network, photo.srgb, ChangeOptions()
    tiling = _mask_tiling(model, options)
    views = whole_views(network, SHADOW, change, tiling)
    count = TileProgress(progress, mapped_tiles(network, picture, SHADOW, change, tiling))
    if views:
        return *whole_gain(network, views, picture, SHADOW, tiling, count), THRESHOLD
    return *copy_gain(network, picture, mapper_target(network, SHADOW), change, tiling, count), 0.0
