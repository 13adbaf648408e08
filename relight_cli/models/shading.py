"""From disparity to a photo in new light: the forward model of Re-Depth Anything (arXiv 2512.17908, section 3)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

GAMMA = 2.2
DEPTH_SCALE = 7.0
DEPTH_SHIFT = 0.1
DARKEST = 1e-3  # a relit picture is clipped here, so that its gradient stays finite
SHININESS_POWERS = (2, 7)  # shininess is 2^k, k between these, both included
FAR_NORMAL = (0.0, 0.0, -1.0)  # for pixels without depth


@dataclass(frozen=True)
class Light:
    """One directional light and one material for each picture of a batch."""

    direction: Tensor  # (B, 3), from the surface to the light, of any length
    shininess: Tensor  # (B,)
    weights: Tensor  # (B, 2), of the diffuse and the specular part

    def to(self, device: torch.device | str) -> "Light":
        """Return the same light on another device."""
        return Light(self.direction.to(device), self.shininess.to(device), self.weights.to(device))


def draw_light(generator: torch.Generator) -> Light:
    """Draw a light for one picture: lx and ly in [-1, 1], lz = 1, shininess 2^k, weights that sum to 1."""
    across = 2 * torch.rand(1, 2, generator=generator) - 1
    low, high = SHININESS_POWERS
    power = torch.randint(low, high + 1, (1,), generator=generator)
    weights = torch.rand(1, 2, generator=generator)
    direction = torch.cat((across, torch.ones(1, 1)), dim=1)
    return Light(direction, 2.0**power, weights / weights.sum(dim=1, keepdim=True))


def orthographic_depth(disparity: Tensor, scale_offset: Tensor) -> Tensor:
    """Return depth z = s / (D + m) of disparity D (B, H, W), s = 7 + tanh(o) for each picture's scale offset o (B,)."""
    scale = DEPTH_SCALE + torch.tanh(scale_offset)
    return scale[:, None, None] * (1 / (disparity + DEPTH_SHIFT))


def surface_normals(depth: Tensor) -> Tensor:
    """Return unit normals (B, 3, H, W) of depth (B, H, W), H and W at least 2: towards the viewer.

    The surface is (u, v, z), u from -W/H to W/H along the columns and v from 1 to -1 down the rows; normals are the
    cross product gy x gx of its differences, central inside and one-sided at the border. As in the paper depth
    counts as height: x and y have the opposite sign of those of the surface that the camera sees.
    """
    batch, height, width = depth.shape
    u = torch.linspace(-width / height, width / height, width, device=depth.device, dtype=depth.dtype)
    v = torch.linspace(1, -1, height, device=depth.device, dtype=depth.dtype)
    points = torch.stack((u.expand(batch, height, width), v[:, None].expand(batch, height, width), depth), dim=1)
    down, along = torch.gradient(points, dim=(2, 3))
    across = torch.linalg.cross(down, along, dim=1)
    normals = across / (across.norm(dim=1, keepdim=True) + 1e-8)  # not clamp(min=1e-8): 1e-5 apart at these lengths
    valid = (depth.isfinite() & (depth > 0))[:, None]
    return torch.where(valid, normals, depth.new_tensor(FAR_NORMAL)[:, None, None])


def blinn_phong(image: Tensor, normals: Tensor, light: Light) -> Tensor:
    """Relight sRGB pictures (B, 3, H, W) on surfaces with these normals, seen from (0, 0, 1); clipped to [0.001, 1]."""
    towards_light = F.normalize(light.direction, dim=1)
    towards_viewer = towards_light.new_tensor((0.0, 0.0, 1.0))
    half = F.normalize(towards_light + towards_viewer, dim=1)
    diffuse, gloss = (torch.einsum("bchw,bc->bhw", normals, to).clamp(min=0)[:, None] for to in (towards_light, half))
    specular = gloss ** light.shininess[:, None, None, None]
    of_diffuse, of_specular = light.weights[:, :, None, None, None].unbind(dim=1)
    linear = of_diffuse * diffuse * image**GAMMA + of_specular * specular
    return (linear.clamp(DARKEST, 1) ** (1 / GAMMA)).clamp(DARKEST, 1)


def letterbox(image: Tensor, side: int = 512) -> Tensor:
    """Scale pictures (B, C, H, W) bilinearly to a longer side of `side`, centred in a black square."""
    height, width = image.shape[-2:]
    scale = side / max(height, width)
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    scaled = F.interpolate(image, (high, wide), mode="bilinear", align_corners=True)
    top, left = (side - high) // 2, (side - wide) // 2
    return F.pad(scaled, (left, side - wide - left, top, side - high - top))
