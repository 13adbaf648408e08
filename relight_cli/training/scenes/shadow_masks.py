"""Shadows of things out of view: masks between a light and the scene, stored at several softnesses.

In most real photos, shadows are cast by things that are not in the picture: foliage, fences, people, roofs.
A mask is a plane across the path of the light, `MASK_SIZE` texels over twice its extent, mirrored beyond.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.noise import fractal_noise, lattice_hash

MASK_SIZE = 320  # texels across
_BLURS = 6  # stored softnesses, each with twice the radius of the one before

Pieces = list[tuple[float, float, float, float, float]]  # strokes: x0, y0, x1, y1, half width, in [-1, 1]


@dataclass(frozen=True)
class ShadowMask:
    """A mask between one light and the scene."""

    kind: str
    extent: float  # metres from the middle of the mask to its border
    height: float  # metres from the scene's focus towards the light
    pieces: Pieces
    seed: int
    density: float  # how much of the light the foliage blocks, 0..1
    turn: float  # radians, about the light's axis


def _strokes(x: Tensor, y: Tensor, pieces: Pieces) -> Tensor:
    """Return the signed distance to a union of round-ended strokes, negative inside."""
    nearest = torch.full_like(x, 9.0)
    for x0, y0, x1, y1, half in pieces:
        dx, dy = x1 - x0, y1 - y0
        along = (((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9)).clamp(0, 1)
        away = ((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2).sqrt()
        nearest = torch.minimum(nearest, away - half)
    return nearest


def _leaves(x: Tensor, y: Tensor, seed: int, scale: float, density: Tensor) -> Tensor:
    """Return a layer of jittered, rotated leaves, 1 inside a leaf; `density` is the chance of each."""
    x, y = x * scale, y * scale
    blocked = torch.zeros_like(x)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            i, j = x.floor().to(torch.int32) + dx, y.floor().to(torch.int32) + dy
            across, down = i + lattice_hash(i, j, seed) - x, j + lattice_hash(i, j, seed + 1) - y
            angle = lattice_hash(i, j, seed + 2) * math.pi
            c, s = angle.cos(), angle.sin()
            long, wide = c * across + s * down, c * down - s * across
            size = 0.45 + 0.4 * lattice_hash(i, j, seed + 3)
            inside = size * (1 - (long / (size * 1.2)) ** 2) * 0.5 - wide.abs()
            exists = lattice_hash(i, j, seed + 4) < density
            blocked = torch.maximum(blocked, (inside * 12 + 0.5).clamp(0, 1) * exists)
    return blocked


def _foliage(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    clumps = fractal_noise(x * 2.6, y * 2.6, mask.seed, 3)
    density = ((clumps - 0.5) * 3.5 + mask.density).clamp(0, 1)
    open_share = torch.ones_like(x)
    for layer, scale in enumerate((14.0, 22.0, 9.0)):
        open_share = open_share * (1 - _leaves(x, y, mask.seed + 20 * layer, scale, density * 0.75))
    return open_share


def _sticks(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    texel = 2.0 / MASK_SIZE
    return (_strokes(x, y, mask.pieces) / texel + 0.5).clamp(0, 1)


def _tree(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    return _sticks(x, y, mask) * _foliage(x, y, mask)


def _opening(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    """Let light through a window: the first piece is its glass, the others are its bars."""
    x0, y0, x1, y1, _ = mask.pieces[0]
    texel = 2.0 / MASK_SIZE
    outside = torch.maximum(torch.maximum(x0 - x, x - x1), torch.maximum(y0 - y, y - y1))
    glass = (0.5 - outside / texel).clamp(0, 1)
    return glass * (_strokes(x, y, mask.pieces[1:]) / texel + 0.5).clamp(0, 1)


def _roofs(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    """Block everything below a skyline of steps and slopes."""
    texel = 2.0 / MASK_SIZE
    block = (x * 1.7 + 31).floor().to(torch.int32)
    inside = x * 1.7 + 31 - block
    step = lattice_hash(block, block, mask.seed)
    slope = (lattice_hash(block, block + 7, mask.seed) > 0.6) * (0.25 - (inside - 0.5).abs() * 0.5)
    skyline = mask.density - 0.6 + 0.35 * (step - 0.5) + slope
    chimneys = _sticks(x, y - skyline, mask) if mask.pieces else torch.ones_like(x)
    return ((y - skyline) / texel + 0.5).clamp(0, 1) * chimneys


def _veil(x: Tensor, y: Tensor, mask: ShadowMask) -> Tensor:
    """Dim smoothly, as under thin cloud, smoke or a large blurred object."""
    cloud = fractal_noise(x * 1.2, y * 1.2, mask.seed, 2)
    return 1 - mask.density * ((cloud - 0.42) * 5).clamp(0, 1)


_DRAW: dict[str, Callable[[Tensor, Tensor, ShadowMask], Tensor]] = {
    "foliage": _foliage,
    "tree": _tree,
    "sticks": _sticks,
    "opening": _opening,
    "roofs": _roofs,
    "veil": _veil,
}


def _branches(random: Random) -> Pieces:
    pieces: Pieces = []

    def grow(x: float, y: float, angle: float, length: float, half: float, depth: int) -> None:
        """Append a branch and its twigs, `depth` times forked."""
        x1, y1 = x + length * math.cos(angle), y + length * math.sin(angle)
        pieces.append((x, y, x1, y1, half))
        if depth:
            for _ in range(2):
                grow(
                    x1,
                    y1,
                    angle + random.uniform(-0.8, 0.8),
                    length * random.uniform(0.55, 0.85),
                    half * 0.6,
                    depth - 1,
                )

    start = random.uniform(-0.4, 0.4)
    grow(start, -1.1, math.pi / 2 + random.uniform(-0.3, 0.3), random.uniform(0.5, 0.9), random.uniform(0.03, 0.08), 3)
    return pieces


def _bars(random: Random) -> Pieces:
    """Draw a fence, railing, lattice, ladder, blind or wires."""
    spacing = random.uniform(0.1, 0.45)
    half = spacing * random.uniform(0.06, 0.33)
    low, high = sorted((random.uniform(-1.1, 0.1), random.uniform(0.2, 1.1)))
    count = int(2 / spacing) + 1
    pieces: Pieces = [(-1 + k * spacing, low, -1 + k * spacing, high, half) for k in range(count)]
    if random.random() < 0.7:
        rail = half * random.uniform(0.6, 1.6)
        pieces += [(-1.2, y, 1.2, y, rail) for y in (low + 0.12, high - 0.12)]
    if random.random() < 0.25:
        pieces += [(-1.2, -1 + k * spacing, 1.2, -1 + k * spacing, half) for k in range(count)]
    return pieces


def _person(random: Random) -> Pieces:
    x, tall = random.uniform(-0.5, 0.5), random.uniform(0.7, 1.1)
    foot = random.uniform(-1.0, -0.5)

    def at(side: float, up: float) -> tuple[float, float]:
        return x + side * tall, foot + up * tall

    def limb(a: tuple[float, float], b: tuple[float, float], half: float) -> tuple[float, float, float, float, float]:
        return (*at(*a), *at(*b), half * tall)

    stride, swing = random.uniform(0.02, 0.14), random.uniform(0.1, 0.3)
    return [
        limb((0, 0.93), (0, 0.95), 0.065),
        limb((0, 0.8), (0, 0.55), 0.085),
        limb((-0.03, 0.5), (-0.04 - stride, 0.0), 0.05),
        limb((0.03, 0.5), (0.04 + stride, 0.0), 0.05),
        limb((-0.1, 0.8), (-0.1 - swing, 0.5), 0.032),
        limb((0.1, 0.8), (0.1 + swing * random.uniform(-0.3, 1), random.uniform(0.45, 1.0)), 0.032),
    ]


def _things(random: Random) -> Pieces:
    """Draw a few posts, signs and lumps."""
    pieces: Pieces = []
    for _ in range(random.randint(1, 4)):
        x, y = random.uniform(-0.9, 0.9), random.uniform(-0.7, 0.9)
        angle, length = random.uniform(0, math.pi), random.uniform(0.0, 1.6)
        pieces.append((x, y, x + length * math.cos(angle), y + length * math.sin(angle), random.uniform(0.02, 0.3)))
    return pieces


def _window(random: Random) -> Pieces:
    w, h = random.uniform(0.25, 0.75), random.uniform(0.3, 0.8)
    pieces: Pieces = [(-w, -h, w, h, 0.0)]
    half = random.uniform(0.012, 0.04)
    across, down = random.randint(0, 3), random.randint(0, 3)
    pieces += [
        (-w + 2 * w * k / (across + 1), -h, -w + 2 * w * k / (across + 1), h, half) for k in range(1, across + 1)
    ]
    pieces += [(-w, -h + 2 * h * k / (down + 1), w, -h + 2 * h * k / (down + 1), half) for k in range(1, down + 1)]
    if random.random() < 0.3:
        slats = random.randint(8, 18)
        pieces += [(-w, -h + 2 * h * k / slats, w, -h + 2 * h * k / slats, h / slats * 0.55) for k in range(slats + 1)]
    pieces.append((-3, -3, -3, -3, 0.0))  # far outside, so that a window without bars has a second piece too
    return pieces


def sample_mask(random: Random, span: float, *, indoors: bool) -> ShadowMask:
    """Draw a mask out of view between a light and a scene of about `span` metres."""
    draw = random.random()
    kind, pieces = "foliage", []
    if indoors and draw < 0.6:
        kind, pieces = "opening", _window(random)
    elif draw < 0.25:
        kind = "foliage"
    elif draw < 0.43:
        kind, pieces = "tree", _branches(random)
    elif draw < 0.6:
        kind, pieces = "sticks", _bars(random)
    elif draw < 0.72:
        kind, pieces = "sticks", _person(random)
    elif draw < 0.83:
        kind, pieces = "roofs", random.choice([[], [(0.2, 0, 0.2, 0.35, 0.06)], [(-0.3, 0, -0.3, 0.5, 0.012)]])
    elif draw < 0.95:
        kind, pieces = "sticks", _things(random)
    else:
        kind = "veil"
    return ShadowMask(
        kind,
        extent=span * random.uniform(0.55, 1.3),
        height=span * math.exp(random.uniform(math.log(0.5), math.log(5.0))),
        pieces=pieces,
        seed=random.randrange(1 << 20),
        density=random.uniform(0.3, 0.85),
        turn=random.gauss(0, 0.25) if kind != "sticks" else random.uniform(0, 2 * math.pi),
    )


def draw_masks(masks: list[ShadowMask | None], device: str) -> Tensor:
    """Rasterise masks to (n, blurs, MASK_SIZE, MASK_SIZE), 1 where light passes, softer along `blurs`."""
    edge = (torch.arange(MASK_SIZE, device=device) + 0.5) * (2.0 / MASK_SIZE) - 1
    y, x = torch.meshgrid(edge, edge, indexing="ij")
    sharp = torch.stack([torch.ones_like(x) if m is None else _DRAW[m.kind](x, y, m) for m in masks])
    levels = [sharp]
    for step in range(_BLURS - 1):
        # Twice as soft each time: blurred at half the size, then enlarged.
        factor = 2 ** (step + 1)
        small = F.interpolate(sharp[:, None], size=2 * MASK_SIZE // factor, mode="area")
        small = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, 1)
        levels.append(F.interpolate(small, size=MASK_SIZE, mode="bilinear")[:, 0])
    return torch.stack(levels, 1)


def through_masks(volumes: Tensor, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Return the light that passes (n, N) for cones at x, y (n, N) with a radius, all in extents."""
    # One texel is 2 / MASK_SIZE of an extent; level k averages over about 3 * 2^(k - 1) texels.
    level = torch.log2((radius * MASK_SIZE / 1.5).clamp(min=1.0)).clamp(max=_BLURS - 1)
    depth = (level + 0.5) * (2.0 / _BLURS) - 1
    grid = torch.stack([x, y, depth], -1)[:, None, None]
    return F.grid_sample(volumes[:, None], grid, padding_mode="reflection", align_corners=False)[:, 0, 0, 0]
