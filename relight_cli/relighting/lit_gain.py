"""The gain that puts a light on a photo: new irradiance over that of its own light."""

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.cast_shadows import visibility
from relight_cli.relighting.fitted_light import dominant_direction
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.lights.light import LUMINANCE, Light
from relight_cli.relighting.lights.words import LEVEL
from relight_cli.relighting.lit_subject import MOST, Subject, mean_colour

Map = NDArray[np.float32]

_FILL = 0.1  # least irradiance, as a share of the mean: light that bounces into every shadow
_TRUSTED = 0.03  # relative error of the depth at which cast shadows have half their depth: they may be wrong
_BLUR = 0.25  # deviation of their blur, as a share of the longer side, times that error
_SAME_SUN = math.cos(math.radians(15)), math.cos(math.radians(40))  # angle to the own light: the same, another
# Shares of the own light's stops that are taken off: of the fit, of each pixel's own shading, of the cast shadows. They
# were best, together with those of the new light and the sky, on pairs 100 to 139 of benchmarks/known_lights.py.
_FIT, _SEEN_SHADING, _CAST = 0.85, 0.45, 0.55
_BELIEVED, _USUAL = 0.5, 0.5  # stops: of the spread s of a change between fitted lights b s / (u + s) is applied
_SKY_COLOUR = 0.55  # share of the stops of colour between two skies seen in pictures that is applied
_SKY = 1.5  # most stops that a sky changes
_CLOUD = 0.5  # share of the suns' colour that clouds take
_WHITE = 0.5  # stops of own colour from which nothing is a cloud
_CLIPPED, _CLIPPED_KEPT = (0.75, 0.95), 0.6  # light of a sky that may be clipped, share of its brightness that it keeps
_KNEE = -1.0  # stops below white from which highlights are compressed
_PLAIN = 1e-6, 1e6  # largest number of a light whose numbers are taken as they are
_TINIEST = float(np.finfo(float).tiny)  # whose reciprocal is finite
_GREY = LUMINANCE.astype(np.float32)


def light_gain(subject: Subject, light: Light, *, keep_exposure: bool = True, exposure: float = 0.0) -> Map:
    """Return the gain (h, w, 3) in stops that puts a light on a working copy.

    gain = log2(new irradiance / own irradiance), after the own cast shadows where the new light has another sun; the
    sky takes the colour and brightness of the new sky. With `keep_exposure` the weighted mean of log luminance stays,
    plus `exposure` in stops; else the exposure is that of the light, compared with an average of 0.5. A light that is
    itself fitted to a photo is believed less the more it would change.
    """
    change = _change(subject, light)
    change += np.float32(exposure + (_kept(subject, change) if keep_exposure else _stops_of(light)))
    return _limited(_below_white(change, subject))


def kept_exposure(subject: Subject, light: Light) -> float:
    """Return the exposure in stops that keeps a working copy's brightness under a light whose own exposure counts."""
    return _kept(subject, _change(subject, light)) - _stops_of(light)


def _kept(subject: Subject, change: Map) -> float:
    """Return the stops that make up for the weighted mean of a change (h, w, 3) of log luminance."""
    return -float(np.average(np.log2(np.exp2(change) @ _GREY), weights=subject.weights))


def _in_range(light: Light) -> Light:
    """Return a light in another unit if its numbers might overflow or vanish: for the change only its ratios count."""
    rows = [*light.harmonics, *(sun.irradiance for sun in light.suns), light.sky or (0.0,)]
    peak = max(abs(number) for row in rows for number in row)
    low, high = _PLAIN
    if peak < _TINIEST or low <= peak * light.factor <= high:
        return light
    return replace(light, exposure=0.0).scaled(1 / peak)


def _stops_of(light: Light) -> float:
    return math.log2(max(light.average(), 1e-9) / LEVEL)


def _change(subject: Subject, light: Light) -> Map:
    """Return the gain (h, w, 3) in stops from the own to a new light, both of the same mean irradiance."""
    light = _in_range(light)
    seen, shadows_off = _shadows(subject, light)
    new, level = _irradiance(subject, light, seen)
    fill = np.float32(_FILL) * mean_colour(new.reshape(-1, 3))
    lit = np.log2(new / np.float32(level) + fill)
    change = lit - _own_stops(subject, shadows_off)
    if light.fitted:
        change -= _not_believed(subject, lit)
    return _with_sky(change, subject, light, level)


def _not_believed(subject: Subject, lit: Map) -> Map:
    """Return the part (h, w, 1), in stops, of the change between two fitted lights that is left out.

    A large difference is more often a wrong fit, of a dark floor and a bright wall, than a light. The surfaces of a
    thing in front of nothing face everywhere, so that its fit is sure.
    """
    change = ((lit - np.log2(subject.own_irradiance + np.float32(_FILL))) @ _GREY)[..., None]
    if subject.outlined or not subject.surfaces.any():
        return np.zeros_like(change)
    mean, spread = change[subject.surfaces].mean(), float(change[subject.surfaces].std())
    believed = min(1.0, _BELIEVED / (_USUAL + spread))
    return np.asarray((change - mean) * np.float32(1 - believed), np.float32)


def _own_stops(subject: Subject, shadows_off: float) -> Map:
    """Return the own light (h, w, 3) in stops: that of the fit in cast shadows, and each pixel's own shading.

    All are wrong, in other places: together they are better than each. The own shading has the shadows once more.
    """
    fitted = np.log2(subject.own_irradiance + np.float32(_FILL))
    if subject.shading is None:
        return fitted - np.float32(shadows_off) * subject.shadow_gain
    seen = np.float32(_SEEN_SHADING * shadows_off)
    even = (fitted @ _GREY)[..., None]
    mixed = np.float32(_FIT) * even + seen * subject.shading[..., None]
    return fitted - even + mixed - np.float32(shadows_off * _CAST) * subject.shadow_gain


def shading_of(subject: Subject, light: Light) -> Map:
    """Return the irradiance (h, w, 3) of a light on the surfaces, with cast shadows; the brightest is 1."""
    light = _in_range(light)
    new, _ = _irradiance(subject, light, [_seen(subject, light, number) for number in range(len(light.suns))])
    new = new * (1 - subject.geometry.sky[..., None])
    return (new / max(float(np.percentile(new, 99.9)), 1e-9)).clip(0, 1).astype(np.float32)


def _irradiance(subject: Subject, light: Light, seen: list[Map]) -> tuple[Map, float]:
    """Return the irradiance (h, w, 3) of a light, and the mean of its luminance on the surfaces."""
    new = light.irradiance(subject.geometry.normals.astype(np.float32), seen).astype(np.float32)
    mean = (new[subject.surfaces] if subject.surfaces.any() else new.reshape(-1, 3)).mean(axis=0)
    return new, max(float(mean @ LUMINANCE), 1e-9)


def _seen(subject: Subject, light: Light, number: int) -> Map:
    """Return the share (h, w) of a sun that each pixel sees."""
    sun = light.suns[number]
    if not sun.luminance > 0:
        return np.ones(subject.picture.shape[:2], np.float32)
    seen = visibility(subject.geometry, sun.direction, math.radians(sun.radius))
    noise = subject.geometry.noise
    blurred = np.asarray(cv2.GaussianBlur(seen, (0, 0), max(1e-2, _BLUR * noise * max(seen.shape))))
    return np.asarray(1 - (1 - blurred) * np.float32(_TRUSTED / (_TRUSTED + noise)), np.float32)


def _shadows(subject: Subject, light: Light) -> tuple[list[Map], float]:
    """Return what of each sun every pixel sees, and the share of the own cast shadows that is taken off.

    Where a sun stands where most of the own light comes from, its shadows are in the photo already. They are taken off
    as it fades, and as far as other suns fill them, so that nothing steps when it sets or another one is brighter.
    """
    seen = [_seen(subject, light, number) for number in range(len(light.suns))]
    if not light.suns:
        return seen, 1.0
    towards, strength = dominant_direction(subject.own.light)
    cosines = np.array([sun.direction for sun in light.suns]) @ towards
    same, other = _SAME_SUN
    alike = ((cosines - other) / (same - other)).clip(0, 1) * (min(1.0, 2 * strength) * _sunny(light))
    luminances = np.array([sun.luminance for sun in light.suns])
    kept = float(alike @ luminances) / max(float(luminances.sum()), _TINIEST)
    casting = [np.float32(1 - min(own, kept)) for own in alike]
    return [1 - (1 - one) * share for one, share in zip(seen, casting, strict=True)], 1 - kept


def _with_sky(change: Map, subject: Subject, light: Light, level: float) -> Map:
    """Return the change with that of the sky, which is lit by nothing: its colour and brightness are the new sky's.

    Its own colour is taken off each pixel as far as the pixel has it: white clouds do not get its complement.
    """
    sky = subject.geometry.sky[..., None]
    if not sky.any():
        return change
    own = (subject.linear * sky).sum(axis=(0, 1)) / sky.sum()
    sky = sky * np.float32(subject.sky_found)
    brightness, colour = _levels(light.visible_sky(_rays(subject.geometry)) / level)
    own_brightness, own_colour = _levels(own / subject.own.level)
    _, seen = _levels(subject.linear / subject.own.level)
    if light.sky is None:
        colour = _clouded(colour, subject, light, seen, level)
    has = (seen @ own_colour / max(float(own_colour @ own_colour), 1e-6)).clip(0, 1)[..., None]
    taken = _colour_told(light, colour, own_colour) * has
    heaven = (colour - taken * own_colour) * np.float32(1 if light.sky is None else _SKY_COLOUR)
    brighter = np.float32(_SKY) * np.tanh((brightness - own_brightness) / np.float32(_SKY))
    low, high = _CLIPPED
    clipped = ((subject.linear.max(axis=2, keepdims=True) - low) / (high - low)).clip(0, 1)
    heaven = heaven + np.where(brighter < 0, 1 - np.float32(_CLIPPED_KEPT) * clipped, 1) * brighter
    return (change * (1 - sky) + heaven * sky).astype(np.float32)


def _clouded(colour: Map, subject: Subject, light: Light, seen: Map, level: float) -> Map:
    """Return the colour (h, w, 3) in stops of a sky in which what is white are clouds, lit by the suns as all else is.

    `colour` is that of the clear sky, `seen` (h, w, 3) that of the picture.
    """
    sunlight = light.factor * np.sum([(0.0, 0.0, 0.0), *(sun.irradiance for sun in light.suns)], axis=0)
    _, of_clouds = _levels((sunlight + light.ambient((0.0, 1.0, 0.0))) / level)
    white = 1 - (np.linalg.norm(seen, axis=2, keepdims=True) / np.float32(_WHITE)).clip(0, 1)
    return np.asarray(colour + np.float32(_CLOUD * _sunny(light)) * white * (of_clouds - colour), np.float32)


def _colour_told(light: Light, colour: Map, own_colour: Map) -> Map | np.float32:
    """Return how far a light tells what the sky of a picture looks like, (h, w, 1), 0 to 1.

    `colour` is that of its sky in stops, `own_colour` that of the picture's. A light with a sun and a white sky says
    little: a clear sky is not white.
    """
    if light.sky is not None:
        return np.float32(1)
    coloured = np.linalg.norm(colour, axis=-1, keepdims=True) / max(float(np.linalg.norm(own_colour)), 1e-3)
    return np.asarray(1 - np.float32(_sunny(light)) * (1 - coloured.clip(0, 1)), np.float32)


def _sunny(light: Light) -> float:
    """Return how far a light is that of its suns, 0 to 1: 1 from as much as the light from above gives."""
    sun = sum(sun.luminance for sun in light.suns)
    if sun == 0:
        return 0.0
    above = math.pi * float(light.radiance((0.0, 1.0, 0.0)) @ LUMINANCE) / light.factor
    return min(1.0, 2 * sun / (sun + above))


def _levels(light: NDArray[np.floating]) -> tuple[Map, Map]:
    """Return brightness (..., 1) and colour (..., 3) of light (..., 3), in stops; their sum is the light over black."""
    stops = np.log2(light + _FILL).astype(np.float32)
    grey = (stops @ _GREY)[..., None]
    return grey, stops - grey


def _rays(geometry: Geometry) -> Map:
    """Return the unit directions (h, w, 3) in which the pixels look."""
    height, width = geometry.depth.shape
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / np.float32(geometry.focal)
    y = (np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - height / 2)) / np.float32(geometry.focal)
    rays = np.stack(np.broadcast_arrays(x, -y, np.float32(-1)), axis=-1)
    return (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)


def _limited(change: Map) -> Map:
    """Return a change (h, w, 3) of MOST stops of brightness at most, and of no channel to more, in its own colour.

    Channels that were limited each by itself would turn dark blue light into red.
    """
    change = change - (change.max(axis=-1, keepdims=True) - np.float32(MOST)).clip(0, None)
    grey = (change @ _GREY)[..., None]
    held = np.maximum(grey, np.float32(-MOST))
    return np.maximum(change - grey, np.float32(-MOST)) + held


def _below_white(change: Map, subject: Subject) -> Map:
    """Return the change with bright pixels held below white: skin and white things keep their detail."""
    near = np.asarray(cv2.dilate(subject.linear, np.ones((3, 3), np.uint8)))
    result = (np.log2(near.clip(1e-4, None)) + change).max(axis=-1, keepdims=True)
    over = np.clip(result - _KNEE, 0, None)
    compressed = -_KNEE * (1 - np.exp(over / _KNEE))
    lifted = change.max(axis=-1, keepdims=True).clip(0, None)
    return change - np.minimum(over - compressed, lifted).astype(np.float32)
