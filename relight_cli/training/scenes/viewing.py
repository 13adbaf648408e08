"""What a camera of a scene sees: depth along its axis, normals in its axes, and its focal length."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.layouts import Layout
from relight_cli.training.scenes.ray_tracing import FAR


def focal_length(layout: Layout, height: int, width: int) -> float:
    """Return the focal length in pixels of a view of a layout."""
    return min(height, width) / 2 / math.tan(layout.field_of_view / 2)


def camera_axes(layout: Layout) -> Tensor:
    """Return the axes (3, 3) of a layout's camera in the world: rows right, up, and towards the viewer."""
    forward = F.normalize(torch.tensor(layout.target) - torch.tensor(layout.eye), dim=0)
    right = F.normalize(torch.stack([-forward[2], forward.new_zeros(()), forward[0]]), dim=0)
    return torch.stack([right, torch.linalg.cross(right, forward), -forward])


def camera_normals(layout: Layout, normals: Tensor) -> Tensor:
    """Turn normals (3, H, W) from the world's axes into the camera's: x right, y up, z towards the viewer."""
    return torch.einsum("ij,jhw->ihw", camera_axes(layout).to(normals), normals)


def axial_disparity(layout: Layout, distance: Tensor) -> Tensor:
    """Return 1 / depth along the camera's axis (H, W), per metre, from the distance along the rays; 0 in the sky."""
    height, width = distance.shape
    focal = focal_length(layout, height, width)
    x = torch.arange(width).add(0.5).sub(width / 2).div(focal)
    y = torch.arange(height).add(0.5).sub(height / 2).div(focal)
    slant = (1 + x.square() + y.square()[:, None]).sqrt().to(distance)
    return torch.where(distance < 0.9 * FAR, slant / distance.clamp(min=1e-3), 0.0)
