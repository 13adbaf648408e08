"""Layouts as tensors: the primitives of a batch of scenes, padded to the fullest scene."""

import torch
from torch import Tensor

from relight_cli.training.scenes.layouts import Layout, Vector
from relight_cli.training.scenes.ray_tracing import Solids

Primitive = tuple[Vector, Vector, float, int]

# What fills up scenes that have fewer primitives: far under the ground, in nobody's way.
_SPECK: Primitive = ((0.0, -1e3, 0.0), (1e-3, 1e-3, 1e-3), 0.0, 0)
_SPECK_OF_ROD: Primitive = ((0.0, -1e3, 0.0), (0.0, -1e3 + 0.01, 0.0), 1e-3, 0)


def _yaw_axes(yaw: Tensor) -> Tensor:
    """Give the rows of the rotations (..., 3, 3) about y by `yaw` radians."""
    c, s, zero, one = yaw.cos(), yaw.sin(), torch.zeros_like(yaw), torch.ones_like(yaw)
    return torch.stack([c, zero, -s, zero, one, zero, s, zero, c], -1).unflatten(-1, (3, 3))


def _padded(scenes: list[list[Primitive]], speck: Primitive) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    most = max(1, *(len(scene) for scene in scenes))
    rows = [scene + [speck] * (most - len(scene)) for scene in scenes]
    first, second, number, material = (torch.tensor([[p[k] for p in scene] for scene in rows]) for k in range(4))
    return first, second, number, material


def stack_solids(layouts: list[Layout], device: str) -> tuple[Solids, Tensor]:
    """Stack the primitives of B scenes; returns them with their materials (B, P), boxes, balls, then rods."""
    box_centre, box_half, box_yaw, box_material = _padded([s.boxes for s in layouts], _SPECK)
    ball_centre, ball_radii, ball_yaw, ball_material = _padded([s.balls for s in layouts], _SPECK)
    rod_start, rod_end, rod_radius, rod_material = _padded([s.rods for s in layouts], _SPECK_OF_ROD)
    tensors = (
        box_centre,
        box_half,
        _yaw_axes(box_yaw),
        ball_centre,
        ball_radii,
        _yaw_axes(ball_yaw),
        rod_start,
        rod_end,
        rod_radius,
    )
    solids = Solids(*(t.to(device=device, dtype=torch.float32) for t in tensors))
    return solids, torch.cat([box_material, ball_material, rod_material], 1).to(device)
