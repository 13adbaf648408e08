"""What lies around a scene: the light of an environment map, by direction.

The map's sun, lamp or window becomes the key light of the scene; the rest is ambient light, and what the sky shows.
Radiance is given as the light of a white surface that it lights evenly, like all other light of the renderer.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from random import Random

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.relighting.lights.environment import map_directions, take_suns
from relight_cli.relighting.lights.light import LUMINANCE, Sun

Map = NDArray[np.float32]  # (H, W, 3) equirectangular, as in `relighting.lights.environment`

CONTRASTS = (100.0, 20.0, 8.0)  # times the mean luminance: of suns and lamps, of lit surfaces, of windows
LEAST_KEY = 0.05  # of the whole flux: a weaker sun or window is no key light
WIDEST_KEY, LOWEST_KEY = 20.0, 2.0  # degrees: radius of a key light at most, its elevation at least
BRIGHTEST = 20.0  # times the light of level ground: the sky, and what mirrors it, shows no more
BROAD = (32, 64)  # rows and columns of the map that ambient cones look up
# Degrees from the axis to which a cone gathers in full, and not at all: eight such cones about the normal, in the rings
# of `lighting`, find the irradiance of a point of light with the least error (root mean square .075 of its largest).
GATHERED = (12.0, 48.0)


@dataclass(frozen=True)
class Turn:
    """How an environment is turned about the vertical."""

    steps: int  # columns of `BROAD`, to the right
    mirrored: bool  # left to right, before that


def sample_turn(random: Random) -> Turn:
    """Draw a turn."""
    return Turn(random.randrange(BROAD[1]), random.random() < 0.5)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What arrives from all directions but the key light's, linear RGB."""

    shown: Tensor  # (3, H, W) as the sky shows it
    broad: Tensor  # (3, h, w) averaged over the cone of ambient light around each direction

    def after(self, turn: Turn) -> "Surroundings":
        """Turn the map."""

        def turned(values: Tensor) -> Tensor:
            values = values.flip(-1) if turn.mirrored else values
            return values.roll(turn.steps * values.shape[-1] // BROAD[1], -1)

        return Surroundings(turned(self.shown), turned(self.broad))

    def scaled(self, gains: Sequence[float]) -> "Surroundings":
        """Multiply the light by one gain per channel."""
        each = torch.tensor(gains)[:, None, None]
        return Surroundings(self.shown * each, self.broad * each)

    @cached_property
    def on_ground(self) -> tuple[float, float, float]:
        """The light of a white surface that faces up, linear RGB."""
        directions, angles = map_directions(*self.broad.shape[1:])
        weights = torch.from_numpy(angles * directions[..., 1].clip(min=0)).float()
        red, green, blue = ((self.broad * weights).sum((1, 2)) / weights.sum()).tolist()
        return (red, green, blue)


@dataclass(frozen=True, eq=False)
class Environment:
    """An environment map, ready to light scenes; on level ground its ambient light has luminance 1."""

    name: str
    indoors: bool
    rest: Surroundings
    key: Sun | None  # with the irradiance on a surface that faces it; None under an even sky

    def key_after(self, turn: Turn) -> Sun | None:
        """Return the key light of the turned map."""
        if self.key is None:
            return None
        x, y, z = self.key.direction
        x, angle = -x if turn.mirrored else x, turn.steps * 2 * math.pi / BROAD[1]
        c, s = math.cos(angle), math.sin(angle)
        return replace(self.key, direction=(c * x - s * z, y, s * x + c * z))


def environment_of(radiance: NDArray[np.floating], name: str = "", *, indoors: bool = False) -> Environment:
    """Return the environment of a map (H, W, 3) of linear radiance, W = 2 H; its centre is what the camera looks at."""
    values: Map = np.nan_to_num(np.maximum(np.asarray(radiance, np.float32), 0), nan=0.0, posinf=65504.0)
    directions, angles = map_directions(*values.shape[:2])
    rest, key = _key_and_rest(values, directions, angles)
    shown = torch.from_numpy(rest).movedim(-1, 0) * math.pi
    around = Surroundings(shown, broadened(shown))
    level = max(1e-6, float(LUMINANCE @ np.array(around.on_ground)))
    around, gain = replace(around, shown=shown.clamp(max=BRIGHTEST * level)), 1 / level
    if key is not None:
        red, green, blue = (gain * part for part in key.irradiance)
        key = replace(key, irradiance=(red, green, blue))
    return Environment(name, indoors, around.scaled((gain,) * 3), key)


def _key_and_rest(values: Map, directions: NDArray[np.float64], angles: NDArray[np.float64]) -> tuple[Map, Sun | None]:
    """Return the map without its key light, and that: its strongest sun, or else lamp, or else window."""
    whole = float((values @ LUMINANCE * angles).sum())
    for contrast in CONTRASTS:
        rest, suns = take_suns(values, directions, angles, contrast=contrast)
        for number, sun in enumerate(suns):
            high = math.degrees(math.asin(sun.direction[1])) > LOWEST_KEY
            if not high or sun.radius > WIDEST_KEY or sun.luminance < LEAST_KEY * whole:
                continue
            # All other suns stay in the map.
            taken = (rest != values).any(axis=-1)
            nearest = (directions[taken] @ np.array([s.direction for s in suns]).T).argmax(axis=1)
            kept = values.copy()
            kept[taken] = np.where((nearest == number)[:, None], rest[taken], values[taken])
            return kept, sun
    return values, None


def broadened(shown: Tensor) -> Tensor:
    """Return a map (3, H, W) averaged over the cone of ambient light around each direction of `BROAD`."""
    small = cv2.resize(shown.movedim(0, -1).numpy(), BROAD[::-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy((_gathering() @ small.reshape(-1, 3)).reshape(*BROAD, 3)).movedim(-1, 0)


@cache
def _gathering() -> NDArray[np.float32]:
    """Return the weights (h w, h w) with which each direction of `BROAD` gathers a map of that size."""
    directions, angles = map_directions(*BROAD)
    full, none = (math.cos(math.radians(angle)) for angle in GATHERED)
    near = (directions.reshape(-1, 3) @ directions.reshape(-1, 3).T - none) / (full - none)
    weights = near.clip(0, 1) * angles.reshape(-1)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, eq=False)
class SurroundingsTensors:
    """What lies around the scenes of a batch, for every light; black where a light has no map."""

    shown: Tensor  # (B, L, 3, H, W)
    broad: Tensor  # (B, L, 3, h, w)
    given: Tensor  # (B, L, 1, 1) whether the light has a map


def stack_surroundings(around: list[list[Surroundings | None]], device: str) -> SurroundingsTensors | None:
    """Stack what lies around B scenes under L lights each, in the size of the largest map; None if there is no map."""
    size = max((tuple(one.shown.shape[1:]) for scene in around for one in scene if one), default=None)
    if size is None:
        return None

    def stacked(read: Callable[[Surroundings], Tensor], shape: tuple[int, ...]) -> Tensor:
        """Return what `read` takes of each, (B, L, 3, *shape); zeros where a light has no map."""

        def resized(one: Surroundings | None) -> Tensor:
            if one is None:
                return torch.zeros(3, *shape)
            values = read(one)
            same = tuple(values.shape[1:]) == shape
            return values if same else F.interpolate(values[None], size=shape, mode="bilinear")[0]

        return torch.stack([torch.stack([resized(one) for one in scene]) for scene in around]).to(device)

    given = torch.tensor([[one is not None for one in scene] for scene in around], device=device)
    return SurroundingsTensors(
        stacked(lambda one: one.shown, size), stacked(lambda one: one.broad, BROAD), given[..., None, None]
    )


def look_up(maps: Tensor, direction: Tensor) -> Tensor:
    """Return what maps (B, L, 3, H, W) say of unit directions (B, 3, n), (B, L, 3, n): bilinear, closed all around."""
    joined = F.pad(maps.flatten(1, 2), (1, 1, 0, 0), mode="circular")
    across = torch.atan2(direction[:, 0], -direction[:, 2]) * (maps.shape[-1] / (maps.shape[-1] + 2) / math.pi)
    down = direction[:, 1].clamp(-1, 1).acos() * (2 / math.pi) - 1
    grid = torch.stack([across, down], -1)[:, None]
    found = F.grid_sample(joined, grid, padding_mode="border", align_corners=False)
    return found[:, :, 0].unflatten(1, maps.shape[1:3])
