"""The light of an environment map: an equirectangular picture of all directions."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.harmonics import project
from relight_cli.relighting.lights.light import LUMINANCE, Colour, Light, Sun, Vector, as_rows
from relight_cli.relighting.lights.words import LEVEL

Map = NDArray[np.float32]  # (H, W, 3), W = 2 H: radiance in linear sRGB

SUN_CONTRAST = 100.0  # times the mean luminance: what is brighter belongs to a sun
WIDEST_MAP = 2048  # columns; larger maps are averaged down, a column is then a third of the sun's width
MOST_SUNS = 8
_TOGETHER = 5.0  # degrees: bright regions closer than this are one sun
_WEAKEST = 0.005  # share of the whole flux below which a bright region stays in the map
_ONE_WAY = 0.95  # least length of the mean direction of a sun's light: an arc of 60 degrees has it, a ring nothing
_INFINITE = 65504.0  # least radiance that an infinite pixel counts as: the largest number of the half floats of EXR
_PLAIN = 1e-3, 1e6  # largest radiance of a map whose numbers are taken as they are


@dataclass(frozen=True)
class EnvironmentLight:
    """What a map gives: its light, and what the user should know."""

    light: Light
    notes: tuple[str, ...]


def light_of_environment(radiance: NDArray, *, clipped: bool = False) -> EnvironmentLight:
    """Return the light of a map (H, W, 3) of linear radiance; its centre is what the camera looks at.

    Right of the centre is right, the top row is above; the borders are behind the camera. Regions over SUN_CONTRAST x
    the mean luminance become suns and are replaced by what surrounds them, so that no light counts twice. The numbers
    are the map's, unless they are extreme; the exposure brings them to LEVEL. `clipped` says that the map has no values
    above white. Raises UsageError for other shapes than 2:1.
    """
    height, width = radiance.shape[:2]
    if abs(width - 2 * height) > max(2, 0.01 * width):
        raise UsageError(
            f"a map of {width} x {height} pixels is not equirectangular: it has to be twice as wide as high."
        )
    if height < 2:
        raise UsageError(f"a map of {width} x {height} pixels says nothing about directions: give a larger one.")
    notes = []
    values = np.asarray(radiance, np.float32)
    if not np.isfinite(values).all():
        notes.append("pixels that are not numbers are taken as black, infinite ones as very bright")
        brightest = float(values.max(initial=0.0, where=np.isfinite(values)))
        values = np.nan_to_num(values, nan=0.0, posinf=max(_INFINITE, brightest), neginf=0.0)
    values = _in_range(np.maximum(values, 0))
    if width > WIDEST_MAP:
        smaller = cv2.resize(values, (WIDEST_MAP, WIDEST_MAP // 2), interpolation=cv2.INTER_AREA)
        values = np.asarray(smaller, np.float32)
    directions, angles = map_directions(*values.shape[:2])
    rest, suns = take_suns(values, directions, angles)
    if clipped:
        notes.append("its values end at white, so suns and lamps in it are too weak: use an .hdr or .exr map")
    light = Light(as_rows(project(rest.reshape(-1, 3), directions.reshape(-1, 3), angles.ravel())), suns)
    average = light.average()
    if not values.any():
        notes.append("it is black: a light of nothing")
        return EnvironmentLight(light, tuple(notes))
    return EnvironmentLight(replace(light, exposure=math.log2(LEVEL / average)), tuple(notes))


def _in_range(values: Map) -> Map:
    """Return a map in a unit in which its numbers neither overflow nor vanish: its own if they do not."""
    largest = float(values.max())
    low, high = _PLAIN
    return values if low <= largest <= high or largest == 0 else np.asarray(values / np.float32(largest), np.float32)


def map_directions(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions (H, W, 3) of the pixels' centres and the solid angles (H, W) of the pixels."""
    borders = np.sin(math.pi / 2 - np.arange(height + 1) * math.pi / height)
    up = math.pi / 2 - (np.arange(height) + 0.5) * math.pi / height
    across = (np.arange(width) + 0.5) * 2 * math.pi / width - math.pi
    flat = np.cos(up)[:, None]
    x, z = flat * np.sin(across), -flat * np.cos(across)
    directions = np.stack((x, np.broadcast_to(np.sin(up)[:, None], x.shape), z), axis=-1)
    angles = (borders[:-1] - borders[1:])[:, None] * np.full((1, width), 2 * math.pi / width)
    return directions, angles


def take_suns(
    radiance: Map,
    directions: NDArray[np.float64],
    angles: NDArray[np.float64],
    *,
    contrast: float = SUN_CONTRAST,
) -> tuple[Map, tuple[Sun, ...]]:
    """Return the map without its suns, and the suns, the strongest first: regions over `contrast` x the mean."""
    luminance = radiance @ LUMINANCE
    mean = float((luminance * angles).sum() / angles.sum())
    labels = _regions(luminance * angles, luminance > contrast * mean, directions)
    rest, suns = radiance.copy(), []
    for label in range(1, labels.max() + 1):
        inside = labels == label
        around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & (labels == 0)
        weights = angles[around][:, None]
        background = (radiance[around] * weights).sum(axis=0) / weights.sum() if around.any() else np.zeros(3)
        sun = _sun(radiance[inside] - background, directions[inside], angles[inside])
        if sun is not None and sun.luminance >= _WEAKEST * mean * 4 * math.pi:
            suns.append((sun, inside, background))
    suns.sort(key=lambda found: -found[0].luminance)
    for _, inside, background in suns[:MOST_SUNS]:
        rest[inside] = background
    return rest, tuple(sun for sun, _, _ in suns[:MOST_SUNS])


def _sun(excess: NDArray, directions: NDArray[np.float64], angles: NDArray[np.float64]) -> Sun | None:
    """Return the sun of a region's radiance above its surroundings (N, 3).

    None if nothing is left of it, or if its light comes from all over an arc.
    """
    flux = np.clip(excess, 0, None) * angles[:, None]
    luminance = flux @ LUMINANCE
    centre = luminance @ directions
    length = float(np.linalg.norm(centre))
    if not length > _ONE_WAY * float(luminance.sum()):
        return None
    centre /= length
    facing = flux.T @ np.clip(directions @ centre, 0, None)
    radius = math.degrees(math.acos(max(0.0, 1 - float(angles.sum()) / (2 * math.pi))))
    return Sun(_three(centre), _three(facing), min(90.0, radius))


def _regions(
    flux: NDArray[np.float64], bright: NDArray[np.bool_], directions: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Return labels (H, W), 0 elsewhere, of connected bright regions; also across the border, and if near together.

    Of very many regions only those with the most flux are kept.
    """
    count, found = cv2.connectedComponents(bright.astype(np.uint8), connectivity=8)
    labels = np.asarray(found, np.int32)
    if count <= 2:
        return labels
    order = np.argsort(-np.bincount(labels[bright], flux[bright], minlength=count))[: 8 * MOST_SUNS]
    kept = [int(label) for label in order if label and (labels == label).any()]
    centres = np.array([_unit(directions[labels == label].sum(axis=0)) for label in kept])
    near = centres @ centres.T > math.cos(math.radians(_TOGETHER))
    first, last = labels[:, 0], labels[:, -1]
    for shift in (-1, 0, 1):
        moved = np.roll(last, shift)
        for one, other in zip(first, moved, strict=True):
            if one in kept and other in kept:
                near[kept.index(one), kept.index(other)] = near[kept.index(other), kept.index(one)] = True
    joined = np.zeros_like(labels)
    groups = _groups(near)
    for label, group in zip(kept, groups, strict=True):
        joined[labels == label] = group + 1
    return joined


def _groups(near: NDArray[np.bool_]) -> list[int]:
    """Return the number of the group, from 0, of each of N things that are pairwise near (N, N) or not."""
    group = [-1] * len(near)
    for start in range(len(near)):
        if group[start] >= 0:
            continue
        number, waiting = max(group) + 1, [start]
        while waiting:
            one = waiting.pop()
            if group[one] < 0:
                group[one] = number
                waiting += [int(other) for other in np.flatnonzero(near[one])]
    return group


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(1e-12, float(np.linalg.norm(vector)))


def _three(values: NDArray) -> Vector | Colour:
    return (float(values[0]), float(values[1]), float(values[2]))
