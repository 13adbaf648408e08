"""The light of a picture, fitted to its shading on its normals.

Ramamoorthi and Hanrahan 2001: irradiance is nearly nine harmonics of the normal. The fit is robust and regularised,
because a picture shows few of the normals, and its shading is an estimate.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.lights.harmonics import COSINE, basis
from relight_cli.relighting.lights.light import LUMINANCE, Light, as_rows

Map = NDArray[np.float32]

RIDGE = np.array((0.0, *(3 * (0.004,)), *(5 * (0.02,))))  # penalty of each coefficient, of a shading with mean 1
_HUBER = 0.25  # relative difference from which a pixel counts less
_ROUNDS = 8
_MOST_SAMPLES = 20_000
_DARKEST = 0.15  # irradiance, as a share of the mean, below which a difference is not taken relative to it
_LEAST_WEIGHT = 50.0  # pixels that a fit needs; with fewer the light is even


@dataclass(frozen=True)
class FittedLight:
    """The light that explains the shading of a picture best."""

    light: Light  # ambient light only: suns are in it as far as harmonics of order 2 can hold them
    level: float  # mean luminance of its irradiance on the surfaces in the picture

    def irradiance(self, normals: Map) -> Map:
        """Return the irradiance (..., 3) of unit normals (..., 3), nowhere below a share of the mean."""
        least = np.float32(_DARKEST) * (self.light.coefficients[0] * COSINE[0] * basis((0.0, 0.0, 1.0))[0])
        return np.maximum(self.light.ambient(normals), least.astype(np.float32)).astype(np.float32)


def fit_light(shading: Map, normals: Map, weights: Map) -> FittedLight:
    """Return the light whose irradiance is nearest to a shading (H, W, 3), linear, on unit normals (H, W, 3).

    `weights` (H, W) in [0, 1] leave out what is no surface, such as the sky, or not known, such as clipped pixels.
    Relative differences are minimised, large ones by their absolute value (Huber), so that what is in a shadow or of
    another albedo than thought counts less. Where the picture has few normals, the light is as even as they allow.
    """
    step = max(1, math.isqrt(weights.size // _MOST_SAMPLES))
    values, at, weight = (maps[::step, ::step].reshape(-1, *maps.shape[2:]) for maps in (shading, normals, weights))
    kept = weight > 0
    values, weight = values[kept].astype(np.float64), weight[kept].astype(np.float64)
    at = np.asarray(basis(at[kept]), np.float64)
    if weight.sum() < _LEAST_WEIGHT / step**2 or not weight.sum() > 0:
        return FittedLight(_even(np.ones(3)), 1.0)
    mean = np.exp(weight @ np.log(values.clip(1e-4)) / weight.sum())
    found = (
        np.stack([_fit((values[:, c] / mean[c]).astype(float), at, weight / weight.sum()) for c in range(3)], axis=-1)
        * mean
    )
    fitted = np.maximum(at @ found, _DARKEST * mean)
    level = float(weight @ (fitted @ LUMINANCE) / weight.sum())
    return FittedLight(Light(as_rows(found / COSINE[:, None]), origin="fitted to a picture"), level)


def _fit(values: NDArray[np.float64], at: NDArray[np.floating], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return irradiance coefficients (9,) of values (N,), which are 1 on average, by reweighted least squares."""
    found = np.zeros(9)
    found[0] = 1 / at[0, 0]
    for _ in range(_ROUNDS):
        expected = np.maximum(at @ found, _DARKEST)
        rest = np.abs(values / expected - 1)
        share = weight * np.minimum(1, _HUBER / np.maximum(rest, 1e-9)) / expected**2
        system = at.T @ (at * share[:, None]) + np.diag(RIDGE)
        found = np.linalg.solve(system, at.T @ (share * values))
    return found


def _even(irradiance: NDArray[np.float64]) -> Light:
    rows = np.zeros((9, 3))
    rows[0] = irradiance / (COSINE[0] * basis((0.0, 0.0, 1.0))[0])
    return Light(as_rows(rows), origin="even light")


def dominant_direction(light: Light) -> tuple[NDArray[np.float64], float]:
    """Return the unit vector that most light comes from, and how much more than average, 0 (even) to 1 (one sun).

    Source: the harmonics of order 1 point to the centre of the radiance.
    """
    grey = light.coefficients @ LUMINANCE
    towards = np.array((grey[3], grey[1], grey[2]))
    length = float(np.linalg.norm(towards))
    if length < 1e-9 * max(abs(grey[0]), 1e-9):
        return np.array((0.0, 0.0, 1.0)), 0.0
    return towards / length, min(1.0, length / (math.sqrt(3) * max(grey[0], 1e-9)))
