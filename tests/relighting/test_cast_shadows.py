"""Soft cast shadows through a depth map, against the renderer's own shadows."""

import math

import numpy as np
import pytest
from rendered_geometry import KnownView, layout, view

from relight_cli.relighting.cast_shadows import visibility
from relight_cli.relighting.geometry import Geometry, geometry_of_disparity

BOX = {"boxes": [((0.0, 0.35, 0.0), (0.3, 0.35, 0.25), 0.4, 3)]}
BALL = {"balls": [((0.0, 0.5, 0.0), (0.35, 0.35, 0.35), 0.0, 3)]}
LIGHTS = [(-0.7, 0.6, 0.1), (0.5, 0.8, -0.4), (0.3, 0.7, 0.6)]


@pytest.fixture(scope="module", params=[BOX, BALL], ids=["box", "ball"])
def known(request: pytest.FixtureRequest) -> KnownView:
    return view(layout(**request.param))


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("degrees", [0.27, 8.0])
def test_shadows_of_a_thing_on_a_plane_are_the_renderers(
    known: KnownView, light: tuple[float, float, float], degrees: float
) -> None:
    truth = known.visibility(light, math.radians(degrees))
    direction = known.in_camera(light)
    found = visibility(known.geometry, direction, math.radians(degrees))
    faces = known.normals @ np.array(direction) > 0.1 * np.linalg.norm(direction)
    assert np.abs(found - truth)[faces].mean() < 0.018
    core, lit = faces & (truth < 0.02), faces & (truth > 0.98)
    assert core.sum() > 15
    assert found[core].mean() < 0.3
    assert found[lit].mean() > 0.985


def test_a_wider_light_makes_softer_borders(known: KnownView) -> None:
    direction = known.in_camera(LIGHTS[0])

    def partly_lit(degrees: float) -> float:
        found = visibility(known.geometry, direction, math.radians(degrees))
        return float(((found > 0.1) & (found < 0.9)).mean())

    assert partly_lit(15) > partly_lit(5) > 1.5 * partly_lit(0.27)


def test_an_empty_plane_has_no_shadow_under_any_light() -> None:
    plane = view(layout()).geometry
    for light in [(0.0, 1.0, 0.0), (1.0, 0.25, 0.1), (0.0, 0.3, -1.0), (0.1, 0.3, 1.0), (0.0, 0.0, 1.0)]:
        direction = view(layout(), 2, 2).in_camera(light)
        if light[1] > 0:
            assert visibility(plane, direction).min() > 0.95, light


@pytest.mark.parametrize("degrees", [30, 60, 90])
@pytest.mark.parametrize("elevation", [90, 60, 10, 0])
def test_a_bare_wall_has_no_shadow_under_a_wide_light(degrees: float, elevation: float) -> None:
    """What of the light is below the wall is no shadow, and a light of 90 degrees comes from half of the sphere."""
    facing = np.tile(np.array((0, 0, 1), np.float32), (24, 32, 1))
    wall = Geometry(np.full((24, 32), 5, np.float32), facing, np.zeros((24, 32), np.float32), 32.0)
    direction = (math.cos(math.radians(elevation)), 0.0, math.sin(math.radians(elevation)))
    assert visibility(wall, direction, math.radians(degrees)).min() > 0.85


def test_a_thin_thing_shadows_only_what_is_close_behind_its_line() -> None:
    """A post far in front of a wall: a ray that passes far behind the post is free."""
    disparity = np.full((60, 80), 1 / 20, np.float32)
    disparity[:, 40:43] = 1 / 2
    geometry = geometry_of_disparity(disparity, np.zeros((60, 80, 3), np.float32), 80.0, shift=0.0)
    found = visibility(geometry, (1.0, 0.0, 0.02))
    assert found[:, :38].mean() > 0.9
    shallow = np.where(disparity > 0.1, np.float32(1 / 19.4), disparity)
    near = geometry_of_disparity(shallow, np.zeros((60, 80, 3), np.float32), 80.0, shift=0.0)
    assert visibility(near, (1.0, 0.0, 0.08))[10:-10, 37:39].mean() < 0.35


def test_the_sky_is_lit_and_a_larger_picture_has_the_same_shadows(known: KnownView) -> None:
    geometry = known.geometry
    whole = np.ones_like(geometry.sky)
    assert (visibility(Geometry(geometry.depth, geometry.normals, whole, geometry.focal), (1, 1, 0)) == 1).all()
    direction = known.in_camera(LIGHTS[0])
    full, half = visibility(geometry, direction), visibility(geometry, direction, march_side=64)
    assert half.shape == full.shape
    assert np.abs(full - half).mean() < 0.04
