"""What is known of a photo before a light is put on it: its surfaces, its own light, its cast shadows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.interface import ALBEDO, SHADOW, Model
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.fitted_light import FittedLight, fit_light
from relight_cli.relighting.geometry import Geometry, fit_to_picture
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.light import LUMINANCE
from relight_cli.relighting.mapping import map_picture, mapped_tiles
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.silhouettes import bulging_normals
from relight_cli.relighting.sky_matte import LEAST_SKY, sky_along_edges, sky_found

Map = NDArray[np.float32]
GeometryOf = Callable[[Map], Geometry]
"""Takes a working copy (h, w, 3), sRGB, and returns the geometry of its surfaces."""

SIDE = 512  # longer side of the working copy
MOST = 3.5  # stops
_CLIPPED = 0.97  # sRGB value from which a channel counts as clipped
_DARK = 0.02  # linear light below which a pixel says nothing about its shading
_WELL_EXPOSED = 0.18  # mean linear luminance
_LEAST_ALBEDO = 0.01
_MOST_SHADING = 4.0  # stops from the mean
_UNEVEN_COLOUR = 0.25  # share of the differences of colour between directions that is believed
_OWN_COLOUR = 0.25  # share of the colour of the photo's own light that is believed


@dataclass(frozen=True)
class Subject:
    """A photo's working copy (h, w) and what is known of its surfaces and its own light."""

    picture: Map  # (h, w, 3) sRGB in [0, 1]
    geometry: Geometry
    own: FittedLight
    shadow_gain: Map  # (h, w, 3) stops that take off cast shadows
    shading: Map | None = None  # (h, w) stops of the photo over its albedo, 0 on average; None: not known
    outlined: bool = False  # its surfaces are those of a thing in front of nothing, from its outline

    @cached_property
    def sky_colour(self) -> Map | None:
        """What the sky shows, (3,) in units of the mean own irradiance; None if there is hardly any."""
        sky = np.where(self.geometry.sky > 0.8, self.geometry.sky, 0)
        if sky.mean() < LEAST_SKY:
            return None
        return (np.einsum("hwc,hw->c", self.linear, sky) / sky.sum() / np.float32(self.own.level)).astype(np.float32)

    @cached_property
    def sky_found(self) -> float:
        """How surely all the sky of the picture is known as such, 0 to 1."""
        return sky_found(self.geometry.sky, self.picture)

    @cached_property
    def own_irradiance(self) -> Map:
        """The irradiance (h, w, 3) of the own light without cast shadows, its luminance 1 on average.

        Only a part of its colour is believed: what is left of an albedo's colour in it would tint neutral lights.
        """
        found = self.own.irradiance(self.geometry.normals) / np.float32(self.own.level)
        colour = mean_colour(found[self.surfaces] if self.surfaces.any() else found)
        return (less_uneven(found, colour) / colour ** np.float32(1 - _OWN_COLOUR)).astype(np.float32)

    @cached_property
    def surfaces(self) -> NDArray[np.bool_]:
        """Where there is no sky (h, w)."""
        return self.geometry.sky < 0.5

    @cached_property
    def linear(self) -> Map:
        """The picture in linear light (h, w, 3)."""
        return to_linear(self.picture)

    @property
    def brightness(self) -> float:
        """The stops from the mean of a well exposed picture to that of this one."""
        return self.brightness_with(np.float32(0))

    def brightness_with(self, gain: Map | np.float32) -> float:
        """Return the stops from the mean of a well exposed picture to that of this one with a gain (h, w, 3)."""
        mean = float(((self.linear * np.exp2(gain)).clip(0, 1) @ LUMINANCE.astype(np.float32)).mean())
        return math.log2(max(mean, 1e-4) / _WELL_EXPOSED)

    @cached_property
    def weights(self) -> Map:
        """How much each pixel (h, w) counts for the exposure: bright surfaces most, black and sky little."""
        bright = self.linear @ LUMINANCE.astype(np.float32)
        return np.sqrt(bright.clip(1e-3, 1)) * (1 - np.float32(0.7) * self.geometry.sky)


def working_copy(photo: Photo, height: int, width: int) -> Map:
    """Return the copy (h, w, 3) of a photo that its gain is computed on, sRGB in [0, 1]."""
    small = resized(photo.srgb, height, width)
    return np.ascontiguousarray(np.nan_to_num(small).clip(0, 1), np.float32)


def passes(model: Model, picture: Raster, tiling: TileOptions) -> int:
    """Return the number of tiles that `fit_subject` passes through the network."""
    names = model.network.mapper_names
    tiles = mapped_tiles(model.network, picture, SHADOW, ChangeOptions(), tiling)
    return (tiles if SHADOW in names else 0) + (1 if ALBEDO in names else 0)


def fit_subject(
    model: Model,
    picture: Map,
    geometry: Geometry,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Subject:
    """Return what is known of a working copy (h, w, 3), sRGB: its own light is fitted to its shading.

    The shading is the picture over its albedo, without cast shadows: both from the network's mappers. A network without
    them has the picture's own brightness for the shading, and no cast shadows.
    """
    network = model.network
    shadow = np.zeros_like(picture)
    if SHADOW in network.mapper_names:
        lit = map_picture(network, picture, SHADOW, ChangeOptions(), tiling, progress)
        shadow = _stops(np.asarray(lit[slice(0, len(picture))]), picture)
    small = fit_within(len(picture), picture.shape[1], network.tile_size)
    low = resized(picture, *small)
    shading, own_shading = to_linear(low), None
    outline = bulging_normals(picture)
    if outline is not None:
        geometry = replace(geometry, normals=outline)
        progress(1 if ALBEDO in network.mapper_names else 0)  # which `passes` counts and this picture does not need
    elif ALBEDO in network.mapper_names:
        one_tile = replace(tiling, agree=False, max_side=0)
        albedo = map_picture(network, low, ALBEDO, ChangeOptions(), one_tile, progress)
        shading = shading / to_linear(np.asarray(albedo[slice(0, len(low))])).clip(_LEAST_ALBEDO, None)
        own_shading = _in_stops(shading, picture, geometry.sky)
    geometry = replace(geometry, sky=sky_along_edges(geometry.sky, picture))
    shading = shading * np.exp2(_shrunk(shadow, small))
    normals = _shrunk(geometry.normals, small)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-6, None)
    own = fit_light(shading.astype(np.float32), normals, _known(low, _shrunk(geometry.sky, small)))
    return Subject(picture, geometry, own, shadow, own_shading, outline is not None)


def _in_stops(shading: Map, picture: Map, sky: Map) -> Map:
    """Return the luminance of a shading (h, w, 3) in stops, enlarged to (H, W) along edges, 0 on average."""
    stops = np.log2((shading @ LUMINANCE.astype(np.float32)).clip(1e-4, None))[..., None]
    large = fit_to_picture(stops, picture)[..., 0]
    mean = np.average(large, weights=1 - sky) if (sky < 1).any() else 0.0
    return (large - np.float32(mean)).clip(-_MOST_SHADING, _MOST_SHADING).astype(np.float32)


def _known(picture: Map, sky: Map) -> Map:
    """Return the weights (h, w) of pixels for the fit: not the sky, nor clipped or black pixels."""
    light = to_linear(picture) @ LUMINANCE.astype(np.float32)
    clipped = picture.max(axis=-1) > _CLIPPED
    return np.where(clipped | (light < _DARK / 4) | (sky > 0.2), 0, np.minimum(1, light / _DARK)).astype(np.float32)


def less_uneven(light: NDArray, colour: Map) -> NDArray:
    """Return irradiance or coefficients (..., 3) of a mean `colour` (3,), nearer to it in every direction.

    The rest of the colours may be paint.
    """
    even = (light @ LUMINANCE)[..., None] * colour
    return np.asarray(even + _UNEVEN_COLOUR * (light - even)).astype(light.dtype)


def mean_colour(irradiance: Map) -> Map:
    """Return the mean colour (3,) of irradiance (..., 3) with the luminance 1."""
    mean = irradiance.reshape(-1, 3).mean(axis=0)
    return (mean / max(float(mean @ LUMINANCE), 1e-9)).clip(0.05, None).astype(np.float32)


def _shrunk(maps: Map, size: tuple[int, int]) -> Map:
    return np.asarray(cv2.resize(maps, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.float32).copy()


def _stops(new: Map, old: Map) -> Map:
    """Return log2(new / old) in linear light, (h, w, 3), of sRGB pictures."""
    return np.log2((to_linear(new) + 1e-3) / (to_linear(old) + 1e-3)).clip(-MOST, MOST).astype(np.float32)
