"""Pairs of one view under two lights whose ratio is known."""

from dataclasses import dataclass

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
    """A batch: two pictures of each view and what separates them."""

    a: Tensor  # (B, 3, S, S) sRGB in [0, 1], as a camera would store it
    b: Tensor  # (B, 3, S, S)
    log_ratio: Tensor  # (B, 3, S, S) log(light_b / light_a)


def store(linear: Tensor, generator: Generator) -> Tensor:
    """Clip, add sensor-like noise and round to 8 bits: linear light in, sRGB in [0, 1] out."""
    strength = uniform((len(linear), 1, 1, 1), 0, 0.01, generator)
    noise = torch.randn(linear.shape, generator=generator, device=linear.device)
    noisy = linear + noise * strength * (linear.clamp(min=0) + 0.01).sqrt()
    return (linear_to_srgb(noisy.clamp(0, 1)) * 255).round() / 255


def photo_pairs(crops: PhotoCrops, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Put two made lights on each crop."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    linear = srgb_to_linear(crops.draw(count, size, rng).to(device))
    lights, _ = made_log_light(2 * count, size, generator)
    a, b = lights.chunk(2)
    return Pairs(store(linear * a.exp(), generator), store(linear * b.exp(), generator), b - a)


def view_pairs(views: RenderedViews, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Take rendered views, each under two of its lights."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    albedo, shading, _ = (x.to(device) for x in views.draw(count, size, rng))
    a, b = (albedo * shading[:, i] for i in (0, 1))
    log_ratio = (shading[:, 1] + DARKEST).log() - (shading[:, 0] + DARKEST).log()
    return Pairs(store(a, generator), store(b, generator), log_ratio)


def joined(batches: list[Pairs]) -> Pairs:
    """Put batches one after the other."""
    return Pairs(*(torch.cat([getattr(b, name) for b in batches]) for name in ("a", "b", "log_ratio")))
