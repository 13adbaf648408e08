"""Soft cast shadows through a depth map: march from each pixel towards the light, in the picture.

A ray in space is a straight line in (column, row, 1 / depth) too, so that its samples need no projection.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.geometry import Geometry, shrink

Map = NDArray[np.float32]
Vector = tuple[float, float, float]

SUN_RADIUS = math.radians(0.27)
SHARP_SIDE, SOFT_SIDE = 320, 240  # longer side of the copy that is marched through, for one ray and for several
THICKNESS = 0.08  # of things, as a share of their depth, in addition to their visible width
_LIFT = 1.5  # footprints of a pixel that rays start above their surface
_LIFT_SHARE = 2e-3  # and share of the depth
_SHARP, _SOFT = 64, 24  # samples one pixel apart; the further ones are apart by that part of their distance
_ONE_RAY = math.radians(1.0)  # lights of a smaller radius need one ray
_ABOVE, _LEAST = 0.1, 1e-3  # cosine from which a ray comes from above a surface; weight of one from below
_RAY_SPACING, _MOST_RAYS = math.radians(4.0), 12
_STEP = 0.05  # bend of the disparity, as a share of it, from which a pixel lies on the border of a thing
_SAME_DEPTH = 0.03  # relative difference of depth between pixels of one surface, for enlarging


@dataclass(frozen=True)
class _Surface:
    """Surface points as the march needs them."""

    disparity: Map  # (h, w) 1 / depth; 0 in the sky
    thickness: Map  # (h, w) of the thing at each pixel
    lifted: Map  # (h, w, 3) points where rays start: x right, y up, z towards the viewer
    focal: float
    noise: float  # relative error of the depth


def visibility(
    geometry: Geometry,
    direction: Vector,
    angular_radius: float = SUN_RADIUS,
    *,
    march_side: int = 0,
) -> Map:
    """Return the share (H, W) in [0, 1] of a distant light that reaches each pixel past the things in the picture.

    `direction` leads to the light (x right, y up, z towards the viewer), of any length; `angular_radius` is in radians
    and decides how soft the borders are. Only what the picture shows casts shadows, nothing outside it and nothing
    hidden; a thing is about as thick as it is wide, and rays that pass further behind it are free. The part of a wide
    light that is below a surface does not count: it is no shadow, and `Sun.cosine` has taken it off. Surfaces that face
    away from all of the light are in their own shadow. The sky is lit. `march_side` is the longer side of the copy that
    is marched through; 0 chooses it.
    """
    height, width = geometry.depth.shape
    rays = list(_cone(direction, angular_radius))
    side = march_side or (SHARP_SIDE if len(rays) == 1 else SOFT_SIDE)
    small = _reduced(geometry, *fit_within(height, width, side))
    surface = _lifted(small)
    blocked, weights = np.zeros((2, *small.depth.shape), np.float32)
    for ray, slope in rays:
        weight = (small.normals @ ray.astype(np.float32) / np.float32(_ABOVE)).clip(_LEAST, 1)
        blocked += weight * _blocked(surface, ray, slope, _SHARP if len(rays) == 1 else _SOFT)
        weights += weight
    seen = np.maximum(1 - blocked / weights, small.sky)
    seen = np.asarray(cv2.medianBlur(seen, 3), np.float32)  # single samples may miss thin things
    return np.maximum(_enlarged(seen, small, geometry), geometry.sky).clip(0, 1)


def _cone(direction: Vector, radius: float) -> Iterator[tuple[NDArray[np.float64], float]]:
    """Yield unit rays that fill a cone evenly (Vogel 1979), each with the slope of its own share of the cone.

    Evenly is by solid angle: a cone of 90 degrees is half of the sphere, and not its border.
    """
    axis = np.array(direction, np.float64)
    axis /= np.linalg.norm(axis)
    count = 1 if radius <= _ONE_RAY else min(_MOST_RAYS, 3 + round((radius / _RAY_SPACING) ** 2))
    other = np.eye(3)[int(np.argmin(np.abs(axis)))]
    across = np.cross(axis, other)
    across /= np.linalg.norm(across)
    upward = np.cross(axis, across)
    flat = 1 - math.cos(radius)  # the solid angle over 2 pi
    slope = math.sqrt(2 * flat / count)
    for k in range(count):
        along = 1 - flat * (k + 0.5) / count if count > 1 else 1.0
        out, turn = math.sqrt(1 - along * along), k * 2.399963
        yield along * axis + out * (math.cos(turn) * across + math.sin(turn) * upward), slope


def _reduced(geometry: Geometry, height: int, width: int) -> Geometry:
    """Return the geometry in a smaller size, edges kept."""
    own_height, own_width = geometry.depth.shape
    if (own_height, own_width) == (height, width):
        return geometry
    disparity = shrink(np.reciprocal(geometry.depth)[..., None], height, width)[..., 0]
    size = (width, height)
    normals = np.asarray(cv2.resize(geometry.normals, size, interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
    sky = np.asarray(cv2.resize(geometry.sky, size, interpolation=cv2.INTER_AREA), np.float32)
    return Geometry(np.reciprocal(disparity), normals, sky, geometry.focal * width / own_width, geometry.noise)


def _grid(height: int, width: int) -> tuple[Map, Map]:
    """Return the columns (w,) and rows (h, 1) of pixel centres, from the middle of the picture."""
    u = np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)
    v = np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)
    return u, v[:, None]


def _lifted(geometry: Geometry) -> _Surface:
    """Place the surface points and lift them towards their normals and the camera, so that none shadows itself."""
    u, v = _grid(*geometry.depth.shape)
    depth, focal = geometry.depth, geometry.focal
    one = np.ones_like(depth)
    points = np.stack((u / focal * one, -v / focal * one, -one), axis=-1) * depth[..., None]
    lift = depth * np.float32(_LIFT / focal + _LIFT_SHARE + geometry.noise)
    lifted = (points + geometry.normals * lift[..., None]) * np.float32(1 - _LIFT_SHARE)
    lifted[..., 2] = np.minimum(lifted[..., 2], -0.1 * depth)  # in front of the camera
    disparity = np.where(geometry.sky > 0.5, np.float32(0), 1 / depth).astype(np.float32)
    thickness = _thickness(disparity, depth, focal)
    return _Surface(disparity, thickness, lifted.astype(np.float32), focal, geometry.noise)


def _thickness(disparity: Map, depth: Map, focal: float) -> Map:
    """Return a thickness (h, w): a share of the depth, and twice the distance to the border of the thing."""
    border = np.zeros(disparity.shape, bool)
    for axis in (0, 1):
        bend = np.abs(
            np.diff(np.pad(disparity, ((1, 1), (0, 0)) if axis == 0 else ((0, 0), (1, 1)), mode="edge"), 2, axis)
        )
        border |= bend > _STEP * disparity
    inside = cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 5).clip(max=max(border.shape))
    return (depth * (THICKNESS + 2 * inside / focal)).astype(np.float32)


def _distances(longest: float, exact: int) -> Iterator[float]:
    """Yield the distances of samples from the start, in pixels."""
    at = 1.0
    while at < longest:
        yield at
        at += max(1.0, at / exact)


def _blocked(surface: _Surface, ray: NDArray[np.float64], slope: float, exact: int) -> Map:
    """Return the share (h, w) of a thin cone of light around a unit ray that is blocked on its way to each pixel."""
    height, width = surface.disparity.shape
    x, y, z = (np.ascontiguousarray(part) for part in np.moveaxis(surface.lifted, -1, 0))
    lx, ly, lz = (np.float32(part) for part in ray)
    start = -1 / z  # disparity
    u, v = surface.focal * x * start, -surface.focal * y * start
    du, dv = surface.focal * lx + lz * u, -surface.focal * ly + lz * v
    length = np.maximum(np.hypot(du, dv), np.float32(1e-3 * surface.focal))
    du, dv, rise = du / length, dv / length, lz * start / length
    from_start, away = x * lx + y * ly + z * lz, np.sqrt(x * x + y * y + z * z)
    cosine = from_start / away  # between the ray and the line of sight
    slant, sine = -away / z, np.sqrt((1 - cosine * cosine).clip(0))
    centre_u, centre_v = np.float32(width / 2 - 0.5), np.float32(height / 2 - 0.5)
    blocked = np.zeros((height, width), np.float32)
    thickness, least = surface.thickness, np.float32(0.5 / surface.focal + surface.noise)
    for step in _distances(math.hypot(height, width), exact):
        at_u, at_v, disparity = u + step * du, v + step * dv, start + step * rise
        place = at_u + centre_u, at_v + centre_v
        seen = cv2.remap(surface.disparity, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        alive = (disparity > 1e-6) & (seen > 1e-6)
        if not alive.any():
            break
        ray_depth, surface_depth = 1 / np.maximum(disparity, 1e-6), 1 / np.maximum(seen, 1e-6)
        clear = (surface_depth - ray_depth) * slant  # in front of the surface, along the line of sight
        travelled = ray_depth * (at_u * lx - at_v * ly) / surface.focal - ray_depth * lz - from_start
        level = np.minimum(travelled, travelled + clear * cosine)  # of the surface on the cone's axis
        radius = np.maximum(level * np.float32(slope), ray_depth * least)
        share = (0.5 - 0.5 * clear * sine / radius).clip(0, 1) * ((level > 0) | (clear < 0))
        share *= (2 + clear / cv2.remap(thickness, *place, cv2.INTER_NEAREST, borderValue=1)).clip(0, 1)
        np.maximum(blocked, share * alive, out=blocked)
    return blocked


def _enlarged(values: Map, small: Geometry, large: Geometry) -> Map:
    """Enlarge a map (h, w) to (H, W): the mean of the four nearest pixels, those of the same surface first."""
    height, width = large.depth.shape
    own_height, own_width = small.depth.shape
    if (height, width) == (own_height, own_width):
        return values
    row = ((np.arange(height) + 0.5) * own_height / height - 0.5).clip(0, own_height - 1)
    column = ((np.arange(width) + 0.5) * own_width / width - 0.5).clip(0, own_width - 1)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top).astype(np.float32)[:, None], (column - left).astype(np.float32)
    total, weights = np.zeros((2, height, width), np.float32)
    for y, vertical in ((top, 1 - down), (np.minimum(top + 1, own_height - 1), down)):
        for x, horizontal in ((left, 1 - right), (np.minimum(left + 1, own_width - 1), right)):
            at = np.ix_(y, x)
            apart = (small.depth[at] / large.depth - 1) / _SAME_DEPTH
            alike = np.einsum("hwc,hwc->hw", small.normals[at], large.normals).clip(0.1, 1)
            weight = vertical * horizontal * (alike**4 / (1 + apart * apart) + 1e-4)
            total += weight * values[at]
            weights += weight
    return total / weights
