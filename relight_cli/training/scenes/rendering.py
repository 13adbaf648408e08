"""The renderer: camera rays, the surfaces that they meet, and the light of those."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.lighting import LIFT, Lighting, Points
from relight_cli.training.scenes.packing import stack_solids
from relight_cli.training.scenes.ray_tracing import FAR, dot, first_hits, unit
from relight_cli.training.scenes.shadow_masks import draw_masks, through_masks
from relight_cli.training.scenes.staging import Scene, SceneOptions
from relight_cli.training.scenes.textures import paint, stack_materials

_GROUND, _WALLS, _SKY = 0, 1, 2  # materials of every layout


@dataclass(frozen=True)
class Traced:
    """Linear light of subpixels; L lights."""

    albedo: Tensor  # (B, 3, n)
    picture: Tensor  # (B, L, 3, n)
    unshadowed: Tensor  # (B, L, 3, n)
    depth: Tensor  # (B, 1, n)
    normals: Tensor  # (B, 3, n)


class Stage:
    """A batch of scenes as tensors on one device, to be traced part by part."""

    def __init__(self, scenes: list[Scene], options: SceneOptions, device: str, crops: Tensor | None) -> None:
        self.options, self.device, self.crops = options, device, crops
        layouts = [scene.layout for scene in scenes]
        self.solids, self.solid_materials = stack_solids(layouts, device)
        self.materials = stack_materials([layout.materials for layout in layouts], device)
        rows = torch.arange(len(scenes), device=device)[:, None]
        solid_albedo = self.materials.mean[rows, self.solid_materials].mT  # (B, 3, P)
        self.lighting = Lighting(scenes, options, self.solids, solid_albedo, self.materials.mean[:, _GROUND])

        def numbers(values: list[object]) -> Tensor:
            return torch.tensor(values, device=device, dtype=torch.float32)

        self.eye = numbers([layout.eye for layout in layouts])  # (B, 3)
        self.focus = numbers([layout.target for layout in layouts])
        self.lens = numbers([math.tan(layout.field_of_view / 2) for layout in layouts])  # (B,)
        self.room = numbers([layout.room for layout in layouts])
        shapes = [scene.patch.shape if scene.patch else None for scene in scenes]
        self.patch = draw_masks(shapes, device) if any(shapes) else None  # (B, blurs, M, M)
        self.patch_turn = numbers([(m.extent, m.turn) if m else (1.0, 0.0) for m in shapes])  # (B, 2)
        self.patch_material = torch.tensor([s.patch.material if s.patch else -1 for s in scenes], device=device)
        self.canvas = torch.tensor([layout.canvas for layout in layouts], device=device)
        self.indoors = torch.tensor([layout.indoors for layout in layouts], device=device)

    def parts(self) -> Iterator[Tensor]:
        """Yield the indices of subpixels to trace together, row by row."""
        fine = self.options.supersampling
        total = self.options.height * self.options.width * fine * fine
        step = max(1, self.options.pixels_at_once // len(self.eye))
        for start in range(0, total, step):
            yield torch.arange(start, min(start + step, total), device=self.device)

    def trace(self, part: Tensor) -> Traced:
        """Trace the subpixels `part` (n,)."""
        points = self._look(part)
        lamps, ambient = self.lighting.lamps(points), self.lighting.ambient(points)
        sky = (points.distance >= FAR)[:, None, None]
        albedo = points.albedo[:, None]
        heaven = albedo * self.lighting.shown(points) if sky.any() else torch.zeros(())
        lit, free = albedo * (lamps.lit + ambient), albedo * (lamps.free + ambient)
        if points.gloss[:, 0].any():
            mirrored = self.lighting.mirrored(points)
            lit, free = lit + (lamps.shine + mirrored), free + (lamps.free_shine + mirrored)
        return Traced(
            points.albedo,
            torch.where(sky, heaven, lit),
            torch.where(sky, heaven, free),
            points.distance[:, None],
            points.normal,
        )

    def _look(self, part: Tensor) -> Points:
        """Follow the camera rays to the surfaces that they hit."""
        fine = self.options.supersampling
        height, width = self.options.height * fine, self.options.width * fine
        column, row = part % width, part // width
        short = min(height, width)
        x, y = (2 * column + 1 - width) / short, (height - 2 * row - 1) / short
        forward = F.normalize(self.focus - self.eye, dim=-1)
        right = F.normalize(torch.stack([-forward[:, 2], 0 * forward[:, 0], forward[:, 0]], -1), dim=-1)
        up = torch.linalg.cross(right, forward)
        lens = self.lens[:, None, None]
        view = forward[..., None] + lens * (right[..., None] * x + up[..., None] * y)
        view = unit(view)
        origin = self.eye[..., None].expand_as(view)
        distance, material, normal, surface = self._meet(origin, view)
        if self.patch is not None:
            material = self._with_patch(self.patch, origin + view * distance[:, None], material)
        facing = dot(normal, view).abs().clamp(min=0.05)
        pixel = distance * self.lens[:, None] * (2.0 * fine / short) / facing.sqrt()
        albedo, relief = paint(self.materials, material, surface, pixel * 0.7, self.crops)
        relief = relief - normal * dot(relief, normal)[:, None]
        return Points(
            origin + view * distance[:, None] + LIFT * normal,
            normal,
            unit(normal + relief * (normal != 0).any(1, keepdim=True)),
            albedo,
            self.materials.gloss[torch.arange(len(view), device=view.device)[:, None], material].mT,
            distance,
            view,
            (row % fine) * fine + column % fine,
        )

    def _with_patch(self, patch: Tensor, place: Tensor, material: Tensor) -> Tensor:
        """Return the materials (B, n) at places (B, 3, n) with the patches of the main surfaces in them."""
        extent, turn = self.patch_turn[:, :1], self.patch_turn[:, 1:]
        x, up, along = ((place - self.focus[..., None]) / extent[..., None]).unbind(1)
        y = torch.where((self.canvas == _GROUND)[:, None], along, up)
        c, s = turn.cos(), turn.sin()
        passed = through_masks(patch, c * x - s * y, s * x + c * y, torch.zeros_like(x))
        inside = (passed < 0.5) & (material == self.canvas[:, None]) & (self.patch_material >= 0)[:, None]
        return torch.where(inside, self.patch_material[:, None], material)

    def _meet(self, origin: Tensor, view: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return distance, material, normal and surface coordinates of the first hit: solid, ground, wall or sky."""
        hits = first_hits(self.solids, origin, view)
        rows = torch.arange(len(origin), device=origin.device)[:, None]
        material = self.solid_materials[rows, hits.primitive.clamp(min=0)]
        distance, normal, surface = hits.distance, hits.normal, hits.surface

        def nearer(at: Tensor, its: int, its_normal: Tensor, its_surface: Tensor) -> None:
            nonlocal distance, material, normal, surface
            closer = at < distance
            distance = torch.where(closer, at, distance)
            material = torch.where(closer, its, material)
            normal = torch.where(closer[:, None], its_normal, normal)
            surface = torch.where(closer[:, None], its_surface, surface)

        down = view[:, 1]
        ground = torch.where(down < -1e-6, -origin[:, 1] / down.clamp(max=-1e-6), FAR)
        upright = torch.zeros_like(normal)
        upright[:, 1] = 1
        nearer(ground, _GROUND, upright, (origin + view * ground[:, None])[:, ::2])
        # The room's floor is the ground, so its centre is at half its height.
        centre = self.room[..., None] * self.room.new_tensor([0, 1, 0])[:, None]
        walls = (self.room[..., None] * view.sign() - (origin - centre)) / view
        walls = torch.where(view == 0, FAR, walls)  # rays along a wall do not meet it
        walls[:, 1] = torch.where(down > 0, walls[:, 1], FAR)
        wall, side = walls.min(1)
        inward = -F.one_hot(side, 3).movedim(-1, 1) * view.sign()
        at = origin + view * wall[:, None]
        along = torch.where(
            (side == 0)[:, None], at[:, [2, 1]], torch.where((side == 2)[:, None], at[:, :2], at[:, ::2])
        )
        nearer(torch.where(self.indoors[:, None], wall, FAR), _WALLS, inward, along)
        missed = distance >= FAR
        turn = torch.stack([torch.atan2(view[:, 0], -view[:, 2]), view[:, 1] * 1.5], 1)
        material = torch.where(missed, _SKY, material)
        surface = torch.where(missed[:, None], turn, surface)
        return distance, material, normal * ~missed[:, None], surface
