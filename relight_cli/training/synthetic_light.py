"""Synthetic light: log-light maps for real photos and painted grounds, so that the truth is known.

Every function returns maps of a batch and draws from the generator that it gets, on the generator's device.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHADOW_SHARE = 0.75  # of the maps have a cast shadow; the rest teach the absence of one
UNEVEN_SHARE = 0.4  # of the maps show lamps and windows, the rest sun and sky
STROKES = 12  # of a silhouette


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Draw from U(low, high)."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def smooth_noise(count: int, cells: int, size: int, generator: Generator) -> Tensor:
    """Return bicubic noise (count, 1, size, size) of unit variance with about `cells` bumps across."""
    grid = torch.randn((count, 1, cells + 3, cells + 3), generator=generator, device=generator.device)
    noise = F.interpolate(grid, size=(size + 2 * size // cells,) * 2, mode="bicubic", align_corners=True)
    start = size // cells
    noise = noise[..., start : start + size, start : start + size]
    return noise / noise.std(dim=(2, 3), keepdim=True).clamp(min=1e-3)


def half_planes(count: int, size: int, generator: Generator) -> Tensor:
    """Return signed distances (count, 1, size, size), in picture widths, to unions of random convex polygons."""
    axis = torch.linspace(-1, 1, size, device=generator.device)
    y, x = axis[:, None], axis[None]
    union = torch.full((count, 1, size, size), 9.0, device=generator.device)
    for _ in range(3):
        turn = uniform((count, 1, 1, 1), 0, math.tau, generator)
        cx, cy = uniform((count, 1, 1, 1), -1, 1, generator), uniform((count, 1, 1, 1), -1, 1, generator)
        inside = torch.full_like(union, -9.0)
        for side in range(4):
            angle = turn + side * math.pi / 2 + uniform((count, 1, 1, 1), -0.5, 0.5, generator)
            reach = uniform((count, 1, 1, 1), 0.05, 0.9, generator)
            inside = torch.maximum(inside, (x - cx) * angle.cos() + (y - cy) * angle.sin() - reach)
        union = torch.minimum(union, inside)
    return union / 2


def bars(count: int, size: int, generator: Generator) -> Tensor:
    """Return signed distances to parallel bars: fences, blinds, poles."""
    axis = torch.linspace(-1, 1, size, device=generator.device)
    turn = uniform((count, 1, 1, 1), 0, math.pi, generator)
    along = axis[None] * turn.cos() + axis[:, None] * turn.sin() + 0.05 * smooth_noise(count, 3, size, generator)
    period = uniform((count, 1, 1, 1), 0.15, 1.6, generator)
    share = uniform((count, 1, 1, 1), 0.2, 0.7, generator)
    phase = along / period + uniform((count, 1, 1, 1), 0, 1, generator)
    return ((phase - phase.floor() - 0.5).abs() - share / 2) * period / 2


def foliage(count: int, size: int, generator: Generator) -> Tensor:
    """Return noise of several scales minus a threshold, roughly scaled to distances: blobs, crowns and dapples."""
    coarse, fine = smooth_noise(count, 3, size, generator), smooth_noise(count, 12, size, generator)
    share = uniform((count, 1, 1, 1), 0.0, 1.0, generator)
    return (coarse * (1 - share) + fine * share + uniform((count, 1, 1, 1), -0.8, 0.8, generator)) * 0.06


def silhouettes(count: int, size: int, generator: Generator) -> Tensor:
    """Return signed distances to bodies with limbs: hands, heads on shoulders, people, signs on posts.

    They are round-ended strokes, each grown from the end or the middle of an earlier one and mostly thinner than it.
    """
    axis = torch.linspace(-1, 1, size, device=generator.device)
    y, x = axis[:, None], axis[None]

    def draw(low: float, high: float) -> Tensor:
        return uniform((count, 1, 1, 1), low, high, generator)

    x0, y0, angle = draw(-1.1, 1.1), draw(-1.1, 1.1), draw(0, math.tau)
    length, half = draw(0.1, 1.3), torch.exp(draw(math.log(0.04), math.log(0.5)))
    strokes = draw(1, STROKES)
    ends, union = [], torch.full((count, 1, size, size), 9.0, device=generator.device)
    for k in range(STROKES):
        x1, y1 = x0 + length * angle.cos(), y0 + length * angle.sin()
        dx, dy = x1 - x0, y1 - y0
        along = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy).clamp(min=1e-6)).clamp(0, 1)
        taper = 1 - 0.35 * along
        away = ((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2).sqrt() - half * taper
        union = torch.where(k < strokes, torch.minimum(union, away), union)
        ends.append(torch.cat((x1, y1, angle, length, half), dim=1))
        parent = torch.randint(0, len(ends), (count,), generator=generator, device=generator.device)
        px, py, angle, length, half = torch.stack(ends)[parent, torch.arange(count)].split(1, dim=1)
        back = draw(0, 1) * (draw(0, 1) < 0.5) * length
        x0, y0 = px - back * angle.cos(), py - back * angle.sin()
        angle = angle + draw(-1.3, 1.3)
        length, half = length * draw(0.3, 1.1), half * draw(0.35, 1.1)
    return union / 2


SHAPES = (half_planes, bars, foliage, silhouettes, silhouettes)  # the kinds of shapes, drawn with equal chance


def shapes(count: int, size: int, generator: Generator) -> Tensor:
    """Return signed distances (count, 1, size, size), in picture widths, to shapes of all kinds."""
    kinds = torch.stack([shape(count, size, generator) for shape in SHAPES])
    pick = torch.randint(0, len(SHAPES), (count,), generator=generator, device=generator.device)
    distance = kinds[pick, torch.arange(count, device=generator.device)]
    return distance + 0.01 * uniform((count, 1, 1, 1), 0, 1, generator) * smooth_noise(count, 24, size, generator)


def cast_shadows(count: int, size: int, generator: Generator) -> Tensor:
    """Return the visibility of the light (count, 1, size, size) in [0, 1]: all kinds of shapes, hard or soft."""
    distance = shapes(count, size, generator)
    softness = torch.exp(uniform((count, 1, 1, 1), math.log(0.5 / size), math.log(0.05), generator))
    widening = (smooth_noise(count, 2, size, generator) * 0.7).exp()  # a penumbra grows with the caster's distance
    return torch.sigmoid(distance / (softness * widening))


def smooth_log_light(count: int, size: int, generator: Generator) -> Tensor:
    """Return log light without cast shadows (count, 3, size, size).

    It has an exposure and a colour; `UNEVEN_SHARE` of the maps also have a gradient, broad unevenness and a spot, which
    look like shadows but are none.
    """
    axis = torch.linspace(-1, 1, size, device=generator.device)
    y, x = axis[:, None], axis[None]
    n1, n3 = (count, 1, 1, 1), (count, 3, 1, 1)
    warmth = (
        uniform(n1, -0.45, 0.45, generator) * torch.tensor([1.0, 0.1, -1.0], device=generator.device)[:, None, None]
    )
    even = uniform(n1, -0.9, 0.5, generator) + warmth + uniform(n3, -0.08, 0.08, generator)
    turn, slope = uniform(n1, 0, math.tau, generator), uniform(n1, 0, 0.7, generator)
    uneven = slope * (x * turn.cos() + y * turn.sin())
    uneven = uneven + uniform(n1, 0, 0.25, generator) * smooth_noise(count, 2, size, generator)
    cx, cy, reach = uniform(n1, -1, 1, generator), uniform(n1, -1, 1, generator), uniform(n1, 0.25, 1.2, generator)
    lamp = uniform(n1, -1.0, 1.2, generator).clamp(min=0) * (1 + uniform(n3, -0.3, 0.3, generator))
    uneven = uneven + lamp * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / reach**2)
    return even + uneven * (uniform(n1, 0, 1, generator) < UNEVEN_SHARE)


def light_left(count: int, size: int, generator: Generator) -> Tensor:
    """Return the share of the light (count, 3, size, size) that is left in full shadow.

    It is about a seventh and bluer under a clear sky, more under haze and between walls, less close to the caster.
    """
    n1 = (count, 1, 1, 1)
    depth = uniform(n1, math.log(0.06), math.log(0.6), generator)
    tint = torch.tensor([-0.25, -0.05, 0.25], device=generator.device)[:, None, None]
    bounced = uniform(n1, 0, 0.2, generator) * smooth_noise(count, 2, size, generator)
    return (depth + tint * uniform(n1, -0.2, 1.4, generator) + bounced).exp().clamp(max=1.0)


def synthetic_log_light(count: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return log light and the same light without cast shadows, both (count, 3, size, size).

    `SHADOW_SHARE` of the maps have a cast shadow.
    """
    smooth = smooth_log_light(count, size, generator)
    visibility, left = cast_shadows(count, size, generator), light_left(count, size, generator)
    shadowed = uniform((count, 1, 1, 1), 0, 1, generator) < SHADOW_SHARE
    shadow = torch.where(shadowed, torch.log(left + (1 - left) * visibility), 0.0)
    return smooth + shadow, smooth
