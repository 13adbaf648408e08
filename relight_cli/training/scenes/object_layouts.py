"""Layouts of one thing in front of nothing, as in a studio with a black backdrop."""

import math
from dataclasses import replace
from random import Random

import torch
from torch import Tensor

from relight_cli.training.scenes.layouts import _GROUNDS, _THINGS, Layout, Vector, _base
from relight_cli.training.scenes.ray_tracing import FAR
from relight_cli.training.scenes.textures import Material, sample_material
from relight_cli.training.scenes.viewing import camera_axes, focal_length

_LIFT = 0.05  # metres from the ground to the thing: what is lower is the backdrop


def sample_object_layout(random: Random) -> Layout:
    """Draw a thing of balls, boxes and rods that grow out of each other, of one to four materials, near the camera."""
    pitch, yaw, away = math.radians(random.uniform(0, 45)), random.uniform(-math.pi, math.pi), random.uniform(0.9, 1.5)
    middle = (0.0, 0.32, 0.0)
    layout = _base(
        random,
        _GROUNDS,
        0.3,
        eye=(
            away * math.cos(pitch) * math.sin(yaw),
            middle[1] + away * math.sin(pitch),
            away * math.cos(pitch) * math.cos(yaw),
        ),
        target=middle,
        field_of_view=2 * math.atan(random.uniform(0.19, 0.32) / away),
        facing=(0.0, 0.5, 0.85),
        span=0.6,
    )
    kinds = _THINGS + ["crop"] * 2
    paints = [layout.add_material(_painted(random, kinds)) for _ in range(random.randint(1, 4))]
    at = middle
    for _ in range(random.randint(2, 9)):
        size = random.uniform(0.04, 0.17)
        _add_part(random, layout, at, size, random.choice(paints))
        direction = [random.gauss(0, 1) for _ in range(3)]
        length = math.sqrt(sum(x * x for x in direction))
        x, y, z = (place + size * 0.9 * step / length for place, step in zip(at, direction, strict=True))
        at = (0.8 * x, min(max(y, 0.22), 0.5), 0.8 * z)
    return layout


def _painted(random: Random, kinds: list[str]) -> Material:
    """Draw a material as of figures: mostly evenly painted, so that what is fine and grey is relief."""
    material = sample_material(random, kinds, random.uniform(0.05, 0.3), tint=0.7)
    if random.random() < 0.2:
        return material
    return replace(
        material,
        grain=random.uniform(0, 0.15),
        dirt=random.choice([0.0, 0.0, random.uniform(0, 0.3)]),
        bump=random.choice([0.0, random.uniform(0.05, 0.7)]),
    )


def _add_part(random: Random, layout: Layout, at: Vector, size: float, paint: int) -> None:
    yaw, kind = random.uniform(0, 2 * math.pi), random.random()
    size = min(size, at[1] - _LIFT)
    if kind < 0.55:
        layout.balls.append((at, (size, size * random.uniform(0.5, 1), size * random.uniform(0.5, 1)), yaw, paint))
    elif kind < 0.75:
        half = (size * random.uniform(0.4, 0.9), size * random.uniform(0.3, 0.9), size * random.uniform(0.3, 0.9))
        layout.boxes.append((at, half, yaw, paint))
    else:
        end = tuple(place + random.uniform(-1, 1) * size for place in at)
        radius = size * random.uniform(0.15, 0.5)
        layout.rods.append((at, (end[0], max(end[1], _LIFT + radius), end[2]), radius, paint))


def object_mask(layout: Layout, distance: Tensor) -> Tensor:
    """Return where a view of a layout shows the thing, 0 or 1 (H, W), from the distance (H, W) along the rays."""
    height, width = distance.shape
    focal = focal_length(layout, height, width)
    x = torch.arange(width).add(0.5).sub(width / 2).div(focal).expand(height, width)
    y = torch.arange(height).add(0.5).sub(height / 2).div(-focal)[:, None].expand(height, width)
    rays = torch.stack((x, y, -torch.ones_like(x)), dim=-1)
    up = (rays / rays.norm(dim=-1, keepdim=True)) @ camera_axes(layout)[:, 1]
    seen_at = layout.eye[1] + distance * up.to(distance)
    return ((distance < 0.9 * FAR) & (seen_at > _LIFT / 2)).float()
