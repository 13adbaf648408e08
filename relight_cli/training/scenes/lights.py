"""The lights of a scene: colours by temperature, and a key light with the sky or room around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from relight_cli.relighting.lights.light import SUN_RADIUS
from relight_cli.training.scenes.surroundings import Environment, Surroundings, Turn, sample_turn

Vector = tuple[float, float, float]

_SUN_DISTANCE = 1000.0  # a sun is a lamp so far away that its rays are parallel
_LEAST_FACING = 0.22  # cosine between the light and the normal of the main surface: less is grazing
_MOST_DRAWS = 200  # of environments, until one lights the main surface

# CIE XYZ to linear sRGB, IEC 61966-2-1.
_XYZ_TO_RGB = (
    (3.2406, -1.5372, -0.4986),
    (-0.9689, 1.8758, 0.0415),
    (0.0557, -0.2040, 1.0570),
)


@dataclass(frozen=True)
class Light:
    """One light of one scene: a round lamp (the sun is a distant one) and the ambient light."""

    position: Vector  # of the lamp's centre, metres
    radius: float  # of the lamp, metres
    reach: float  # distance at which `key` is the irradiance
    key: Vector  # linear RGB, on a surface facing the lamp
    zenith: Vector  # linear RGB arriving from above
    horizon: Vector  # linear RGB arriving from the side
    around: Surroundings | None = None  # what arrives from each direction; `zenith` and `horizon` are then its mean


@dataclass(frozen=True)
class LightTensors:
    """The lights of a batch of scenes, the fields of `Light` stacked, but for what lies around."""

    position: Tensor  # (B, L, 3)
    radius: Tensor  # (B, L)
    reach: Tensor  # (B, L)
    key: Tensor  # (B, L, 3)
    zenith: Tensor  # (B, L, 3)
    horizon: Tensor  # (B, L, 3)


def stack_lights(lights: list[list[Light]], device: str) -> LightTensors:
    """Stack the lights of B scenes, L each."""

    def field(name: str) -> Tensor:
        return torch.tensor([[getattr(light, name) for light in scene] for scene in lights], device=device)

    return LightTensors(*(field(name) for name in LightTensors.__dataclass_fields__))


def temperature_colour(kelvin: float) -> Vector:
    """Return the linear sRGB colour, luminance 1, of a black body (below 4000 K) or of daylight (above).

    Chromaticity: Kim et al. 2002 (US patent 7024034), cubic fit to the Planckian locus, from 1667 K; daylight
    locus of CIE 15:2004, section 3.1, to 25000 K.
    """
    t = kelvin
    if t < 4000:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
        if t < 2222:
            y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
        else:
            y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        if t <= 7000:
            x = -4.6070e9 / t**3 + 2.9678e6 / t**2 + 0.09911e3 / t + 0.244063
        else:
            x = -2.0064e9 / t**3 + 1.9018e6 / t**2 + 0.24748e3 / t + 0.237040
        y = -3.000 * x**2 + 2.870 * x - 0.275
    xyz = (x / y, 1.0, (1 - x - y) / y)
    red, green, blue = (max(0.02, sum(m * v for m, v in zip(row, xyz, strict=True))) for row in _XYZ_TO_RGB)
    return (red, green, blue)


def _scaled(colour: Vector, gain: float) -> Vector:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


def _balanced(light: Light, adaptation: float) -> Light:
    """Remove the light's tint as a camera's white balance does, by the share `adaptation` of it, 0 to 1."""
    mixed = [k + 0.5 * (z + h) for k, z, h in zip(light.key, light.zenith, light.horizon, strict=True)]
    luminance = 0.2126 * mixed[0] + 0.7152 * mixed[1] + 0.0722 * mixed[2]
    gains = [(luminance / m) ** adaptation for m in mixed]

    def balance(colour: Vector) -> Vector:
        return (colour[0] * gains[0], colour[1] * gains[1], colour[2] * gains[2])

    around = None if light.around is None else light.around.scaled(gains)
    return replace(
        light, key=balance(light.key), zenith=balance(light.zenith), horizon=balance(light.horizon), around=around
    )


def _around(focus: Vector, azimuth: float, elevation: float, distance: float) -> Vector:
    flat = distance * math.cos(elevation)
    return (
        focus[0] + flat * math.sin(azimuth),
        focus[1] + distance * math.sin(elevation),
        focus[2] + flat * math.cos(azimuth),
    )


def _facing(position: Vector, focus: Vector, normal: Vector) -> float:
    to_light = [p - f for p, f in zip(position, focus, strict=True)]
    return sum(a * b for a, b in zip(to_light, normal, strict=True)) / math.sqrt(sum(a * a for a in to_light))


def _place(random: Random, focus: Vector, normal: Vector, distance: float, elevations: tuple[float, float]) -> Vector:
    """Draw a position from which light reaches the main surface (facing `normal`) above a grazing angle."""
    while True:
        elevation = math.radians(random.uniform(*elevations))
        position = _around(focus, random.uniform(0, 2 * math.pi), elevation, distance)
        if _facing(position, focus, normal) > _LEAST_FACING:
            return position


def sample_sun(random: Random, focus: Vector, normal: Vector) -> Light:
    """Draw sun and sky: warm and low to white and high, hard to overcast, with a sky bluer than the sun."""
    position = _place(random, focus, normal, _SUN_DISTANCE, (10, 78))
    elevation = math.asin((position[1] - focus[1]) / _SUN_DISTANCE)
    weather = random.random()
    # The sun's disc is 0.27 degrees in radius; haze and thin cloud widen it.
    if weather < 0.62:
        spread, ratio = random.uniform(0.25, 0.6), random.uniform(0.1, 0.4)
    elif weather < 0.9:
        spread, ratio = random.uniform(0.6, 4.0), random.uniform(0.2, 0.6)
    else:
        spread, ratio = random.uniform(10, 25), random.uniform(0.75, 0.97)
    height = math.sin(elevation)
    sun_kelvin = 2000 + 3900 * min(1.0, height / 0.6) ** 0.6 + random.uniform(-150, 300)
    sky_kelvin = random.triangular(6200, 15000, 7500) if ratio < 0.6 else random.uniform(5500, 7500)
    incidence = max(0.3, _facing(position, focus, normal))
    sky = temperature_colour(sky_kelvin)
    haze = [0.5 * (a + b) for a, b in zip(sky, temperature_colour(6000), strict=True)]
    light = Light(
        position,
        _SUN_DISTANCE * math.tan(math.radians(spread)),
        _SUN_DISTANCE,
        _scaled(temperature_colour(sun_kelvin), (1 - ratio) / (ratio * incidence)),
        _scaled(sky, random.uniform(0.9, 1.2)),
        _scaled((haze[0], haze[1], haze[2]), random.uniform(0.7, 1.2)),
    )
    return _balanced(light, random.uniform(0.35, 1.0))


def sample_lamp(random: Random, focus: Vector, normal: Vector, span: float) -> Light:
    """Draw a lamp about `span` metres away, from a bulb to a softbox, in a room with weak ambient light."""
    distance = span * random.uniform(0.7, 1.6)
    position = _place(random, focus, normal, distance, (12, 80))
    ratio = math.exp(random.uniform(math.log(0.06), math.log(0.6)))
    lamp, room = temperature_colour(random.uniform(2000, 6500)), temperature_colour(random.uniform(2600, 9000))
    radius = distance * math.exp(random.uniform(math.log(0.008), math.log(0.22)))
    incidence = max(0.3, _facing(position, focus, normal))
    light = Light(
        position,
        radius,
        distance,
        _scaled(lamp, (1 - ratio) / (ratio * incidence)),
        _scaled(room, random.uniform(0.9, 1.3)),
        _scaled(room, random.uniform(0.6, 1.0)),
    )
    return _balanced(light, random.uniform(0.35, 1.0))


def environment_light(environment: Environment, turn: Turn, focus: Vector) -> Light:
    """Return the light of a turned environment map on a scene around `focus`."""
    sun, around = environment.key_after(turn), environment.rest.after(turn)
    x, y, z = sun.direction if sun else (0.0, 1.0, 0.0)
    return Light(
        (focus[0] + _SUN_DISTANCE * x, focus[1] + _SUN_DISTANCE * y, focus[2] + _SUN_DISTANCE * z),
        _SUN_DISTANCE * math.tan(math.radians(sun.radius if sun else SUN_RADIUS)),
        _SUN_DISTANCE,
        sun.irradiance if sun else (0.0, 0.0, 0.0),
        around.on_ground,
        around.on_ground,
        around,
    )


def sample_environment(random: Random, environments: Sequence[Environment], focus: Vector, normal: Vector) -> Light:
    """Draw an environment map, turned about the vertical so that its key light, if any, reaches the main surface."""
    for _ in range(_MOST_DRAWS):
        environment, turn = random.choice(environments), sample_turn(random)
        sun = environment.key_after(turn)
        if sun is None or sum(a * b for a, b in zip(sun.direction, normal, strict=True)) > _LEAST_FACING:
            break
    return _balanced(environment_light(environment, turn, focus), random.uniform(0.35, 1.0))
