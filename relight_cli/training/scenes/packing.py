"""Layouts as tensors: the primitives of a batch of scenes, padded to the largest scene."""

import torch
from torch import Tensor

from relight_cli.training.scenes.layouts import Layout, Vector
from relight_cli.training.scenes.ray_tracing import Solids

Primitive = tuple[Vector, Vector, float, int]

# Padding for scenes with fewer primitives: far below the ground, where no ray hits it.
_FILLER: Primitive = ((0.0, -1e3, 0.0), (1e-3, 1e-3, 1e-3), 0.0, 0)
_ROD_FILLER: Primitive = ((0.0, -1e3, 0.0), (0.0, -1e3 + 0.01, 0.0), 1e-3, 0)


def _yaw_axes(yaw: Tensor) -> Tensor:
    """Return the rows of the rotations (..., 3, 3) about y by `yaw` radians."""
    c, s, zero, one = yaw.cos(), yaw.sin(), torch.zeros_like(yaw), torch.ones_like(yaw)
    return torch.stack([c, zero, -s, zero, one, zero, s, zero, c], -1).unflatten(-1, (3, 3))


def _padded(scenes: list[list[Primitive]], filler: Primitive) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    most = max(1, *(len(scene) for scene in scenes))
    rows = [scene + [filler] * (most - len(scene)) for scene in scenes]
    first, second, number, material = (torch.tensor([[p[k] for p in scene] for scene in rows]) for k in range(4))
    return first, second, number, material


def stack_solids(layouts: list[Layout], device: str) -> tuple[Solids, Tensor]:
    """Return the primitives of B scenes, stacked, and their materials (B, P): boxes, balls, then rods."""
    box_centre, box_half, box_yaw, box_material = _padded([s.boxes for s in layouts], _FILLER)
    ball_centre, ball_radii, ball_yaw, ball_material = _padded([s.balls for s in layouts], _FILLER)
    rod_start, rod_end, rod_radius, rod_material = _padded([s.rods for s in layouts], _ROD_FILLER)
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
