"""Relight a photo by a reference: by its latents (CroCoDiLight, section 4), or by what they show of the same view."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model, RelightingModel
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import Picture, copy_within, fit_within
from relight_cli.rasters.rows import Raster, to_array
from relight_cli.relighting.light_change import ChangeResult, change_light, changed_photo
from relight_cli.relighting.lights.light import Light
from relight_cli.relighting.lit_photo import lit_picture, scene_gain, shading_photo, subject_of
from relight_cli.relighting.lit_subject import Map, Subject
from relight_cli.relighting.lit_windows import light_grid, light_windows, window_views
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
from relight_cli.relighting.reference import GeometryFor, ReferenceLight
from relight_cli.relighting.same_view import WORKING_SIDE, light_same_view
from relight_cli.relighting.tiles import TileGrid
from relight_cli.relighting.timing import seconds_per_tile
from relight_cli.relighting.view_match import VIEW_SIDE, ViewMatch, match_view


@dataclass(frozen=True)
class RelightResult(ChangeResult):
    """The result of `relight`."""

    shading: Photo | None = None  # the light of another scene on the surfaces; see `lit_photo.shading_photo`


def relight(
    model: Model,
    photo: Photo,
    light: Photo | ReferenceLight,
    options: RelightOptions = RelightOptions(),
    progress: Progress | None = None,
    mask: Mask | None = None,
    notify: Callable[[ViewMatch], None] = lambda view: None,
    geometry: GeometryFor | None = None,
) -> RelightResult:
    """Return the photo in the light of a reference.

    Before anything is computed, what the reference shows is found out, unless the options say it: the same view, the
    same view moved, or another scene; `notify` is called with the decision, which is one line as text. By latents alone
    nothing is found out: the reference is taken for the same view.
    Photo and reference may have any size, bit depth and profile; the result has the photo's. Where the mask is 0,
    samples stay unchanged. For many photos and one reference pass a `ReferenceLight`, which keeps what it computes.
    `geometry` gives the surfaces of photo and reference: the light of another scene needs them, and a model that is
    loaded for deshadow and albedo, as does what lies outside the overlap with a moved reference.
    `progress(done, total)` counts tiles.
    The network runs in the calling thread, and torch operations release the GIL; several threads may share one model.
    Raises UsageError for a mask of another size, a MOVED reference that cannot be registered, or another scene without
    `geometry`; DeviceError if memory runs out.
    Source: CroCoDiLight, section 4.
    """
    weights = mask_for(mask, photo)
    reference = light if isinstance(light, ReferenceLight) else ReferenceLight(light)
    lit, shading = _lit(model, photo, reference, options, progress, notify, geometry)
    changed = changed_photo(photo, lit if weights is None else blend_by_mask(weights, photo.srgb, lit))
    return RelightResult(changed, shading)


def _lit(
    model: Model,
    photo: Photo,
    reference: ReferenceLight,
    options: RelightOptions,
    progress: Progress | None,
    notify: Callable[[ViewMatch], None],
    geometry: GeometryFor | None,
) -> tuple[Raster, Photo | None]:
    """Return the lit picture, and the shading of another scene's light."""
    network, picture, change = model.network, photo.srgb, change_options(options)
    tiling = reference_tiling(model, options)
    if options.latents_alone:
        grid = light_grid(network, picture, change, tiling)
        count = TileProgress(progress, reference.tiles_to_encode(network, grid) + len(grid))
        return relight_picture(network, picture, reference, change, tiling, count), None
    if change.strength == 0 and options.reference != ReferenceKind.SCENE:
        return picture, None
    view = view_of(photo, reference, options)
    notify(view)
    if view.kind != ReferenceKind.SCENE:
        return _same_view(model, photo, reference, options, view, progress, geometry), None
    if geometry is None:
        raise UsageError(
            f"{reference.name} shows another scene, whose light needs the geometry of both: pass `geometry`, or say in "
            "the options that it is the same view."
        )
    subject, light, gain = _scene(model, photo, reference, options, progress, geometry)
    return lit_picture(picture, subject, gain, change.strength), shading_photo(photo, subject, light)


def reference_tiling(model: Model, options: RelightOptions) -> TileOptions:
    """Return how photo and reference pass through the network.

    Small ones are enlarged where latents are all there is. Where they have a share alone, that gains nothing: outside
    the patches of `benchmarks/lights.py` (every 18th pair) .1 dB on tripod pairs, 0 on the webcam, -.5 on objects.
    """
    return tile_options(model, options, model.network.reference_side, enlarge=options.latents_alone)


def view_of(photo: Photo, reference: ReferenceLight, options: RelightOptions) -> ViewMatch:
    """Return what a reference shows of a photo, or what the options say that it shows."""
    own = np.nan_to_num(copy_within(photo.srgb, VIEW_SIDE)).clip(0, 1)
    return match_view(own, reference.copy(), options.reference, reference.name)


def _scene(
    model: Model,
    photo: Photo,
    reference: ReferenceLight,
    options: RelightOptions,
    progress: Progress | None,
    geometry: GeometryFor,
) -> tuple[Subject, Light, Map]:
    """Return what is known of a photo, the light of its reference, and the gain (h, w, 3) in stops that puts it on."""
    model = reference.mapping_model(model)
    light = reference.scene_light(model, geometry)
    light = light.turned(options.rotate) if options.rotate else light
    subject = subject_of(model, photo, geometry(photo), options, progress)
    return subject, light, scene_gain(subject, light, keep_exposure=options.keep_exposure, exposure=options.exposure)


def _same_view(
    model: Model,
    photo: Photo,
    reference: ReferenceLight,
    options: RelightOptions,
    view: ViewMatch,
    progress: Progress | None,
    geometry: GeometryFor | None,
) -> Raster:
    """Return a photo in the light of a reference of the same view, outside their overlap in that fitted to it."""
    network, tiling = model.network, reference_tiling(model, options)
    done = same_view_tiles(network, photo, tiling)

    def by_latents(own: Picture, healed: Picture) -> Picture:
        """Return a small picture (h, w, 3) lit by the latents of another."""
        count = TileProgress(progress, done)
        lit = relight_picture(network, own, ReferenceLight(Photo(healed)), ChangeOptions(), tiling, count)
        return to_array(lit)

    def after(tiles: int, total: int) -> None:
        """Report tiles of another pass through the network."""
        assert progress is not None
        progress(done + tiles, done + total)

    def beyond() -> Map:
        """Return the gain (h, w, 3) in stops of the fitted light."""
        assert geometry is not None
        plain = replace(options, keep_exposure=False, exposure=0.0, rotate=0.0)
        return _scene(model, photo, reference, plain, progress and after, geometry)[2]

    shown, homography = np.asarray(view.content.of(reference.copy())), view.homography
    if not view.content.is_whole:
        homography = view.content.matrix() @ (np.eye(3) if homography is None else homography)
    fitted = beyond if geometry and view.is_partial else None
    return light_same_view(photo.srgb, shown, homography, by_latents, options.strength, fitted)


def same_view_tiles(network: RelightingModel, photo: Photo, tiling: TileOptions) -> int:
    """Return the number of tiles of photo and reference that pass through the network for the same view."""
    height, width = fit_within(photo.pixels.shape[0], photo.pixels.shape[1], WORKING_SIDE)
    blank = np.broadcast_to(np.float32(0), (height, width, 3))
    return 2 * len(light_grid(network, blank, ChangeOptions(), tiling))


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
    """Return an sRGB picture (H, W, 3) in the light of a reference's latents alone, not clipped.

    A network that sees whole pictures lights it window by window, so that no tile shows; see `light_windows`.
    """
    if change.detail and change.strength == 0:
        return picture  # the reference is not needed
    grid = light_grid(network, picture, change, tiling)
    latents = light.latents(network, grid, tiling, progress)

    def target(indices: range, own: Tensor) -> Tensor:
        return network.adapt_illumination(latents[indices.start : indices.stop].to(own), own)

    if views := window_views(network, change):
        return light_windows(views, picture, grid, target, change.strength, tiling, progress)

    def by_tile(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return target(indices, own)

    return change_light(network, picture, by_tile, change, tiling, progress)
