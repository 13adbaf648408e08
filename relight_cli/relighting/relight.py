"""Relight a photo by a reference: by its latents (CroCoDiLight, section 4), or by what they show of the same view."""

from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model, RelightingModel
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import Picture, copy_within, resized_rows
from relight_cli.rasters.rows import Raster, to_array
from relight_cli.relighting.light_change import ChangeResult, change_light, changed_photo, load_tiles, tile_grid
from relight_cli.relighting.lights.light import Light
from relight_cli.relighting.lit_photo import light_of_scene, light_picture_of_scene
from relight_cli.relighting.lit_subject import GeometryOf
from relight_cli.relighting.masks import Mask, blend_by_mask, mask_for
from relight_cli.relighting.options import (
    ChangeOptions,
    Progress,
    ReferenceKind,
    RelightOptions,
    TileOptions,
    TileProgress,
    change_options,
    tile_options,
)
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.same_view import light_same_view
from relight_cli.relighting.tiles import TileGrid
from relight_cli.relighting.timing import seconds_per_tile
from relight_cli.relighting.view_match import VIEW_SIDE, match_view

COPY_SIDE = 1024  # longer side of the copy of a reference that is kept
GeometryFor = Callable[[Photo], GeometryOf]
"""Takes a photo and returns the function that gives the geometry of its working copy; see `geometry_of_photo`."""
CACHED_SIZES = 8  # photo sizes whose latents are kept, so that memory does not grow with a batch


class RelightResult(ChangeResult):
    """The result of `relight`."""


class ReferenceLight:
    """The light of a reference, for photos of any size: a copy of it, and its illumination latents.

    A reference of the photo's size relights it tile by tile, as published. Any other is resized to the photo's size
    first. Interpolating its latents by relative position would be cheaper, but an illumination latent encodes where in
    its tile the light falls, so a tile of another size shows the wrong pattern. Measured with an early `tiny` on 14
    real shots whose reference was halved: interpolated latents gain 0.2 dB over the untouched photo, the resized
    reference 3.0 dB.

    A reference is encoded once for every photo size: once for a batch from one camera. Threads may share it.
    """

    def __init__(self, reference: Photo | Callable[[], Photo]) -> None:
        """Take the reference, or a function that returns it each time it is encoded and so saves memory."""
        self._reference = reference
        self._latents: dict[tuple[RelightingModel, TileGrid], Tensor] = {}
        self._lock = Lock()
        self._copy: Picture | None = None
        self._scene_light: tuple[RelightingModel, Light] | None = None

    def copy(self) -> Picture:
        """Return an sRGB-encoded copy (h, w, 3) of the reference with a longer side of at most COPY_SIDE."""
        with self._lock:
            if self._copy is None:
                self._copy = np.nan_to_num(copy_within(self._photo().srgb, COPY_SIDE)).clip(0, 1)
            return self._copy

    def scene_light(self, model: Model, geometry: GeometryFor) -> Light:
        """Return the light of a reference of another scene; see `light_of_scene`."""
        with self._lock:
            if self._scene_light is None or self._scene_light[0] is not model.network:
                photo = self._photo()
                self._scene_light = (model.network, light_of_scene(model, photo, geometry(photo)))
            return self._scene_light[1]

    def _photo(self) -> Photo:
        return self._reference() if callable(self._reference) else self._reference

    def tiles_to_encode(self, network: RelightingModel, grid: TileGrid) -> int:
        """Return the number of tiles that `latents` has yet to encode for this grid."""
        return 0 if (network, grid) in self._latents else len(grid)

    def latents(
        self, network: RelightingModel, grid: TileGrid, tiling: TileOptions, progress: Callable[[int], None]
    ) -> Tensor:
        """Return the illumination latent of each tile of a grid, (T, 1, C) on the CPU."""
        with self._lock:
            return self._encode(network, grid, tiling, progress)

    def _encode(
        self, network: RelightingModel, grid: TileGrid, tiling: TileOptions, progress: Callable[[int], None]
    ) -> Tensor:
        key = (network, grid)

        @torch.inference_mode()
        def encode(batch: tuple[range, Tensor]) -> Tensor:
            return network.delight(network.encode(batch[1]))[1].cpu()

        if key not in self._latents:
            encoded = []
            view = resized_rows(self._photo().srgb, grid.height, grid.width)
            for latents in in_order(encode, load_tiles(view, grid, tiling), tiling.workers):
                encoded.append(latents)
                progress(len(latents))
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
    notify: Callable[[str], None] = lambda note: None,
    geometry: GeometryFor | None = None,
) -> RelightResult:
    """Return the photo in the light of a reference.

    Before anything is computed, what the reference shows is found out, unless the options say it: the same view, the
    same view moved, or another scene; `notify` is called with the decision in one line. By latents alone nothing is
    found out: the reference is taken for the same view.
    Photo and reference may have any size, bit depth and profile; the result has the photo's. Where the mask is 0,
    samples stay unchanged. For many photos and one reference pass a `ReferenceLight`, which keeps what it computes.
    `geometry` gives the surfaces of photo and reference: the light of another scene needs them, and a model that is
    loaded for deshadow and albedo. `progress(done, total)` counts tiles.
    The network runs in the calling thread, and torch operations release the GIL; several threads may share one model.
    Raises UsageError for a mask of another size, a MOVED reference that cannot be registered, or another scene without
    `geometry`; DeviceError if memory runs out.
    Source: CroCoDiLight, section 4.
    """
    weights = mask_for(mask, photo)
    reference = light if isinstance(light, ReferenceLight) else ReferenceLight(light)
    lit = _lit(model, photo, reference, options, progress, notify, geometry)
    return RelightResult(changed_photo(photo, lit if weights is None else blend_by_mask(weights, photo.srgb, lit)))


def _lit(
    model: Model,
    photo: Photo,
    reference: ReferenceLight,
    options: RelightOptions,
    progress: Progress | None,
    notify: Callable[[str], None],
    geometry: GeometryFor | None,
) -> Raster:
    network, picture, change = model.network, photo.srgb, change_options(options)
    tiling = tile_options(model, options, network.reference_side)
    if options.latents_alone:
        grid = tile_grid(network, picture, change, tiling)
        count = TileProgress(progress, reference.tiles_to_encode(network, grid) + len(grid))
        return relight_picture(network, picture, reference, change, tiling, count)
    if change.strength == 0:
        return picture
    view = match_view(copy_within(picture, VIEW_SIDE), reference.copy(), options.reference)
    notify(view.sentence())
    if view.kind == ReferenceKind.SCENE:
        if geometry is None:
            raise UsageError(
                "the reference shows another scene, whose light needs the geometry of both: pass `geometry`, or say in "
                "the options that it is the same view."
            )
        light = reference.scene_light(model, geometry)
        return light_picture_of_scene(model, photo, light, geometry(photo), options, progress)

    def by_latents(own: Picture, healed: Picture) -> Picture:
        """Return a small picture (h, w, 3) lit by the latents of another."""
        grid = tile_grid(network, own, ChangeOptions(), tiling)
        count = TileProgress(progress, 2 * len(grid))
        lit = relight_picture(network, own, ReferenceLight(Photo(healed)), ChangeOptions(), tiling, count)
        return to_array(lit)

    return light_same_view(picture, reference.copy(), view.homography, by_latents, change.strength)


def tiles_to_relight(model: Model, photo: Photo, options: RelightOptions) -> int:
    """Return the number of tiles of a photo that pass through the network, without those of its reference."""
    network = model.network
    tiling = tile_options(model, options, network.reference_side)
    return len(tile_grid(network, photo.srgb, change_options(options), tiling))


def relighting_seconds(model: Model) -> float:
    """Return the seconds that the model takes to relight one tile."""
    return seconds_per_tile(model, lambda grid, indices, intrinsic, own: model.network.adapt_illumination(own, own))


def relight_picture(
    network: RelightingModel,
    picture: Raster,
    light: ReferenceLight,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) in the light of a reference's latents alone, not clipped; see `change_light`."""

    if change.detail and change.strength == 0:
        return picture  # the reference is not needed
    latents = light.latents(network, tile_grid(network, picture, change, tiling), tiling, progress)

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return network.adapt_illumination(latents[indices.start : indices.stop].to(own), own)

    return change_light(network, picture, target, change, tiling, progress)
