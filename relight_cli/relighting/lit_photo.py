"""Put a light that belongs to no picture on a photo, and take the light of a picture of another scene.

As everywhere in this tool the change is a gain on the photo's own pixels.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import fit_within, resized_rows
from relight_cli.rasters.rows import AdjustedRows, LazyRows, Raster
from relight_cli.relighting.gain import apply_log_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.light_change import ChangeResult, changed_photo
from relight_cli.relighting.lights.light import Light, as_rows
from relight_cli.relighting.lights.words import LEVEL
from relight_cli.relighting.lit_gain import light_gain, shading_of
from relight_cli.relighting.lit_subject import (
    SIDE,
    GeometryOf,
    Map,
    Subject,
    fit_subject,
    less_uneven,
    mean_colour,
    passes,
    working_copy,
)
from relight_cli.relighting.masks import Mask, blend_by_mask, mask_for
from relight_cli.relighting.options import (
    DeshadowOptions,
    LightChangeOptions,
    Progress,
    TileOptions,
    TileProgress,
    tile_options,
)

_MOOD = 0.8  # share of the stops between the brightness of a reference of another scene and the photo's that come over
_SCENE_COLOUR = 0.35  # share of the colour of a reference's light that is believed: the rest may be paint
_MOST_MOOD = 2.0  # stops
_USUAL_SKY = 0.47  # of the mean irradiance: geometric mean of the skies in 16 photos; in 40 rendered views it is 0.45


@dataclass(frozen=True)
class PutOnOptions(LightChangeOptions):
    """Options of `put_on`."""

    keep_exposure: bool | None = None  # of the photo; False: that of the light; None: that of a light fitted to a photo
    exposure: float = 0.0  # stops, in addition

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.detail:
            raise UsageError("detail=False is the network's picture, which this light does not pass through.")


@dataclass(frozen=True)
class PutOnResult(ChangeResult):
    """The result of `put_on`."""

    light: Light
    subject: Subject
    original: Photo

    @property
    def shading(self) -> Photo:
        """The new light on the surfaces; see `shading_photo`."""
        return shading_photo(self.original, self.subject, self.light)


def shading_photo(photo: Photo, subject: Subject, light: Light) -> Photo:
    """Return a light on a photo's surfaces, without their colours: (H, W, 3) float32, linear, the brightest white."""
    shading = shading_of(subject, light)
    guided = fit_guided(np.log2(shading.clip(2.0**-12, None)), subject.picture)
    picture, height = photo.srgb, photo.pixels.shape[0]

    def make(rows: slice) -> NDArray[np.float32]:
        return np.exp2(guided.rows(picture[rows], rows.start, height)).clip(0, 1)

    return Photo(LazyRows(picture.shape, np.dtype(np.float32), make), format="TIFF")


def put_on(
    model: Model,
    photo: Photo,
    light: Light,
    geometry_of: GeometryOf,
    mask: Mask | None = None,
    options: PutOnOptions = PutOnOptions(),
    progress: Progress | None = None,
) -> PutOnResult:
    """Return the photo in a light, in the photo's size, bit depth and profile.

    The photo's own light is fitted to its shading (photo / albedo, without cast shadows, by the model's mappers) on the
    normals that `geometry_of` gives for a working copy; the gain is that from one irradiance to the other, new cast
    shadows included. Where the mask is 0, samples stay unchanged. `progress(done, total)` counts tiles. Raises
    UsageError for a mask of another size, DeviceError if memory runs out.
    """
    weights = mask_for(mask, photo)
    subject = subject_of(model, photo, geometry_of, options, progress)
    gain = _gain(subject, light, options.keep_exposure, options.exposure)
    lit: Raster = lit_picture(photo.srgb, subject, gain, options.strength)
    if weights is not None:
        lit = blend_by_mask(weights, photo.srgb, lit)
    return PutOnResult(changed_photo(photo, lit), light, subject, photo)


def _gain(subject: Subject, light: Light, keep_exposure: bool | None, exposure: float) -> Map:
    if light.fitted:
        return scene_gain(subject, light, keep_exposure=bool(keep_exposure), exposure=exposure)
    return light_gain(subject, light, keep_exposure=keep_exposure is not False, exposure=exposure)


def subject_of(
    model: Model,
    photo: Photo,
    geometry_of: GeometryOf,
    options: LightChangeOptions = PutOnOptions(),
    progress: Progress | None = None,
) -> Subject:
    """Return what is known of a photo: a working copy, its surfaces, its own light and cast shadows."""
    picture = working_copy(photo, *_copy_size(photo, options))
    tiling = _tiling(model, options)
    count = TileProgress(progress, passes(model, picture, tiling))
    return fit_subject(model, picture, geometry_of(picture), tiling, count)


def tiles_to_put_on(model: Model, photo: Photo, options: LightChangeOptions) -> int:
    """Return the number of tiles of a photo that pass through the network."""
    copy = resized_rows(photo.srgb, *_copy_size(photo, options))
    return passes(model, copy, _tiling(model, options))


def _copy_size(photo: Photo, options: LightChangeOptions) -> tuple[int, int]:
    side = SIDE if options.max_side is None else options.max_side
    return fit_within(photo.pixels.shape[0], photo.pixels.shape[1], side)


def lit_picture(picture: Raster, subject: Subject, gain: Map, strength: float = 1.0) -> AdjustedRows:
    """Return a picture (H, W, 3), sRGB, with the gain (h, w, 3) of its working copy, enlarged along its edges."""
    guided = fit_guided(np.ascontiguousarray(gain * np.float32(strength)), subject.picture)
    return apply_log_gain(picture, lambda rows, own: guided.rows(own, rows.start, picture.shape[0]))


def light_of_scene(
    model: Model, photo: Photo, geometry_of: GeometryOf, options: LightChangeOptions = PutOnOptions()
) -> Light:
    """Return the light of a photo, to be put on photos of other scenes.

    Its harmonics are fitted to the photo's shading on its normals. Its sky is the photo's; where the photo shows none,
    a grey one of the usual brightness. Its exposure is the mood: how much darker or brighter the photo is than
    a well exposed one.
    """
    subject = subject_of(model, photo, geometry_of, options)
    own, colour = subject.own, mean_colour(subject.own.irradiance(subject.geometry.normals))
    rows = less_uneven(own.light.coefficients, colour)
    light = Light(as_rows(rows)).scaled(colour ** (_SCENE_COLOUR - 1))
    sky = subject.sky_colour
    seen = own.level * (np.full(3, _USUAL_SKY) if sky is None else sky)
    exposure = math.log2(LEVEL / max(light.average(), 1e-6)) + subject.brightness
    origin = "the light of a picture of another scene"
    return replace(light, exposure=exposure, origin=origin, sky=as_rows(seen[None])[0], fitted=True)


def scene_gain(subject: Subject, light: Light, *, keep_exposure: bool = False, exposure: float = 0.0) -> Map:
    """Return the gain (h, w, 3) in stops that puts the light of another scene on a photo's working copy.

    The photo becomes about as bright as the other picture, unless `keep_exposure`; `exposure` is added, in stops.
    """
    wanted = math.log2(max(light.average(), 1e-6) / LEVEL) - subject.brightness
    stops = 0.0 if keep_exposure else _MOOD * min(_MOST_MOOD, max(-_MOST_MOOD, wanted))
    gain = light_gain(subject, light)
    return gain + np.float32(subject.brightness - subject.brightness_with(gain) + stops + exposure)


def _tiling(model: Model, options: LightChangeOptions) -> TileOptions:
    chosen = DeshadowOptions(tile_overlap=options.tile_overlap, tile_batch=options.tile_batch)
    return tile_options(model, chosen, model.network.max_side)  # tiles: the fit's constants were chosen with them
