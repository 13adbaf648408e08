"""Real spherical harmonics of orders 0 to 2, in the axes of the camera: x right, y up, z towards the viewer.

Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps (SIGGRAPH
2001), equations 3 and 8.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

NAMES = ("00", "1-1", "10", "11", "2-2", "2-1", "20", "21", "22")
# What a clamped cosine does to orders 0, 1 and 2: radiance becomes irradiance (equation 8).
COSINE = np.array((math.pi, *(3 * (2 * math.pi / 3,)), *(5 * (math.pi / 4,))))

_ORDER_0 = math.sqrt(1 / (4 * math.pi))
_ORDER_1 = math.sqrt(3 / (4 * math.pi))
_ORDER_2 = math.sqrt(15 / (4 * math.pi))
_ORDER_20 = math.sqrt(5 / (16 * math.pi))
_GOLDEN = (1 + math.sqrt(5)) / 2


def basis(directions: ArrayLike) -> NDArray[np.floating]:
    """Return the nine functions (..., 9), in the order of NAMES, at unit directions (..., 3); float32 stays float32."""
    at = np.asarray(directions)
    at = at if at.dtype == np.float32 else at.astype(float)
    x, y, z = np.moveaxis(at, -1, 0)
    found = np.empty((*at.shape[:-1], 9), at.dtype)
    found[..., 0] = _ORDER_0
    found[..., 1], found[..., 2], found[..., 3] = _ORDER_1 * y, _ORDER_1 * z, _ORDER_1 * x
    found[..., 4], found[..., 5], found[..., 7] = _ORDER_2 * x * y, _ORDER_2 * y * z, _ORDER_2 * x * z
    found[..., 6], found[..., 8] = _ORDER_20 * (3 * z * z - 1), _ORDER_2 / 2 * (x * x - y * y)
    return found


def project(radiance: ArrayLike, directions: ArrayLike, solid_angles: ArrayLike) -> NDArray[np.float64]:
    """Return the coefficients (9, 3) of radiance (N, 3) from directions (N, 3), each with its solid angle (N,)."""
    weighted = np.asarray(radiance, float) * np.asarray(solid_angles, float)[:, None]
    return basis(directions).astype(float).T @ weighted


def rotation_of_coefficients(rotation: ArrayLike) -> NDArray[np.float64]:
    """Return the matrix (9, 9) that turns coefficients as the matrix `rotation` (3, 3) turns directions; exact.

    The turned basis is projected on the basis. Products of two functions of order 2 are polynomials of degree 4, which
    the 12 corners of an icosahedron, a spherical 5-design, sum without error (Delsarte, Goethals and Seidel 1977).
    """
    turn = np.asarray(rotation, float)
    corners = np.array([(0, a, b * _GOLDEN) for a in (-1, 1) for b in (-1, 1)]) / math.hypot(1, _GOLDEN)
    corners = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    return 4 * math.pi / len(corners) * basis(corners).T @ basis(corners @ turn)  # R^T d, as rows: d R


def sphere_grid(rows: int = 64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return directions (N, 3) over the whole sphere and their solid angles (N,): Gauss-Legendre in y, even around it.

    Exact for polynomials of degree below 2 `rows`; half of the rows lies above the horizon.
    """
    heights, weights = np.polynomial.legendre.leggauss(rows)
    angles = (np.arange(2 * rows) + 0.5) * math.pi / rows
    y, angle = np.meshgrid(heights, angles, indexing="ij")
    flat = np.sqrt(1 - y**2)
    directions = np.stack((flat * np.sin(angle), y, flat * np.cos(angle)), axis=-1).reshape(-1, 3)
    return directions, np.repeat(weights * math.pi / rows, 2 * rows)
