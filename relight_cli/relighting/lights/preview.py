"""A picture of a light: a ball on a floor."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relight_cli.relighting.lights.light import Light, Sun

Picture = NDArray[np.float32]

SIZE = (240, 360)  # height, width
_SAMPLES = 2  # per pixel and axis
_EYE = np.array((0.0, 1.5, 6.5))  # the camera looks level towards -z
_BALL = np.array((0.0, 1.0, 0.0))  # radius 1, on the floor y = 0
_BALL_COLOUR, _FLOOR_COLOURS = 0.7, (0.5, 0.42)  # reflectances
_FOCAL = 3.2  # of half the picture's height
_HORIZON = 0.62  # of the picture's height, from the top, less than half of it: the lens is shifted
_SHOULDER = 0.75  # linear value from which brightness is compressed


def preview(light: Light, size: tuple[int, int] = SIZE) -> Picture:
    """Draw a grey ball on a tiled floor under a light: linear sRGB (H, W, 3), 0 to 1, seen by a level camera.

    The ball's shadows have the width of their suns; the background is the ambient light of that direction.
    """
    height, width = (side * _SAMPLES for side in size)
    rows, columns = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    rays = np.stack(
        (
            (2 * columns - width) / height,
            (_HORIZON * height - rows) * 2 / height - (2 * _HORIZON - 1) * 2,
            np.full_like(rows, -_FOCAL),
        ),
        axis=-1,
    ).reshape(-1, 3)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    picture = _background(light, rays)
    to_floor = np.where(rays[:, 1] < 0, -_EYE[1] / np.minimum(rays[:, 1], -1e-9), np.inf)
    floor = to_floor < np.inf
    points = _EYE + rays[floor] * to_floor[floor][:, None]
    picture[floor] = _haze(_floor(light, points), picture[floor], to_floor[floor])
    to_ball = _distance_to_ball(rays)
    ball = np.isfinite(to_ball)
    picture[ball] = _BALL_COLOUR * light.irradiance(_EYE + rays[ball] * to_ball[ball][:, None] - _BALL)
    fine = picture.reshape(size[0], _SAMPLES, size[1], _SAMPLES, 3)
    return _compressed(fine).mean(axis=(1, 3)).astype(np.float32)


def hidden_share(sun: Sun, points: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return the share (N,) of a sun's disc that the ball hides from points (N, 3) outside it."""
    to_ball = _BALL - points
    distance = np.linalg.norm(to_ball, axis=1)
    ball = np.arcsin(np.clip(1 / distance, 0, 1))
    apart = np.arccos(np.clip(to_ball @ np.array(sun.direction) / distance, -1, 1))
    return _overlap(math.radians(sun.radius), ball, apart)


def _overlap(small: float, large: NDArray[np.float64], apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a disc of radius `small` that discs of radius `large` cover at a distance, in the plane."""
    a = (apart**2 + small**2 - large**2) / (2 * small * np.maximum(apart, 1e-12))
    b = (apart**2 + large**2 - small**2) / (2 * large * np.maximum(apart, 1e-12))
    kite = np.clip((small + large - apart) * (apart + small - large), 0, None) * np.clip(
        (apart - small + large) * (apart + small + large), 0, None
    )
    lens = small**2 * np.arccos(np.clip(a, -1, 1)) + large**2 * np.arccos(np.clip(b, -1, 1)) - 0.5 * np.sqrt(kite)
    share = lens / (math.pi * small**2)
    inside = np.minimum((large / small) ** 2, 1.0)
    return np.clip(np.where(apart >= small + large, 0, np.where(apart <= np.abs(large - small), inside, share)), 0, 1)


def _floor(light: Light, points: NDArray[np.float64]) -> NDArray[np.floating]:
    up = np.broadcast_to(np.array((0.0, 1.0, 0.0)), points.shape)
    tile = (np.floor(points[:, 0]) + np.floor(points[:, 2])) % 2
    colour = np.where(tile > 0, *_FLOOR_COLOURS)[:, None]
    distance = np.linalg.norm(_BALL - points, axis=1)
    # A ball of radius 1 takes (1 / distance)^2 x the cosine to its centre from the irradiance of even light.
    open_sky = 1 - _BALL[1] / distance**3
    total = light.ambient(up) * open_sky[:, None]
    for number, sun in enumerate(light.suns):
        total = total + light.sunlight(up, number) * (1 - hidden_share(sun, points))[:, None]
    return colour * total


def _distance_to_ball(rays: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return the distance (N,) along rays (N, 3) from the eye to the ball, infinite where they miss it."""
    towards = _BALL - _EYE
    along = rays @ towards
    inside = along**2 - towards @ towards + 1
    return np.asarray(np.where((inside > 0) & (along > 0), along - np.sqrt(np.clip(inside, 0, None)), np.inf), float)


def _background(light: Light, rays: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return the ambient radiance that the rays meet, as a white surface of that radiance shows it, and the suns."""
    picture = math.pi * light.radiance(rays)
    for sun in light.suns:
        apart = np.arccos(np.clip(rays @ np.array(sun.direction), -1, 1))
        disc = apart < math.radians(max(sun.radius, 0.5))
        picture[disc] += np.clip(light.factor * np.array(sun.irradiance) * 3, 0.8, None)
    return picture


def _haze(near: NDArray[np.floating], far: NDArray[np.floating], distance: NDArray[np.float64]) -> NDArray[np.floating]:
    """Let the floor end in the background's light, so that the horizon has no hard line of small tiles."""
    share = np.exp(-((distance / 40) ** 2))[:, None]
    return share * near + (1 - share) * far


def _compressed(light: ArrayLike) -> NDArray[np.float64]:
    """Return linear light with what is above the shoulder compressed to below 1."""
    values = np.asarray(light, float)
    room = 1 - _SHOULDER
    high = _SHOULDER + room * (1 - np.exp(-np.clip(values - _SHOULDER, 0, None) / room))
    return np.where(values > _SHOULDER, high, np.clip(values, 0, None))
