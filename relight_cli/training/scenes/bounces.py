"""One bounce of indirect light: what solids and the ground send on, by the light that arrives at them.

A solid has six patches, the faces of its box. Their light is gathered once per view at a few points each, with their
own shadows; a cone of ambient light that a solid blocks then gets what the patches that face it send on.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.ray_tracing import Solids, unit

SAMPLES = 4  # points of a patch
GRID = 16  # points of the ground along each side of a square around the focus
_LEAST_SHARE = 1e-3  # of a cone: solids that cover less send nothing


@dataclass(frozen=True)
class Patches:
    """Where the light of the solids and of the ground is gathered."""

    place: Tensor  # (B, 3, n), n = P x 6 x SAMPLES, then GRID x GRID
    normal: Tensor  # (B, 3, n)
    axes: Tensor  # (B, P, 3, 3) rows are the axes of each solid's box
    areas: Tensor  # (B, P, 3) of the faces across each axis
    focus: Tensor  # (B, 3)
    span: Tensor  # (B,) half the side of the ground's square, metres


def _boxes(solids: Solids) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return centres, halves (B, P, 3) and axes (B, P, 3, 3) of the boxes around all solids, and where balls end."""
    rod = solids.rod_end - solids.rod_start
    along = unit(rod, -1)
    pole = torch.where(along[..., 1:2].abs() < 0.9, rod.new_tensor([0, 1, 0]), rod.new_tensor([1, 0, 0]))
    across = unit(torch.linalg.cross(along, pole, dim=-1), -1)
    rod_axes = torch.stack([across, along, torch.linalg.cross(across, along, dim=-1)], -2)
    radius = solids.rod_radius[..., None]
    rod_half = torch.cat([radius, radius + 0.5 * rod.norm(dim=-1, keepdim=True), radius], -1)
    centres = torch.cat([solids.box_centre, solids.ball_centre, solids.rod_start + 0.5 * rod], 1)
    halves = torch.cat([solids.box_half, solids.ball_radii, rod_half], 1)
    axes = torch.cat([solids.box_axes, solids.ball_axes, rod_axes], 1)
    return centres, halves, axes, solids.box_centre.shape[1] + solids.ball_centre.shape[1]


def lay_patches(solids: Solids, focus: Tensor, span: Tensor) -> Patches:
    """Lay patches on solids and ground; of large faces on the part within `span` (B,) metres of `focus` (B, 3)."""
    centre, half, axes, balls_end = _boxes(solids)
    seen = torch.einsum("bpij,bpj->bpi", axes, focus[:, None] - centre)
    reach = span[:, None, None]
    low, high = (seen - reach).clamp(-half, half), (seen + reach).clamp(-half, half)
    middle, extent = 0.5 * (low + high), 0.5 * (high - low)
    spread = half.new_tensor([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    local, facing = [], []
    for axis in range(3):
        for sign in (1.0, -1.0):
            j, k = (axis + 1) % 3, (axis + 2) % 3
            at = middle[:, :, None].repeat(1, 1, SAMPLES, 1)
            at[..., j] += extent[:, :, None, j] * spread[:, 0]
            at[..., k] += extent[:, :, None, k] * spread[:, 1]
            at[..., axis] = sign * half[:, :, None, axis]
            local.append(at)
            facing.append(sign * F.one_hot(torch.tensor(axis, device=at.device), 3).to(at).expand_as(at))
    place, normal = torch.stack(local, 2), torch.stack(facing, 2)  # (B, P, 6, SAMPLES, 3)
    balls = slice(solids.box_centre.shape[1], balls_end)
    radii = half[:, balls, None, None]
    on_ball = unit(place[:, balls] / radii, -1)
    place[:, balls], normal[:, balls] = on_ball * radii, unit(on_ball / radii, -1)
    world = torch.einsum("bpij,bpfsi->bpfsj", axes, place) + centre[:, :, None, None]
    outward = torch.einsum("bpij,bpfsi->bpfsj", axes, normal)
    line = torch.linspace(-1, 1, GRID, device=half.device)
    z, x = torch.meshgrid(line, line, indexing="ij")
    flat = torch.stack([x, torch.zeros_like(x), z]).flatten(1) * span[:, None, None]
    ground = flat + focus[..., None] * focus.new_tensor([1, 0, 1])[:, None]
    upright = torch.zeros_like(ground)
    upright[:, 1] = 1
    return Patches(
        torch.cat([world.flatten(1, 3).mT, ground], -1),
        torch.cat([outward.flatten(1, 3).mT, upright], -1),
        axes,
        half.roll(-1, -1) * half.roll(1, -1),
        focus,
        span,
    )


class Bounced:
    """The light that the patches of a view send on."""

    def __init__(self, patches: Patches, arriving: Tensor, solid_albedo: Tensor, ground_albedo: Tensor) -> None:
        """Take the light that arrives at the patches (B, L, 3, n), and mean albedos (B, 3, P) and (B, 3)."""
        self.patches = patches
        on_solids, on_ground = arriving.split([arriving.shape[-1] - GRID * GRID, GRID * GRID], -1)
        faces = on_solids.unflatten(-1, (-1, 6, SAMPLES)).mean(-1)  # (B, L, 3, P, 6)
        self.lights = arriving.shape[1]
        self.faces = (faces * solid_albedo[:, None, :, :, None]).flatten(1, 2)
        ground = on_ground * ground_albedo[:, None, :, None]
        self.ground = ground.unflatten(-1, (GRID, GRID)).flatten(1, 2)

    def off_solids(self, shares: Tensor, direction: Tensor) -> Tensor:
        """Return the light (B, L, 3, n) that solids which block `shares` (B, P, n) of cones send back along them."""
        blocking = (shares.amax((0, 2)) > _LEAST_SHARE).nonzero()[:, 0]
        axes, areas = self.patches.axes[:, blocking], self.patches.areas[:, blocking]
        local = torch.bmm(axes.flatten(1, 2), direction).unflatten(1, (-1, 3)) * areas[..., None]
        part = shares[:, blocking, None] / local.abs().sum(2, keepdim=True).clamp(min=1e-9)
        # A face is seen by directions against its normal.
        weights = torch.stack([(-local).clamp(min=0) * part, local.clamp(min=0) * part], 3)  # (B, P, 3, 2, n)
        sent = torch.bmm(self.faces[:, :, blocking].flatten(2), weights.flatten(1, 3))
        return sent.unflatten(1, (self.lights, 3))

    def off_ground(self, place: Tensor, direction: Tensor, lowered: Tensor | float) -> Tensor:
        """Return the light (B, L, 3, n) of the ground where cones from `place` meet it, lowered by half their width."""
        run = place[:, 1:2].clamp(min=0) / (lowered - direction[:, 1:2]).clamp(min=0.05)
        met = (place + direction * run - self.patches.focus[..., None])[:, ::2] / self.patches.span[:, None, None]
        found = F.grid_sample(self.ground, met.mT[:, None], padding_mode="border", align_corners=True)
        return found[:, :, 0].unflatten(1, (self.lights, 3))
