"""Pairs of one view under two lights, with what is known about the light."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.training.cameras import DARKEST, Camera
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.synthetic_light import synthetic_log_light, uniform

TONED = 0.4  # share of the views that a camera or phone with a tone curve of its own takes


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
    """Turn linear light into sRGB in [0, 1] as a plain camera does: add sensor noise, clip, round to 8 bits."""
    strength = uniform((len(linear), 1, 1, 1), 0, 0.01, generator)
    noise = torch.randn(linear.shape, generator=generator, device=linear.device)
    noisy = linear + noise * strength * (linear.clamp(min=0) + 0.01).sqrt()
    return (linear_to_srgb(noisy.clamp(0, 1)) * 255).round() / 255


def sample_camera(generator: Generator) -> Camera:
    """Draw a camera or phone with a tone curve of its own; exposure and white balance belong to the light."""

    def draw(low: float, high: float) -> float:
        return float(uniform((), low, high, generator))

    noise = draw(0, 0.03)
    return Camera(
        saturation=draw(0.85, 1.25),
        knee=draw(0.5, 1),
        power=math.exp(draw(-0.2, 0.2)),
        contrast=draw(0.85, 1.15),
        shot_noise=noise,
        read_noise=noise / 8,
        blur=max(0.0, draw(-0.8, 0.8)),
        quality=round(draw(60, 96)) if draw(0, 1) < 0.6 else None,
    )


def through_cameras(pairs: Pairs, base: Tensor, light: Tensor, share: float, generator: Generator) -> Pairs:
    """Return the pairs with a share of the views taken by cameras with tone curves, each by one under both lights.

    The light of both (2, B, 3, S, S) is a logarithm, by which the linear views `base` are multiplied. What is known of
    the light is then what the pictures show of it: a tone curve makes the factor between two lights depend on the view.
    """
    a, b, *known = (x.clone() for x in (pairs.a, pairs.b, pairs.to_other, pairs.to_free, pairs.to_white))
    to_other, to_free, to_white = known
    for k in (uniform((len(base),), 0, 1, generator) < share).nonzero()[:, 0].tolist():
        camera = sample_camera(generator)
        lit = [base[k] * each[k].exp() for each in light]
        a[k], b[k] = (camera.take(each, generator) for each in lit)
        gain = torch.stack([camera.log_gain(each) for each in lit])
        without = torch.stack([camera.log_gain(each * x[k].exp()) for each, x in zip(lit, to_free, strict=True)])
        to_other[k] += gain[1] - gain[0]
        to_free[:, k] += without - gain
        to_white[:, k] -= gain
    return Pairs(a, b, to_other, to_free, to_white)


def photo_pairs(
    crops: PhotoCrops, count: int, size: int, rng: np.random.Generator, device: str, *, toned: float = 0.0
) -> Pairs:
    """Put two synthetic lights on each crop; the photo's own light stays in both and is unknown.

    A share `toned` is taken by cameras with tone curves.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    pictures, sunny = (x.to(device) for x in crops.draw(count, size, rng))
    linear = srgb_to_linear(pictures)
    light, free = (x.unflatten(0, (2, count)) for x in synthetic_log_light(2 * count, size, generator))
    a, b = (capture(linear * x.exp(), generator) for x in light)
    to_free = torch.where(sunny[:, None, None, None], torch.nan, free - light)
    pairs = Pairs(a, b, light[1] - light[0], to_free, torch.full_like(light, torch.nan))
    return through_cameras(pairs, linear, light, toned, generator)


def view_pairs(
    views: LitViews, count: int, size: int, rng: np.random.Generator, device: str, *, toned: float = 0.0
) -> Pairs:
    """Return pairs of views with known albedo, each under two lights; a share `toned` as in `photo_pairs`."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    albedo, shading, free = (x.to(device) for x in views.draw(count, size, rng, generator))
    pairs = lit_pairs(albedo, shading, free, generator)
    return through_cameras(pairs, albedo, (shading + DARKEST).log().transpose(0, 1), toned, generator)


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
    """Draw each pair of a batch from photos with the chance `photo_share`, else from one of the kinds of views.

    `TONED` of them are taken by cameras with tone curves.
    """
    chances = [photo_share, *([(1 - photo_share) / len(views)] * len(views))] if views else [1.0]
    shares = rng.multinomial(count, chances)
    drawn = [photo_pairs(crops, int(shares[0]), size, rng, device, toned=TONED)] if shares[0] else []
    drawn += [
        view_pairs(v, int(n), size, rng, device, toned=TONED) for v, n in zip(views, shares[1:], strict=True) if n
    ]
    return concatenated(drawn)


def concatenated(batches: list[Pairs]) -> Pairs:
    """Concatenate batches."""
    parts = {f.name: [getattr(batch, f.name) for batch in batches] for f in fields(Pairs)}
    return Pairs(**{name: torch.cat(tensors, dim=tensors[0].ndim - 4) for name, tensors in parts.items()})
