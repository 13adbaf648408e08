"""Pairs of one view under two lights, with all that is known of the light."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Generator, Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.training.made_light import made_log_light, uniform
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.views import RenderedViews

DARKEST = 1e-3  # light below this is black to the camera, and a ratio of two such means nothing


@dataclass(frozen=True)
class Pairs:
    """A batch: two pictures of each view, and by what their light would have to be multiplied, as logarithms."""

    a: Tensor  # (B, 3, S, S) sRGB in [0, 1], as a camera would store it
    b: Tensor  # (B, 3, S, S)
    to_other: Tensor  # (B, 3, S, S) from a's light to b's
    to_free: Tensor  # (2, B, 3, S, S) from a's and from b's light to the same without cast shadows
    to_white: Tensor  # (2, B, 3, S, S) from a's and from b's light to none, so that albedo is left; NaN if not known


def store(linear: Tensor, generator: Generator) -> Tensor:
    """Clip, add sensor-like noise and round to 8 bits: linear light in, sRGB in [0, 1] out."""
    strength = uniform((len(linear), 1, 1, 1), 0, 0.01, generator)
    noise = torch.randn(linear.shape, generator=generator, device=linear.device)
    noisy = linear + noise * strength * (linear.clamp(min=0) + 0.01).sqrt()
    return (linear_to_srgb(noisy.clamp(0, 1)) * 255).round() / 255


def photo_pairs(crops: PhotoCrops, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Put two made lights on each crop; the photo's own light stays under both and is not known."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    linear = srgb_to_linear(crops.draw(count, size, rng).to(device))
    light, free = (x.unflatten(0, (2, count)) for x in made_log_light(2 * count, size, generator))
    a, b = (store(linear * x.exp(), generator) for x in light)
    return Pairs(a, b, light[1] - light[0], free - light, torch.full_like(light, torch.nan))


def view_pairs(views: RenderedViews, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Take rendered views, each under two of its lights."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    albedo, shading, free = (x.to(device) for x in views.draw(count, size, rng))
    a, b = (store(albedo * shading[:, i], generator) for i in (0, 1))
    light, free = ((x + DARKEST).log().transpose(0, 1) for x in (shading, free))
    return Pairs(a, b, light[1] - light[0], free - light, -light)


def joined(batches: list[Pairs]) -> Pairs:
    """Put batches one after the other."""
    parts = {f.name: [getattr(batch, f.name) for batch in batches] for f in fields(Pairs)}
    return Pairs(**{name: torch.cat(tensors, dim=tensors[0].ndim - 4) for name, tensors in parts.items()})
