"""A light that belongs to no picture: spherical harmonics, suns and an exposure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.harmonics import COSINE, NAMES, basis, rotation_of_coefficients

Colour = tuple[float, float, float]  # linear sRGB
Vector = tuple[float, float, float]  # x right, y up, z towards the viewer

LUMINANCE = np.array((0.2126, 0.7152, 0.0722))  # of linear sRGB, IEC 61966-2-1
DARKEST = 1e-3  # of the average irradiance: where the harmonics, cut off at order 2, fall below it
LEAST = 1e-9  # irradiance that is never undercut, so that a quotient of two lights is finite
_BEHIND = (0.0, math.sin(math.radians(10)), -math.cos(math.radians(10)))  # where the sky of a picture is
SUN_RADIUS = 0.27  # degrees, as seen from the earth
WIDEST = 90.0  # degrees: half of the sphere
MOST_STOPS = 100  # of exposure: beyond it products of lights overflow
_ROUNDED = 1e-6  # by which a unit vector of rounded numbers differs in length, at most


@dataclass(frozen=True)
class Sun:
    """A light from one direction: the sun, a lamp, a window."""

    direction: Vector  # unit vector towards the light
    irradiance: Colour  # on a surface that faces it
    radius: float = SUN_RADIUS  # degrees: half its angular width, which softens the borders of shadows

    def __post_init__(self) -> None:
        direction, irradiance = (_three(value) for value in (self.direction, self.irradiance))
        length = math.hypot(*direction)
        if not length > 0:
            raise UsageError("the direction of a sun has no length: give x, y, z towards the light.")
        if min(irradiance) < 0:
            raise UsageError(f"the irradiance {irradiance} of a sun is negative: give red, green and blue from 0.")
        if not 0 < self.radius <= WIDEST:
            raise UsageError(f"the radius {self.radius} of a sun is out of range: give over 0, to {WIDEST:g} degrees.")
        if abs(length - 1) > _ROUNDED:  # a saved one comes back digit for digit
            direction = _three([part / length for part in direction])
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "irradiance", irradiance)

    @property
    def luminance(self) -> float:
        """The luminance of the irradiance."""
        return float(LUMINANCE @ self.irradiance)

    def cosine(self, normals: ArrayLike) -> NDArray[np.floating]:
        """Return the share (...) of the irradiance that surfaces with unit normals (..., 3) get without a shadow.

        That is max(0, n . l), and where the light itself is partly below the surface, (n . l + s)^2 / 4s, s = sin of
        the radius: a parabola that joins both ends with their slopes.
        """
        at = np.asarray(normals)
        towards = at @ np.array(self.direction, at.dtype if at.dtype == np.float32 else float)
        width = math.sin(math.radians(self.radius))
        return np.where(towards >= width, towards, np.clip(towards + width, 0, None) ** 2 / (4 * width))


@dataclass(frozen=True)
class Light:
    """Ambient light as radiance coefficients, suns that are not in them, and an exposure.

    A surface of reflectance r shows r x irradiance in linear sRGB: irradiance 1 lets a white surface be just white.
    """

    harmonics: tuple[Colour, ...]  # nine rows L_lm of red, green, blue, in the order of harmonics.NAMES
    suns: tuple[Sun, ...] = ()
    exposure: float = 0.0  # stops: everything is multiplied by 2^exposure
    origin: str = ""  # where the light comes from, for people
    sky: Colour | None = None  # what the sky in the picture shows, without the exposure; None: what the harmonics say
    fitted: bool = False  # to a photo: its exposure is that photo's, and it is believed less the more it would change

    def __post_init__(self) -> None:
        if self.sky is not None:
            sky = _three(self.sky)
            if min(sky) < 0:
                raise UsageError(f"the sky {sky} of a light is negative: give red, green and blue from 0.")
            object.__setattr__(self, "sky", sky)
        rows = tuple(_three(row) for row in self.harmonics)
        if len(rows) != len(NAMES):
            raise UsageError(f"a light has {len(NAMES)} harmonics, not {len(rows)}.")
        if not abs(self.exposure) <= MOST_STOPS:
            raise UsageError(
                f"the exposure {self.exposure:g} of a light is out of range: give {-MOST_STOPS} to {MOST_STOPS} stops."
            )
        object.__setattr__(self, "harmonics", rows)
        object.__setattr__(self, "suns", tuple(self.suns))

    @cached_property
    def coefficients(self) -> NDArray[np.float64]:
        """The radiance coefficients (9, 3) without the exposure."""
        return np.array(self.harmonics)

    @property
    def factor(self) -> float:
        """2^exposure."""
        return 2.0**self.exposure

    def radiance(self, directions: ArrayLike) -> NDArray[np.floating]:
        """Return the ambient radiance (..., 3) that arrives from unit directions (..., 3): blurred, never negative."""
        at = basis(directions)
        return np.clip(at @ (self.factor * self.coefficients).astype(at.dtype), 0, None)

    def visible_sky(self, directions: ArrayLike) -> NDArray[np.floating]:
        """Return what the sky in unit directions (..., 3) shows, (..., 3): `sky`, else pi times the radiance.

        A white surface under an even sky is as bright as that sky.
        """
        if self.sky is None:
            return math.pi * self.radiance(directions)
        at = np.asarray(directions)
        return np.broadcast_to(self.factor * np.array(self.sky), at.shape).astype(np.result_type(at.dtype, np.float32))

    def ambient(self, normals: ArrayLike) -> NDArray[np.floating]:
        """Return the ambient irradiance (..., 3) of surfaces with unit normals (..., 3), above zero everywhere.

        E(n) = sum A_l L_lm Y_lm(n), A = (pi, 2 pi / 3, pi / 4), at least DARKEST of the average. float32 stays float32.
        """
        at = basis(normals)
        scaled = self.factor * COSINE[:, None] * self.coefficients
        least = np.maximum(DARKEST * scaled[0] * basis((0.0, 0.0, 1.0))[0], LEAST)
        return np.maximum(at @ scaled.astype(at.dtype), least.astype(at.dtype))

    def sunlight(self, normals: ArrayLike, number: int) -> NDArray[np.floating]:
        """Return the irradiance (..., 3) that sun `number` gives to surfaces with unit normals (..., 3), no shadow."""
        share = self.suns[number].cosine(normals)
        return share[..., None] * (self.factor * np.array(self.suns[number].irradiance)).astype(share.dtype)

    def irradiance(self, normals: ArrayLike, visibility: Sequence[ArrayLike] | None = None) -> NDArray[np.floating]:
        """Return the irradiance (..., 3) of surfaces with unit normals (..., 3): ambient light and suns.

        `visibility` has for each sun the share (...) of it, 0 to 1, that no other surface hides; None: all of it.
        float32 normals give float32. Source: Ramamoorthi and Hanrahan 2001, equation 9.
        """
        total = self.ambient(normals)
        for number in range(len(self.suns)):
            light = self.sunlight(normals, number)
            if visibility is not None:
                light *= np.asarray(visibility[number], light.dtype)[..., None]
            total += light
        return total

    def rotated(self, rotation: ArrayLike) -> "Light":
        """Return the light turned by a rotation matrix (3, 3): what came from d comes from R d."""
        turn = np.asarray(rotation, float)
        if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) or np.linalg.det(turn) < 0:
            raise UsageError("a light is turned by a rotation matrix (3, 3): orthonormal, with determinant 1.")
        suns = tuple(replace(sun, direction=_three(turn @ sun.direction)) for sun in self.suns)
        return replace(self, harmonics=as_rows(rotation_of_coefficients(turn) @ self.coefficients), suns=suns)

    def turned(self, degrees: float) -> "Light":
        """Return the light turned about the vertical axis: light from the front comes from the right after 90."""
        angle = math.radians(degrees)
        cosine, sine = math.cos(angle), math.sin(angle)
        return self.rotated(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)))

    def scaled(self, factor: float | ArrayLike) -> "Light":
        """Return the light times a factor of at least 0, one for all or one for each of red, green and blue."""
        by = np.broadcast_to(np.asarray(factor, float), 3)
        if not (np.isfinite(by).all() and (by >= 0).all()):
            raise UsageError(f"a light cannot be multiplied by {by}: give a number from 0.")
        suns = tuple(replace(sun, irradiance=_three(by * sun.irradiance)) for sun in self.suns)
        sky = None if self.sky is None else _three(by * self.sky)
        return replace(self, harmonics=as_rows(by * self.coefficients), suns=suns, sky=sky)

    def average(self) -> float:
        """Return the luminance of the irradiance, averaged over the normals of a sphere as the viewer sees it."""
        return float((self.irradiance(_VISIBLE) @ LUMINANCE).mean())


def mix_lights(lights: Sequence[Light], weights: Sequence[float]) -> Light:
    """Return the sum of lights, each times its weight (at least 0): the light of all of them together.

    The exposures are multiplied in; the exposure of the sum is 0. Suns of no weight are left out. The sum is fitted if
    all are. Raises UsageError for no lights, or another number of weights.
    """
    if len(lights) != len(weights):
        raise UsageError(f"{len(lights)} lights and {len(weights)} weights are no mix: give each light its weight.")
    parts = [
        replace(light, exposure=0.0).scaled(light.factor * weight)
        for light, weight in zip(lights, weights, strict=True)
    ]
    if not parts:
        raise UsageError("a mix needs at least one light.")
    total = np.sum([part.coefficients for part in parts], axis=0)
    suns = tuple(sun for part in parts for sun in part.suns if max(sun.irradiance) > 0)
    origin = " + ".join(f"{weight:g} x ({light.origin})" for light, weight in zip(lights, weights, strict=True))
    sky = None
    if any(part.sky for part in parts):
        sky = _three(np.sum([part.visible_sky(_BEHIND) for part in parts], axis=0))
    return Light(as_rows(total), suns, origin=origin, sky=sky, fitted=all(part.fitted for part in parts))


def as_rows(coefficients: ArrayLike) -> tuple[Colour, ...]:
    """Return coefficients (9, 3) as the field `harmonics` of a light."""
    return tuple(_three(row) for row in np.asarray(coefficients, float))


def _three(values: ArrayLike) -> Vector:
    numbers = np.asarray(values, float)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise UsageError(f"{numbers.tolist()} are not three finite numbers.")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2]))


def _visible_normals(side: int = 24) -> NDArray[np.float64]:
    """Return the normals (N, 3) of a sphere at the points of a grid over its outline."""
    steps = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(steps, steps)
    inside = x**2 + y**2 < 1
    x, y = x[inside], y[inside]
    return np.stack((x, y, np.sqrt(1 - x**2 - y**2)), axis=-1)


_VISIBLE = _visible_normals()
