"""Pairs of one view under two lights, with what is known about the light."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.synthetic_light import synthetic_log_light, uniform

DARKEST = 1e-3  # light below this is black to the camera, so that ratios of such values mean nothing


@dataclass(frozen=True)
class Pairs:
    """A batch: two pictures of each view, and logarithms of the factors between their light and other light."""

    a: Tensor  # (B, 3, S, S) sRGB in [0, 1], as a camera stores it
    b: Tensor  # (B, 3, S, S)
    to_other: Tensor  # (B, 3, S, S) from a's light to b's
    to_free: Tensor  # (2, B, 3, S, S) from a's and from b's light to the same without cast shadows
    to_white: Tensor  # (2, B, 3, S, S) from a's and from b's light to none, so that albedo is left; NaN if not known


class LitViews(Protocol):
    """Views whose light is known: rendered scenes, painted grounds."""

    def draw(
        self, count: int, size: int, rng: np.random.Generator, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return albedo (B, 3, S, S) and, under two lights, shading and shadow-free shading (B, 2, 3, S, S), linear."""
        ...


def capture(linear: Tensor, generator: Generator) -> Tensor:
    """Turn linear light into sRGB in [0, 1] as a camera does: add sensor noise, clip, round to 8 bits."""
    strength = uniform((len(linear), 1, 1, 1), 0, 0.01, generator)
    noise = torch.randn(linear.shape, generator=generator, device=linear.device)
    noisy = linear + noise * strength * (linear.clamp(min=0) + 0.01).sqrt()
    return (linear_to_srgb(noisy.clamp(0, 1)) * 255).round() / 255


def photo_pairs(crops: PhotoCrops, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Put two synthetic lights on each crop; the photo's own light stays in both and is unknown."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    pictures, sunny = (x.to(device) for x in crops.draw(count, size, rng))
    linear = srgb_to_linear(pictures)
    light, free = (x.unflatten(0, (2, count)) for x in synthetic_log_light(2 * count, size, generator))
    a, b = (capture(linear * x.exp(), generator) for x in light)
    to_free = torch.where(sunny[:, None, None, None], torch.nan, free - light)
    return Pairs(a, b, light[1] - light[0], to_free, torch.full_like(light, torch.nan))


def view_pairs(views: LitViews, count: int, size: int, rng: np.random.Generator, device: str) -> Pairs:
    """Return pairs of views with known albedo, each under two lights."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    albedo, shading, free = (x.to(device) for x in views.draw(count, size, rng, generator))
    return lit_pairs(albedo, shading, free, generator)


def lit_pairs(albedo: Tensor, shading: Tensor, free: Tensor, generator: Generator) -> Pairs:
    """Return pairs of views under two lights each; shapes as from `LitViews.draw`."""
    a, b = (capture(albedo * shading[:, i], generator) for i in (0, 1))
    light, free = ((x + DARKEST).log().transpose(0, 1) for x in (shading, free))
    return Pairs(a, b, light[1] - light[0], free - light, -light)


def mixed_pairs(
    crops: PhotoCrops,
    views: Sequence[LitViews],
    count: int,
    size: int,
    rng: np.random.Generator,
    device: str,
    photo_share: float,
) -> Pairs:
    """Draw each pair of a batch from photos with the chance `photo_share`, else from one of the kinds of views."""
    chances = [photo_share, *([(1 - photo_share) / len(views)] * len(views))] if views else [1.0]
    shares = rng.multinomial(count, chances)
    drawn = [photo_pairs(crops, int(shares[0]), size, rng, device)] if shares[0] else []
    drawn += [view_pairs(v, int(n), size, rng, device) for v, n in zip(views, shares[1:], strict=True) if n]
    return concatenated(drawn)


def concatenated(batches: list[Pairs]) -> Pairs:
    """Concatenate batches."""
    parts = {f.name: [getattr(batch, f.name) for batch in batches] for f in fields(Pairs)}
    return Pairs(**{name: torch.cat(tensors, dim=tensors[0].ndim - 4) for name, tensors in parts.items()})
