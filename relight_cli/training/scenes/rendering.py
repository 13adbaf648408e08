"""The renderer: camera rays, surfaces, the lamp's light with its shadows, and ambient light."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.bounces import Bounced, lay_patches
from relight_cli.training.scenes.lights import stack_lights
from relight_cli.training.scenes.packing import stack_solids
from relight_cli.training.scenes.ray_tracing import FAR, covered, dot, first_hits, unit
from relight_cli.training.scenes.shadow_masks import draw_masks, through_masks
from relight_cli.training.scenes.staging import Scene, SceneOptions
from relight_cli.training.scenes.surroundings import look_up, stack_surroundings
from relight_cli.training.scenes.textures import paint, stack_materials

_GROUND, _WALLS, _SKY = 0, 1, 2  # materials of every layout
_LOWERED = 0.45  # sine of half the width of an ambient cone, which meets the ground by as much above the horizon
_CONE_SLOPE = 0.5  # of an ambient cone; eight of them about fill a hemisphere
_LEAST_LIT = 0.15  # of a view that a mask must leave in the light
_LIFT = 2e-3  # metres that secondary rays start above a surface


@dataclass(frozen=True)
class Points:
    """The surface points that n subpixels show in each of B scenes."""

    place: Tensor  # (B, 3, n)
    normal: Tensor  # (B, 3, n) of the shape; zero in the sky
    rough_normal: Tensor  # (B, 3, n) with the surface's fine relief
    albedo: Tensor  # (B, 3, n)
    distance: Tensor  # (B, n)
    view: Tensor  # (B, 3, n) direction of the camera ray
    corner: Tensor  # (n,) index of the subpixel in its pixel


@dataclass(frozen=True)
class Traced:
    """Linear light of subpixels; L lights."""

    albedo: Tensor  # (B, 3, n)
    picture: Tensor  # (B, L, 3, n)
    unshadowed: Tensor  # (B, L, 3, n)
    depth: Tensor  # (B, 1, n)
    normals: Tensor  # (B, 3, n)


def _passing(masks: Tensor, half: Tensor) -> Tensor:
    """Return the means (B, L) of masks (B, L, M, M) over their middles, `half` (B, L) extents to either side."""
    size = masks.shape[-1]
    edge = ((torch.arange(size, device=masks.device) + 0.5) * (2.0 / size) - 1).abs()
    inside = (edge < half.clamp(max=1.0)[..., None]).to(masks.dtype)
    inside = inside / inside.sum(-1, keepdim=True).clamp(min=1)
    return torch.einsum("blyx,bly,blx->bl", masks, inside, inside)


class Stage:
    """A batch of scenes as tensors on one device, to be traced part by part."""

    def __init__(self, scenes: list[Scene], options: SceneOptions, device: str, crops: Tensor | None) -> None:
        self.options, self.device, self.crops = options, device, crops
        layouts = [scene.layout for scene in scenes]
        self.solids, self.solid_materials = stack_solids(layouts, device)
        self.materials = stack_materials([layout.materials for layout in layouts], device)
        rows = torch.arange(len(scenes), device=device)[:, None]
        self.solid_albedo = self.materials.mean[rows, self.solid_materials].mT  # (B, 3, P)
        self.lights = stack_lights([scene.lights for scene in scenes], device)
        self.around = stack_surroundings([[light.around for light in scene.lights] for scene in scenes], device)

        def numbers(values: list[object]) -> Tensor:
            return torch.tensor(values, device=device, dtype=torch.float32)

        self.eye = numbers([layout.eye for layout in layouts])  # (B, 3)
        self.focus = numbers([layout.target for layout in layouts])
        self.lens = numbers([math.tan(layout.field_of_view / 2) for layout in layouts])  # (B,)
        self.room = numbers([layout.room for layout in layouts])
        self.indoors = torch.tensor([layout.indoors for layout in layouts], device=device)
        masks = [mask for scene in scenes for mask in scene.masks]
        self.masks = draw_masks(masks, device).unflatten(0, (len(scenes), -1))  # (B, L, blurs, M, M)
        per_light = (len(scenes), -1)
        self.mask_extent = numbers([m.extent if m else 1.0 for m in masks]).reshape(per_light)
        self.mask_height = numbers([m.height if m else 1.0 for m in masks]).reshape(per_light)
        self.mask_turn = numbers([m.turn if m else 0.0 for m in masks]).reshape(per_light)
        self.masked = numbers([m is not None for m in masks]).reshape(per_light)
        # A view wholly in the shadow of a mask shows no shadow: drop such masks.
        half_view = numbers([0.5 * scene.layout.span for scene in scenes])[:, None] / self.mask_extent
        self.masked = self.masked * (_passing(self.masks[:, :, 0], half_view) > _LEAST_LIT)
        to_lamp = self.lights.position - self.focus[:, None]
        self.axis = F.normalize(to_lamp, dim=-1)  # (B, L, 3)
        sideways = F.normalize(torch.stack([-self.axis[..., 2], 0 * self.axis[..., 0], self.axis[..., 0]], -1), dim=-1)
        self.across = sideways
        self.upward = torch.linalg.cross(self.axis, sideways) * -1
        self.bounced: Bounced | None = None
        if options.bounce:
            span = numbers([scene.layout.span for scene in scenes])
            self.bounced = self._bounced(span)

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
        ambient = self._ambient(points)
        lit, free = self._key(points)
        sky = (points.distance >= FAR)[:, None, None]
        albedo = points.albedo[:, None]
        heaven = self._shown(points) if sky.any() else torch.zeros(())
        return Traced(
            points.albedo,
            albedo * torch.where(sky, heaven, lit + ambient),
            albedo * torch.where(sky, heaven, free + ambient),
            points.distance[:, None],
            points.normal,
        )

    def _shown(self, points: Points) -> Tensor:
        """Return the light (B, L, 3, n) of the sky in the view's directions: albedo times it is what the sky shows."""
        up = points.view[:, None, 1:2].clamp(0, 1)
        heaven = torch.lerp(self.lights.horizon[..., None], self.lights.zenith[..., None], up.sqrt()) * 2.0
        if self.around is None:
            return heaven
        return torch.where(self.around.given, look_up(self.around.shown, points.view) / points.albedo[:, None], heaven)

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
        facing = dot(normal, view).abs().clamp(min=0.05)
        pixel = distance * self.lens[:, None] * (2.0 * fine / short) / facing.sqrt()
        albedo, relief = paint(self.materials, material, surface, pixel * 0.7, self.crops)
        relief = relief - normal * dot(relief, normal)[:, None]
        return Points(
            origin + view * distance[:, None] + _LIFT * normal,
            normal,
            unit(normal + relief * (normal != 0).any(1, keepdim=True)),
            albedo,
            distance,
            view,
            (row % fine) * fine + column % fine,
        )

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
        walls = (self.room[..., None] * view.sign() - (origin - centre)) / torch.where(view == 0, 1e-6, view)
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

    def _bounced(self, span: Tensor) -> Bounced:
        """Gather the light of solids and ground within `span` (B,) metres of the focus."""
        patches = lay_patches(self.solids, self.focus, span)
        corner = torch.arange(patches.place.shape[-1], device=self.device) % self.options.supersampling**2
        unused = torch.zeros_like(patches.place)
        place = patches.place + _LIFT * patches.normal
        points = Points(place, patches.normal, patches.normal, unused, unused[:, 0], unused, corner)
        arriving = self._key(points)[0] + self._ambient(points)
        return Bounced(patches, arriving, self.solid_albedo, self.materials.mean[:, _GROUND])

    def _key(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return the light of the lamps with and without cast shadows, (B, L, 3, n) each."""
        fine = self.options.supersampling**2
        rays = max(1, self.options.shadow_rays // fine)
        lit, free = [], []
        for light in range(self.options.lights):
            across, upward = self.across[:, light, :, None], self.upward[:, light, :, None]
            radius = self.lights.radius[:, light, None]
            arriving = passing = torch.zeros(())
            for ray in range(rays):
                # Equal shares of the lamp's disc along a sunflower spiral (Vogel 1979), some for each subpixel.
                share = points.corner * rays + ray
                out, turn = ((share + 0.5) / (fine * rays)).sqrt(), share * 2.399963
                offset = radius[:, None] * out * (across * turn.cos() + upward * turn.sin())
                to_lamp = self.lights.position[:, light, :, None] + offset - points.place
                away = dot(to_lamp, to_lamp).sqrt_()
                direction = to_lamp / away[:, None]
                slope = (1.2 * radius / math.sqrt(fine * rays) / away).clamp(min=1.5e-3)
                # Relief must not light surfaces that face away from the lamp.
                seen = (dot(points.normal, direction) * 8).clamp(0, 1)
                strength = dot(points.rough_normal, direction).clamp(min=0) * seen
                strength = strength * (self.lights.reach[:, light, None] / away) ** 2 / rays
                blocked = covered(self.solids, points.place, direction, slope, away).sum(1)
                passed = (1 - blocked).clamp(min=0) * self._past_mask(light, points.place, direction, slope)
                arriving, passing = arriving + strength, passing + strength * passed
            key = self.lights.key[:, light, :, None]
            lit.append(key * passing[:, None])
            free.append(key * arriving[:, None])
        return torch.stack(lit, 1), torch.stack(free, 1)

    def _past_mask(self, light: int, place: Tensor, direction: Tensor, slope: Tensor) -> Tensor:
        """Return the share (B, n) of a cone of light that passes the mask."""
        if not self.masked[:, light].any():
            return torch.ones_like(slope)
        axis = self.axis[:, light, :, None]
        offset = place - self.focus[..., None]
        toward = dot(direction, axis.expand_as(direction)).clamp(min=0.05)
        run = (self.mask_height[:, light, None] - dot(offset, axis.expand_as(offset))) / toward
        at = offset + direction * run[:, None]
        turn = self.mask_turn[:, light, None]
        extent = self.mask_extent[:, light, None]
        x = dot(at, self.across[:, light, :, None].expand_as(at)) / extent
        y = dot(at, self.upward[:, light, :, None].expand_as(at)) / extent
        c, s = turn.cos(), turn.sin()
        passed = through_masks(self.masks[:, light], c * x - s * y, s * x + c * y, run.clamp(min=0) * slope / extent)
        # A point at the mask's plane or beyond it is in the light.
        return torch.where((run > 0) & (self.masked[:, light, None] > 0), passed, 1.0)

    def _ambient(self, points: Points) -> Tensor:
        """Return the ambient light, gathered in cones: light of the sky, or bounced off things that are in the way.

        Without `bounce` all things and the ground send on an even light.
        """
        fine = self.options.supersampling**2
        pairs = max(1, self.options.ambient_rays // (2 * fine))
        normal = points.normal
        pole = torch.where(
            normal[:, 1:2].abs() < 0.9, normal.new_tensor([0, 1, 0])[:, None], normal.new_tensor([1, 0, 0])[:, None]
        )
        tangent = unit(torch.linalg.cross(normal, pole, dim=1))
        other = torch.linalg.cross(normal, tangent, dim=1)
        lights = self.lights
        around = 0.5 * (lights.zenith + lights.horizon)
        off_things = (around + 0.3 * lights.key)[..., None]  # (B, L, 3, 1)
        open_ground = self.axis[..., 1:2].clamp(min=0) * (0.9 - 0.4 * self.masked[..., None])
        ground_albedo = self.materials.mean[:, None, _GROUND]
        off_ground = (ground_albedo * (around + lights.key * open_ground))[..., None]
        total = torch.zeros_like(off_things)
        for ray in range(2 * pairs):
            # Two rings, at 30 and 60 degrees, each with half of a hemisphere's cosine-weighted light.
            ring, step = ray % 2, points.corner * pairs + ray // 2
            turn = (step + 0.5 * ring) * (2 * math.pi / (fine * pairs))
            rise, out = (math.sqrt(0.75), 0.5) if ring == 0 else (0.5, math.sqrt(0.75))
            direction = rise * normal + out * (tangent * turn.cos() + other * turn.sin())
            shares = covered(self.solids, points.place, direction, _CONE_SLOPE)
            blocked = shares.sum(1)
            over = blocked.clamp(min=1)[:, None]
            if self.bounced is None:
                back = (torch.bmm(self.solid_albedo, shares) / over)[:, None] * off_things
            else:
                back = self.bounced.off_solids(shares / over, direction)
                off_ground = self.bounced.off_ground(points.place, direction, _LOWERED)
            open_share = (1 - blocked).clamp(min=0)[:, None, None]
            up = direction[:, None, 1:2]
            sky = torch.lerp(lights.horizon[..., None], lights.zenith[..., None], up.clamp(0, 1))
            if self.around is not None:
                sky = torch.where(self.around.given, look_up(self.around.broad, direction), sky)
            from_afar = torch.lerp(sky, off_ground, (0.5 - up / (2 * _LOWERED)).clamp(0, 1))
            total = total + open_share * from_afar + back
        return total / (2 * pairs)
