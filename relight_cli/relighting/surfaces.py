"""Normals from disparity, with edges kept: where the light falls on a surface is decided by where it faces."""

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

RADIUS = 3  # pixels to each side of those that a plane is fitted to
SAME_SURFACE = 0.01  # share of its own disparity by which a pixel of the same surface may leave the plane
NOISE = 0.002  # the same, as a share of the near disparity: files of 8 bits have steps of 0.004
_ROUNDS = 2  # of fitting; the first starts from differences of neighbours


def disparity_normals(disparity: Map, focal: float) -> Map:
    """Return unit normals (H, W, 3): x right, y up, z towards the viewer, of a disparity (H, W) = 1 / depth.

    `focal` is in pixels, the principal point is the middle. Disparity is linear in the picture along a plane, so that
    the plane that fits a pixel's neighbours best is its tangent plane; neighbours on other surfaces, beyond a step in
    depth, do not count. No normal faces away from the viewer.
    """
    height, width = disparity.shape
    value, along, down = _fit_planes(disparity)
    u = np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)
    v = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2))[:, None]
    normals = np.stack((-focal * along, focal * down, value - along * u - down * v), axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True).clip(min=1e-12)


def _fit_planes(disparity: Map) -> tuple[Map, Map, Map]:
    """Return value and slopes per pixel, to the right and down, of the plane at each pixel (H, W)."""
    value = disparity
    along, down = _gentler_difference(disparity, 1), _gentler_difference(disparity, 0)
    near = float(np.percentile(disparity, 99))
    tolerance = np.float32(SAME_SURFACE) * np.abs(disparity) + np.float32(NOISE * near + 1e-12)
    padded = np.pad(disparity, RADIUS, mode="reflect", reflect_type="odd")
    for _ in range(_ROUNDS):
        value, along, down = _refit(disparity, padded, (value, along, down), tolerance)
    return value, along, down


def _gentler_difference(values: Map, axis: int) -> Map:
    """Return the smaller of the differences to both neighbours along an axis: the one that crosses no edge."""
    if values.shape[axis] < 2:
        return np.zeros_like(values)
    steps = np.diff(values, axis=axis)
    first, last = np.take(steps, [0], axis), np.take(steps, [-1], axis)
    before, after = np.concatenate((first, steps), axis), np.concatenate((steps, last), axis)
    return np.where(np.abs(before) < np.abs(after), before, after)


def _refit(disparity: Map, padded: Map, planes: tuple[Map, Map, Map], tolerance: Map) -> tuple[Map, Map, Map]:
    """Fit planes to the neighbours near the planes so far, by weighted least squares of their remainders."""
    value, along, down = planes
    height, width = disparity.shape
    sums = np.zeros((6, height, width), np.float32)  # of w, w x, w y, w x x, w x y, w y y
    right = np.zeros((3, height, width), np.float32)  # of w r, w r x, w r y
    span = range(-RADIUS, RADIUS + 1)
    for y in span:
        for x in span:
            window = padded[RADIUS + y : RADIUS + y + height, RADIUS + x : RADIUS + x + width]
            rest = window - value - x * along - y * down
            weight = np.square(rest / tolerance)
            weight += 1
            np.square(weight, out=weight)
            np.reciprocal(weight, out=weight)
            for total, factor in zip(sums, (1, x, y, x * x, x * y, y * y), strict=True):
                if factor:
                    total += weight * np.float32(factor)
            weight *= rest
            for total, factor in zip(right, (1, x, y), strict=True):
                if factor:
                    total += weight * np.float32(factor)
    return _solved(sums, right, planes)


def _solved(
    sums: NDArray[np.float32], right: NDArray[np.float32], planes: tuple[Map, Map, Map]
) -> tuple[Map, Map, Map]:
    """Add the solutions of the 3 x 3 systems to the planes; a little damping keeps lonely pixels as they are."""
    w, x, y, xx, xy, yy = sums.astype(np.float64)
    xx, yy, w = xx + 1e-2, yy + 1e-2, w + 1e-3
    a, b, c = right.astype(np.float64)
    # Cofactors of the symmetric matrix [[w, x, y], [x, xx, xy], [y, xy, yy]].
    k00, k01, k02 = xx * yy - xy * xy, xy * y - x * yy, x * xy - xx * y
    k11, k12, k22 = w * yy - y * y, x * y - w * xy, w * xx - x * x
    scale = 1 / (w * k00 + x * k01 + y * k02)
    steps = (k00 * a + k01 * b + k02 * c, k01 * a + k11 * b + k12 * c, k02 * a + k12 * b + k22 * c)
    value, along, down = ((old + step * scale).astype(np.float32) for old, step in zip(planes, steps, strict=True))
    return value, along, down
