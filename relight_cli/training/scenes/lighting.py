"""The light of a batch of scenes: the lamps' with its shadows, ambient light, and what shiny surfaces reflect."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.bounces import Bounced, lay_patches
from relight_cli.training.scenes.gloss import lobe, mirror
from relight_cli.training.scenes.lights import stack_lights
from relight_cli.training.scenes.ray_tracing import Solids, covered, dot, unit
from relight_cli.training.scenes.shadow_masks import draw_masks, through_masks
from relight_cli.training.scenes.staging import Scene, SceneOptions
from relight_cli.training.scenes.surroundings import look_up, stack_surroundings

LIFT = 2e-3  # metres that secondary rays start above a surface
_CONE_SLOPE = 0.5  # of an ambient cone; eight of them about fill a hemisphere
_LOWERED = 0.9  # times its slope: sine of half the width of a cone, which meets the ground by as much above the horizon
_LEAST_LIT = 0.15  # of a view that a mask must leave in the light


@dataclass(frozen=True)
class Points:
    """The surface points that n subpixels show in each of B scenes."""

    place: Tensor  # (B, 3, n)
    normal: Tensor  # (B, 3, n) of the shape; zero in the sky
    rough_normal: Tensor  # (B, 3, n) with the surface's fine relief
    albedo: Tensor  # (B, 3, n)
    gloss: Tensor  # (B, 2, n) reflectance, zero on matt surfaces, and roughness
    distance: Tensor  # (B, n)
    view: Tensor  # (B, 3, n) direction of the camera ray
    corner: Tensor  # (n,) index of the subpixel in its pixel


@dataclass(frozen=True)
class LampLight:
    """The light of the lamps with and without cast shadows, (B, L, 3, n) each."""

    lit: Tensor
    free: Tensor
    shine: Tensor  # what shiny surfaces reflect of it
    free_shine: Tensor


def _passing(masks: Tensor, half: Tensor) -> Tensor:
    """Return the means (B, L) of masks (B, L, M, M) over their middles, `half` (B, L) extents to either side."""
    size = masks.shape[-1]
    edge = ((torch.arange(size, device=masks.device) + 0.5) * (2.0 / size) - 1).abs()
    inside = (edge < half.clamp(max=1.0)[..., None]).to(masks.dtype)
    inside = inside / inside.sum(-1, keepdim=True).clamp(min=1)
    return torch.einsum("blyx,bly,blx->bl", masks, inside, inside)


class Lighting:
    """The lights of a batch of scenes as tensors on one device, with the things that they light."""

    def __init__(
        self, scenes: list[Scene], options: SceneOptions, solids: Solids, solid_albedo: Tensor, ground_albedo: Tensor
    ) -> None:
        """Take the solids and the mean albedos of each (B, 3, P) and of the ground (B, 3)."""
        self.options, self.solids = options, solids
        self.solid_albedo, self.ground_albedo = solid_albedo, ground_albedo
        device = str(solid_albedo.device)
        self.lights = stack_lights([scene.lights for scene in scenes], device)
        self.around = stack_surroundings([[light.around for light in scene.lights] for scene in scenes], device)

        def numbers(values: list[object]) -> Tensor:
            return torch.tensor(values, device=device, dtype=torch.float32)

        self.focus = numbers([scene.layout.target for scene in scenes])
        self.indoors = torch.tensor([scene.layout.indoors for scene in scenes], device=device)
        masks = [mask for scene in scenes for mask in scene.masks]
        self.masks = draw_masks(masks, device).unflatten(0, (len(scenes), -1))  # (B, L, blurs, M, M)
        per_light = (len(scenes), -1)
        self.mask_extent = numbers([m.extent if m else 1.0 for m in masks]).reshape(per_light)
        self.mask_height = numbers([m.height if m else 1.0 for m in masks]).reshape(per_light)
        self.mask_turn = numbers([m.turn if m else 0.0 for m in masks]).reshape(per_light)
        self.masked = numbers([m is not None for m in masks]).reshape(per_light)
        # A view wholly in the shadow of a mask shows no shadow: drop such masks.
        span = numbers([scene.layout.span for scene in scenes])
        half_view = 0.5 * span[:, None] / self.mask_extent
        self.masked = self.masked * (_passing(self.masks[:, :, 0], half_view) > _LEAST_LIT)
        to_lamp = self.lights.position - self.focus[:, None]
        self.axis = F.normalize(to_lamp, dim=-1)  # (B, L, 3)
        sideways = F.normalize(torch.stack([-self.axis[..., 2], 0 * self.axis[..., 0], self.axis[..., 0]], -1), dim=-1)
        self.across = sideways
        self.upward = torch.linalg.cross(self.axis, sideways) * -1
        self.bounced = None
        if options.bounce:
            self.bounced = self._bounced(span)

    def _bounced(self, span: Tensor) -> Bounced:
        """Gather the light of solids and ground within `span` (B,) metres of the focus."""
        patches = lay_patches(self.solids, self.focus, span)
        corner = torch.arange(patches.place.shape[-1], device=span.device) % self.options.supersampling**2
        unused = torch.zeros_like(patches.place)
        points = Points(
            patches.place + LIFT * patches.normal,
            patches.normal,
            patches.normal,
            unused,
            unused[:, :2],
            unused[:, 0],
            unused,
            corner,
        )
        arriving = self.lamps(points).lit + self.ambient(points)
        return Bounced(patches, arriving, self.solid_albedo, self.ground_albedo)

    def lamps(self, points: Points) -> LampLight:
        """Return the light of the lamps."""
        fine = self.options.supersampling**2
        rays = max(1, self.options.shadow_rays // fine)
        shiny = bool(points.gloss[:, 0].any())
        found = []
        for light in range(self.options.lights):
            across, upward = self.across[:, light, :, None], self.upward[:, light, :, None]
            radius = self.lights.radius[:, light, None]
            arriving = passing = shine = passing_shine = radius.new_zeros(1, 1)
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
                reach = (self.lights.reach[:, light, None] / away) ** 2
                strength = dot(points.rough_normal, direction).clamp(min=0) * seen * reach / rays
                blocked = covered(self.solids, points.place, direction, slope, away).sum(1)
                passed = (1 - blocked).clamp(min=0) * self._past_mask(light, points.place, direction, slope)
                arriving, passing = arriving + strength, passing + strength * passed
                if shiny:
                    gleam = lobe(points.rough_normal, points.view, direction, points.gloss, slope) * seen * reach / rays
                    shine, passing_shine = shine + gleam, passing_shine + gleam * passed
            key = self.lights.key[:, light, :, None]
            found.append([key * each[..., None, :] for each in (passing, arriving, passing_shine, shine)])
        return LampLight(*(torch.stack(each, 1) for each in zip(*found, strict=True)))

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

    def ambient(self, points: Points) -> Tensor:
        """Return the ambient light (B, L, 3, n), gathered in cones around the normal."""
        fine = self.options.supersampling**2
        pairs = max(1, self.options.ambient_rays // (2 * fine))
        normal = points.normal
        pole = torch.where(
            normal[:, 1:2].abs() < 0.9, normal.new_tensor([0, 1, 0])[:, None], normal.new_tensor([1, 0, 0])[:, None]
        )
        tangent = unit(torch.linalg.cross(normal, pole, dim=1))
        other = torch.linalg.cross(normal, tangent, dim=1)
        total = torch.zeros_like(self.lights.key)[..., None]
        for ray in range(2 * pairs):
            # Two rings, at 30 and 60 degrees, each with half of a hemisphere's cosine-weighted light.
            ring, step = ray % 2, points.corner * pairs + ray // 2
            turn = (step + 0.5 * ring) * (2 * math.pi / (fine * pairs))
            rise, out = (math.sqrt(0.75), 0.5) if ring == 0 else (0.5, math.sqrt(0.75))
            direction = rise * normal + out * (tangent * turn.cos() + other * turn.sin())
            total = total + self._cone(points.place, direction, _CONE_SLOPE)
        return total / (2 * pairs)

    def mirrored(self, points: Points) -> Tensor:
        """Return what shiny surfaces reflect from around (B, L, 3, n)."""
        direction, slope, share = mirror(points.normal, points.view, points.gloss)
        return self._cone(points.place, direction, slope) * share[:, None, None]

    def _cone(self, place: Tensor, direction: Tensor, slope: Tensor | float) -> Tensor:
        """Return the light (B, L, 3, n) in cones from `place`: of sky and ground, or of things that are in the way.

        Without `bounce` all things and the ground send on an even light.
        """
        lights = self.lights
        around = 0.5 * (lights.zenith + lights.horizon)
        shares = covered(self.solids, place, direction, slope)
        blocked = shares.sum(1)
        over = blocked.clamp(min=1)[:, None]
        up = direction[:, None, 1:2]
        lowered = _LOWERED * slope if isinstance(slope, float) else _LOWERED * slope[:, None]
        if self.bounced is None:
            off_things = (around + 0.3 * lights.key)[..., None]  # (B, L, 3, 1)
            back = (torch.bmm(self.solid_albedo, shares) / over)[:, None] * off_things
            open_ground = self.axis[..., 1:2].clamp(min=0) * (0.9 - 0.4 * self.masked[..., None])
            off_ground = (self.ground_albedo[:, None] * (around + lights.key * open_ground))[..., None]
        else:
            back = self.bounced.off_solids(shares / over, direction)
            off_ground = self.bounced.off_ground(place, direction, lowered)
        low = lowered if isinstance(lowered, float) else lowered[:, None]
        from_afar = torch.lerp(self._sky(direction, slope), off_ground, (0.5 - up / (2 * low)).clamp(0, 1))
        return (1 - blocked).clamp(min=0)[:, None, None] * from_afar + back

    def _sky(self, direction: Tensor, slope: Tensor | float) -> Tensor:
        """Return the light (B, L, 3, n) of the sky in cones."""
        up = direction[:, None, 1:2].clamp(0, 1)
        sky = torch.lerp(self.lights.horizon[..., None], self.lights.zenith[..., None], up)
        if self.around is None:
            return sky
        found = look_up(self.around.broad, direction)
        if isinstance(slope, Tensor):
            # In a room the walls would be mirrored, not the map: only its broad light is.
            blurred = torch.where(self.indoors[:, None], 1.0, (slope / _CONE_SLOPE).clamp(max=1))
            found = torch.lerp(look_up(self.around.shown, direction), found, blurred[:, None, None])
        return torch.where(self.around.given, found, sky)

    def shown(self, points: Points) -> Tensor:
        """Return the light (B, L, 3, n) of the sky in the view's directions: albedo times it is what the sky shows."""
        up = points.view[:, None, 1:2].clamp(0, 1)
        heaven = torch.lerp(self.lights.horizon[..., None], self.lights.zenith[..., None], up.sqrt()) * 2.0
        if self.around is None:
            return heaven
        return torch.where(self.around.given, look_up(self.around.shown, points.view) / points.albedo[:, None], heaven)
