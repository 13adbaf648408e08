"""The forward model compared with the published step's numbers, and properties of any light and surface."""

import math

import numpy as np
import pytest
import torch
from redepth_reference import REFERENCE, light_of, relative_error
from torch import Tensor

from relight_cli.models.shading import (
    Light,
    blinn_phong,
    draw_light,
    letterbox,
    orthographic_depth,
    surface_normals,
)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    with np.load(REFERENCE) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def test_each_stage_matches_the_published_numbers(published: dict[str, Tensor]) -> None:
    depth = orthographic_depth(published["raw_disparity"], published["scale_offset"][None])
    assert relative_error(depth, published["depth"]) < 1e-5
    assert relative_error(surface_normals(published["depth"]), published["normals"]) < 1e-5
    relit = blinn_phong(published["image_srgb"], published["normals"], light_of(published))
    assert relative_error(relit, published["relit_srgb"]) < 1e-5
    assert relative_error(letterbox(published["relit_srgb"])[..., ::8, ::8], published["letterboxed"]) < 1e-5


def test_a_plane_facing_the_viewer_has_one_normal() -> None:
    normals = surface_normals(torch.full((1, 6, 9), 3.0))
    assert torch.allclose(normals, torch.tensor([0.0, 0.0, 1.0])[:, None, None].expand(3, 6, 9), atol=1e-6)


def test_a_slope_has_the_geometric_normal() -> None:
    height, width = 8, 12
    u = torch.linspace(-width / height, width / height, width).double()
    normals = surface_normals((5 + 0.5 * u).expand(1, height, width))
    wanted = torch.tensor([-0.5, 0.0, 1.0]).double() / math.hypot(0.5, 1)
    assert (normals - wanted[:, None, None]).abs().max() < 1e-6


@pytest.mark.parametrize("hole", [float("nan"), float("inf"), 0.0, -1.0])
def test_without_depth_the_normal_points_away(hole: float) -> None:
    depth = torch.full((1, 5, 5), 2.0)
    depth[0, 2, 3] = hole
    assert surface_normals(depth)[0, :, 2, 3].tolist() == [0, 0, -1]


def test_surfaces_that_face_the_light_are_brighter() -> None:
    normals = torch.nn.functional.normalize(torch.tensor([[-1.0, 0, 1], [1, 0, 1]]), dim=1).T[None, :, None]
    light = Light(torch.tensor([[1.0, 0, 1]]), torch.tensor([8.0]), torch.tensor([[1.0, 0.0]]))
    relit = blinn_phong(torch.full((1, 3, 1, 2), 0.6), normals, light)
    assert relit[0, 0, 0, 1] == pytest.approx(0.6, abs=1e-4)
    assert relit[0, 0, 0, 0] == pytest.approx(1e-3 ** (1 / 2.2), abs=1e-4)


def test_drawn_lights_are_those_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    lights = [draw_light(generator) for _ in range(300)]
    directions = torch.cat([light.direction for light in lights])
    assert directions[:, :2].abs().max() <= 1
    assert directions[:, :2].abs().max() > 0.95
    assert (directions[:, 2] == 1).all()
    assert {float(light.shininess) for light in lights} == {4, 8, 16, 32, 64, 128}
    assert torch.allclose(torch.cat([light.weights for light in lights]).sum(dim=1), torch.ones(300))


@pytest.mark.parametrize(("height", "width"), [(30, 60), (60, 30), (5, 40), (33, 33)])
def test_a_letterboxed_picture_is_centred_and_whole(height: int, width: int) -> None:
    boxed = letterbox(torch.ones(1, 3, height, width), 64)
    assert boxed.shape == (1, 3, 64, 64)
    inside = boxed[0, 0] > 0
    high, wide = int(inside.any(dim=1).sum()), int(inside.any(dim=0).sum())
    assert max(high, wide) == 64
    assert high * wide == inside.sum()
    assert high / wide == pytest.approx(height / width, rel=0.05)
    assert (inside == inside.flip(0, 1)).float().mean() > 0.95
