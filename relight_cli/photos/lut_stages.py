"""Steps of a conversion through tables; each takes and returns planes (3, n) of float32.

Values are clipped to [0, 1] where lcms2 clips them: at curves and at tables of nodes. NaN becomes 0 there.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.pixel_bands import PADDING

Values = NDArray[np.float32]
Doubles = NDArray[np.float64]
Stage = Callable[[Values], Values]

STEPS = 65535
_KNEE, _SLOPE = 6 / 29, 108 / 841  # of the curve of L*: light is f ** 3 above, a straight line of f below


def to_planes(pixels: NDArray) -> Values:
    """Return pixels (n, 3), uint8, uint16 or float32, as planes in [0, 1], with a few more pixels at the end."""
    planes = np.zeros((3, len(pixels) + PADDING), np.float32)
    scale = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    np.divide(pixels.T, scale, out=planes[:, : len(pixels)], dtype=np.float32)
    return planes


def to_pixels(planes: Values) -> Values:
    """Return the pixels (n, 3) that `to_planes` was given."""
    return np.ascontiguousarray(planes[:, :-PADDING].T)


def clipped(values: Values) -> Values:
    """Return values clipped to [0, 1]; NaN becomes 0."""
    inside = np.fmax(values, np.float32(0))  # fmax returns the other value where one is NaN
    return np.fmin(inside, np.float32(1), out=inside)


def through(stages: tuple[Stage, ...], planes: Values) -> Values:
    """Return planes converted by one stage after the other."""
    for stage in stages:
        planes = stage(planes)
    return planes


def curves(tables: Doubles) -> Iterator[Stage]:
    """Yield the lookup of values in curves (3, 65536), at the nearest of 65536 steps as in lcms2, unless straight."""
    if np.abs(tables - np.linspace(0, 1, STEPS + 1)).max() < 0.5 / STEPS:
        return
    narrow = tables.astype(np.float32)

    def stage(planes: Values) -> Values:
        steps = (clipped(planes) * np.float32(STEPS) + np.float32(0.5)).astype(np.uint16)
        return np.stack([table.take(step) for table, step in zip(narrow, steps, strict=True)])

    yield stage


def affine(matrix: NDArray[np.floating], offset: Doubles) -> Iterator[Stage]:
    """Yield matrix (3, 3) @ planes + offset (3,), unless that changes nothing."""
    if np.array_equal(matrix, np.eye(3)) and not offset.any():
        return

    def stage(planes: Values) -> Values:  # not a product of matrices: its rounding would depend on n
        out = np.repeat(offset.astype(np.float32)[:, None], planes.shape[1], axis=1)
        for plane, row in zip(out, matrix.astype(np.float32), strict=True):
            for weight, source in zip(row, planes, strict=True):
                if weight:
                    plane += weight * source
        return out

    yield stage


def cube(nodes: Values, points: int, *, trilinear: bool) -> Stage:
    """Return the interpolation between nodes (points^3, 3), the third colour fastest: trilinear, else tetrahedral."""
    tables = np.ascontiguousarray(nodes.T)
    strides = np.array((points * points, points, 1), np.intp)

    def stage(planes: Values) -> Values:
        """Return colours (3, n), interpolated."""
        position = clipped(planes)
        position *= np.float32(points - 1)
        below = np.minimum(position.astype(np.int32), points - 2)
        position -= below
        first = ((below[0] * points + below[1]) * points + below[2]).astype(np.intp)
        if trilinear:
            return np.stack([_trilinear(table, first, strides, position) for table in tables])
        return _tetrahedral(tables, first, strides, position)

    return stage


def light_of_roots(roots: Values) -> Values:
    """Return X, Y and Z, relative to white, of their roots in L*a*b* (CIE 15:2004, 8.2.1)."""
    above = np.maximum(roots, np.float32(_KNEE))
    light = above * above
    light *= above
    below = np.minimum(roots, np.float32(_KNEE))
    below -= np.float32(_KNEE)
    below *= np.float32(_SLOPE)
    light += below
    return light


def roots_of_light(light: Values) -> Values:
    """Return the inverse of `light_of_roots`."""
    roots = np.asarray(cv2.pow(np.maximum(light, np.float32(_KNEE**3)), 1 / 3), np.float32)
    below = np.minimum(light, np.float32(_KNEE**3))
    below -= np.float32(_KNEE**3)
    below *= np.float32(1 / _SLOPE)
    roots += below
    return roots


def _trilinear(table: Values, first: NDArray[np.intp], strides: NDArray[np.intp], position: Values) -> Values:
    steps = [(x, y, z) @ strides for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    values = [table.take(first + step, mode="clip") for step in steps]
    for share in position[::-1]:
        for low, high in zip(values[::2], values[1::2], strict=True):
            high -= low
            high *= share
            high += low
        values = values[1::2]
    return values[0]


def _tetrahedral(tables: Values, first: NDArray[np.intp], strides: NDArray[np.intp], position: Values) -> Values:
    """Interpolate between the corners of the path along the colours, from the largest position to the smallest."""
    x, y, z = position
    most, least = np.maximum(np.maximum(x, y), z), np.minimum(np.minimum(x, y), z)
    middle = x + y + z - most - least
    last = first + strides.sum()
    second = first + np.where(x == most, strides[0], np.where(y == most, strides[1], strides[2]))
    third = last - np.where(z == least, strides[2], np.where(y == least, strides[1], strides[0]))
    out = np.zeros_like(position)
    for corner, weight in ((first, 1 - most), (second, most - middle), (third, middle - least), (last, least)):
        for plane, table in zip(out, tables, strict=True):
            values = table.take(corner, mode="clip")
            values *= weight
            plane += values
    return out
