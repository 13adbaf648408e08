"""Rendered pictures with known light: procedural scenes, ray-traced in batches under several lights each.

The picture of view b under light l is `albedo[b] * shading[b, l]` in linear light; `shadow_free` is the shading
of the same light without cast shadows (ambient occlusion stays).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import LUMINANCE
from relight_cli.training.scenes.layouts import Layout, sample_layout
from relight_cli.training.scenes.rendering import Stage, Traced
from relight_cli.training.scenes.staging import Scene, SceneOptions, sample_scene
from relight_cli.training.scenes.surroundings import Environment

__all__ = ["Scene", "SceneOptions", "Views", "render_scenes", "render_views", "sample_scene"]

_GREY = 0.18  # linear mean luminance of a well-exposed picture
_DEFAULTS = SceneOptions()


@dataclass(frozen=True)
class Views:
    """One batch of views: float32, linear light, all on one device."""

    albedo: Tensor  # (B, 3, H, W) 0.02..0.9
    shading: Tensor  # (B, L, 3, H, W) incident light, with cast shadows
    shadow_free: Tensor  # (B, L, 3, H, W) the same light without cast shadows
    depth: Tensor  # (B, 1, H, W) metres along the ray, 200 in the sky
    normals: Tensor  # (B, 3, H, W) unit, world axes, y up; zero in the sky


@torch.no_grad()
def render_views(
    seed: int,
    count: int,
    options: SceneOptions = _DEFAULTS,
    *,
    device: str = "cpu",
    crops: Tensor | None = None,
    environments: Sequence[Environment] = (),
    draw_layout: Callable[[Random], Layout] = sample_layout,
) -> Views:
    """Render `count` views, each light exposed to about mid-grey; view b is the scene of `seed + b`.

    Callers therefore step the seed by `count`. Some surfaces of view b show the picture `crops[b % n]` of `crops`
    (n, 3, h, w), linear light in [0, 1]. A share of the lights are `environments`, if there are any.
    """
    seeds = range(seed, seed + count)
    scenes = [
        sample_scene(one, options, crops=crops is not None, draw_layout=draw_layout, environments=environments)
        for one in seeds
    ]
    # Scenes are padded to the primitives of the largest: cheap on a GPU, not on a CPU.
    together = count if torch.device(device).type != "cpu" else 1
    batches = []
    for first in range(0, count, together):
        some = None if crops is None else torch.roll(crops, -first, 0)
        batches.append(render_scenes(scenes[first : first + together], options, device=device, crops=some))
    views = Views(*(torch.cat([getattr(batch, f.name) for batch in batches]) for f in fields(Views)))
    spread = options.exposure_spread
    draws = [Random(f"exposure of {one}") for one in seeds]
    stops = [[draw.triangular(-spread, spread, 0.0) for _ in range(options.lights)] for draw in draws]
    mean = _mean_luminance(views.albedo[:, None] * views.shading)
    gain = (_GREY * 2 ** torch.tensor(stops, device=mean.device) / mean.clamp(min=1e-6))[..., None, None, None]
    return Views(views.albedo, views.shading * gain, views.shadow_free * gain, views.depth, views.normals)


@torch.no_grad()
def render_scenes(
    scenes: list[Scene], options: SceneOptions = _DEFAULTS, *, device: str = "cpu", crops: Tensor | None = None
) -> Views:
    """Render scenes without adjusting the exposure."""
    stage = Stage(scenes, options, device, None if crops is None else crops.to(device))
    parts = [stage.trace(part) for part in stage.parts()]
    fine = options.supersampling
    height, width = options.height * fine, options.width * fine

    def whole(name: str) -> Tensor:
        """Join the parts and average the subpixels of each pixel."""
        joined = torch.cat([getattr(part, name) for part in parts], -1)
        lead = joined.shape[:-2]
        flat = joined.reshape(-1, joined.shape[-2], height, width)
        return F.avg_pool2d(flat, fine).unflatten(0, lead) if fine > 1 else flat.unflatten(0, lead)

    albedo, picture, unshadowed, depth, normals = (whole(field.name) for field in fields(Traced))
    # Albedo and pictures are averaged, so that edges are smooth in both; the shading is their ratio.
    each = albedo[:, None]
    return Views(albedo, picture / each, unshadowed / each, depth, F.normalize(normals, dim=1))


def _mean_luminance(pictures: Tensor) -> Tensor:
    weights = pictures.new_tensor(LUMINANCE)[:, None, None]
    return (pictures * weights).sum(-3).mean((-2, -1))
