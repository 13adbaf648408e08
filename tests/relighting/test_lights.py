"""Lights against sums over the whole sphere."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.harmonics import COSINE, NAMES, basis, project, rotation_of_coefficients, sphere_grid
from relight_cli.relighting.lights.light import DARKEST, Light, Sun, mix_lights
from relight_cli.relighting.lights.words import direction_of, exposed, light_from_words

NORMALS = np.random.default_rng(3).normal(size=(40, 3))
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)
DIRECTIONS, ANGLES = sphere_grid(96)
turns = st.tuples(*3 * [st.floats(-180, 180)]).map(lambda angles: Rotation.from_euler("xyz", angles, degrees=True))


def some_light(seed: int = 1, suns: int = 2) -> Light:
    """A light whose radiance is positive everywhere."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(scale=0.1, size=(9, 3))
    rows[0] = rng.uniform(2, 3, 3)
    lamps = (Sun(tuple(rng.normal(size=3)), tuple(rng.uniform(0, 2, 3)), rng.uniform(0.3, 20)) for _ in range(suns))
    return Light(tuple(map(tuple, rows)), tuple(lamps), 0.5)


def integrated(radiance: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """The irradiance (N, 3) of normals, summed over the sphere."""
    return np.clip(normals @ DIRECTIONS.T, 0, None) * ANGLES @ radiance


def test_the_basis_is_that_of_the_paper() -> None:
    """Order, sign and scale, by scipy's complex harmonics: sqrt(2) Re for m > 0 and Im for m < 0, without (-1)^m."""
    x, y, z = NORMALS.T
    theta, phi = np.arccos(z), np.arctan2(y, x)
    for column, name in enumerate(NAMES):
        order, m = int(name[0]), int(name[1:])
        values = sph_harm_y(order, abs(m), theta, phi) * (-1) ** m
        part = values.real if m >= 0 else values.imag
        np.testing.assert_allclose(basis(NORMALS)[:, column], part * (math.sqrt(2) if m else 1), atol=1e-12)


def test_the_basis_is_orthonormal() -> None:
    np.testing.assert_allclose((basis(DIRECTIONS) * ANGLES[:, None]).T @ basis(DIRECTIONS), np.eye(9), atol=1e-12)


def test_an_exposed_light_keeps_its_sky() -> None:
    light = replace(some_light(), sky=(0.1, 0.2, 0.4))
    made = exposed(light, 1.0)
    assert made.sky is not None
    np.testing.assert_allclose(np.divide(made.sky, light.sky), made.harmonics[0][0] / light.harmonics[0][0])


@pytest.mark.parametrize("sun", [None, "left,35"])
def test_an_ambient_temperature_of_0_is_out_of_range(sun: str | None) -> None:
    with pytest.raises(UsageError, match="0 K is out of range"):
        light_from_words(sun, ambient_kelvin=0)


def test_ambient_irradiance_is_the_integral_of_the_radiance() -> None:
    light = some_light(suns=0)
    np.testing.assert_allclose(light.ambient(NORMALS), integrated(light.radiance(DIRECTIONS), NORMALS), rtol=2e-4)


def test_projecting_the_radiance_gives_the_coefficients_back() -> None:
    light = replace(some_light(), exposure=0)
    np.testing.assert_allclose(project(light.radiance(DIRECTIONS), DIRECTIONS, ANGLES), light.coefficients, atol=1e-12)


def test_irradiance_of_a_real_sky_is_within_the_error_of_order_two() -> None:
    """A step sky: 9 numbers give its irradiance within 9 % of the largest (Ramamoorthi and Hanrahan, section 2)."""
    sky = np.where(DIRECTIONS[:, 1:2] > 0.3, (1.0, 2.0, 3.0), 0.05)
    light = Light(tuple(map(tuple, project(sky, DIRECTIONS, ANGLES))))
    truth = integrated(sky, NORMALS)
    assert np.abs(light.ambient(NORMALS) - truth).max() < 0.09 * truth.max()


def test_ambient_light_is_never_zero() -> None:
    rows = np.zeros((9, 3))
    rows[0], rows[1] = 1, 3  # all from above: cut off at order 2, negative from below
    light = Light(tuple(map(tuple, rows)))
    average = math.pi * rows[0] * basis((0, 0, 1))[0]
    np.testing.assert_allclose(light.ambient((0, -1, 0)), DARKEST * average)
    assert (Light(((0.0, 0.0, 0.0),) * 9).irradiance(NORMALS) > 0).all()


@pytest.mark.parametrize("radius", [0.27, 5, 15, 30])
def test_a_wide_sun_is_the_integral_over_its_disc(radius: float) -> None:
    sun = Sun((0.3, 0.5, 0.8), (1.0, 2.0, 3.0), radius)
    rng = np.random.default_rng(0)
    towards = np.array(sun.direction)
    side = np.cross(towards, (0, 1, 0)) / np.linalg.norm(np.cross(towards, (0, 1, 0)))
    heights = rng.uniform(math.cos(math.radians(radius)), 1, 20000)
    around = rng.uniform(0, 2 * math.pi, 20000)
    flat = np.sqrt(1 - heights**2)[:, None]
    points = heights[:, None] * towards + flat * (
        np.cos(around)[:, None] * side + np.sin(around)[:, None] * np.cross(towards, side)
    )
    truth = np.clip(NORMALS @ points.T, 0, None).mean(axis=1) / (points @ towards).mean()
    light = Light(((0.0, 0.0, 0.0),) * 9, (sun,))
    np.testing.assert_allclose(
        light.sunlight(NORMALS, 0) / (1.0, 2.0, 3.0), np.repeat(truth[:, None], 3, 1), atol=0.015
    )


def test_a_small_sun_is_lambert() -> None:
    sun = Sun((1, 2, 2), (1, 1, 1))
    np.testing.assert_allclose(sun.cosine(NORMALS), np.clip(NORMALS @ (1 / 3, 2 / 3, 2 / 3), 0, None), atol=0.0012)


def test_irradiance_is_ambient_light_and_the_suns_that_are_visible() -> None:
    light = some_light()
    hidden = [np.linspace(0, 1, len(NORMALS)), np.zeros(len(NORMALS))]
    expected = light.ambient(NORMALS) + light.sunlight(NORMALS, 0) * hidden[0][:, None]
    np.testing.assert_allclose(light.irradiance(NORMALS, hidden), expected)
    everything = light.ambient(NORMALS) + light.sunlight(NORMALS, 0) + light.sunlight(NORMALS, 1)
    np.testing.assert_allclose(light.irradiance(NORMALS), everything)


def test_shapes_and_dtypes_are_those_of_the_normals() -> None:
    normals = NORMALS.reshape(5, 8, 3).astype(np.float32)
    found = some_light().irradiance(normals, [np.ones((5, 8), np.float32)] * 2)
    assert (found.shape, found.dtype) == ((5, 8, 3), np.float32)
    np.testing.assert_allclose(found, some_light().irradiance(NORMALS).reshape(5, 8, 3), rtol=1e-5)


def test_the_exposure_multiplies_everything() -> None:
    light = some_light()
    brighter = replace(light, exposure=light.exposure + 1)
    np.testing.assert_allclose(brighter.irradiance(NORMALS), 2 * light.irradiance(NORMALS))
    np.testing.assert_allclose(brighter.radiance(NORMALS), 2 * light.radiance(NORMALS))


@settings(deadline=None, max_examples=30)
@given(turns)
def test_a_turned_light_lights_turned_surfaces_as_before(turn: Rotation) -> None:
    light, matrix = some_light(), turn.as_matrix()
    turned = light.rotated(matrix)
    np.testing.assert_allclose(turned.irradiance(NORMALS @ matrix.T), light.irradiance(NORMALS), atol=1e-9)
    np.testing.assert_allclose(turned.radiance(NORMALS @ matrix.T), light.radiance(NORMALS), atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(turns, turns)
def test_turns_follow_each_other(first: Rotation, second: Rotation) -> None:
    one, other = (rotation_of_coefficients(turn.as_matrix()) for turn in (first, second))
    np.testing.assert_allclose(rotation_of_coefficients((second * first).as_matrix()), other @ one, atol=1e-9)
    np.testing.assert_allclose(one @ one.T, np.eye(9), atol=1e-9)


def test_turned_by_90_the_front_comes_from_the_right() -> None:
    front = Light(tuple(map(tuple, np.eye(9)[:, [2, 2, 2]])), (Sun(direction_of(0, 20), (1, 1, 1)),))  # more from z
    turned = front.turned(90)
    np.testing.assert_allclose(turned.suns[0].direction, direction_of(90, 20), atol=1e-12)
    np.testing.assert_allclose(turned.coefficients, np.eye(9)[:, [3, 3, 3]], atol=1e-12)  # more from x


def test_a_mix_is_the_sum_of_the_weighted_lights() -> None:
    one, other = some_light(1), replace(some_light(2, suns=1), exposure=-1)
    both = mix_lights([one, other], [0.3, 2])
    expected = 0.3 * one.irradiance(NORMALS) + 2 * other.irradiance(NORMALS)
    np.testing.assert_allclose(both.irradiance(NORMALS), expected)
    assert len(both.suns) == 3
    assert mix_lights([one, other], [0, 1]).suns == other.scaled(0.5).suns


def test_scaling_by_a_colour() -> None:
    light = some_light()
    np.testing.assert_allclose(
        light.scaled((1, 0.5, 0)).irradiance(NORMALS)[:, :2], light.irradiance(NORMALS)[:, :2] * (1, 0.5)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Light(((1.0, 1.0, 1.0),) * 8),
        lambda: Light(((1.0, 1.0, math.nan),) * 9),
        lambda: Light(((1.0, 1.0, 1.0),) * 9, exposure=math.inf),
        lambda: Sun((0, 0, 0), (1, 1, 1)),
        lambda: Sun((0, 1, 0), (1, -1, 1)),
        lambda: Sun((0, 1, 0), (1, 1, 1), 0),
        lambda: some_light().rotated(np.diag((1, 1, -1))),
        lambda: some_light().scaled(-1),
        lambda: mix_lights([], []),
        lambda: mix_lights([some_light()], [1, 2]),
    ],
)
def test_what_is_no_light_is_a_usage_error(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_cosine_factors() -> None:
    """A_l = 2 pi times the integral of the Legendre polynomial P_l(t) t over 0 to 1."""
    t, weights = np.polynomial.legendre.leggauss(8)
    t, weights = (t + 1) / 2, weights / 2
    legendre = (np.ones_like(t), t, (3 * t**2 - 1) / 2)
    for order, column in enumerate((0, 1, 4)):
        assert COSINE[column] == pytest.approx(2 * math.pi * (legendre[order] * t) @ weights)
