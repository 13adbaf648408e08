"""The patterns of the procedural textures: shares of three colours over a plane, which fade to their mean from afar."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relight_cli.training.scenes.noise import fractal_noise, lattice_hash, value_noise


@dataclass(frozen=True)
class Samples:
    """Surface points with the same pattern: coordinates and pixel width in repeats, and seeds, (n,) each."""

    x: Tensor
    y: Tensor
    width: Tensor
    seed: Tensor


def _within(distance: Tensor, half: Tensor | float, width: Tensor) -> Tensor:
    """Return 1 where `distance` is below `half`, with an edge one pixel wide."""
    return ((half - distance) / width.clamp(min=1e-4) + 0.5).clamp(0, 1)


def _to_line(x: Tensor) -> Tensor:
    """Return the distance to the nearest integer."""
    return (x - x.round()).abs()


def _cell(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    return lattice_hash(x.floor().to(torch.int32), y.floor().to(torch.int32), seed)


def _fade(value: Tensor, mean: float, width: Tensor, at: float) -> Tensor:
    """Fade a pattern to its mean where a pixel is wider than `at` repeats."""
    return mean + (value - mean) * (2 - width / at).clamp(0, 1)


# Each pattern returns the shares (second colour, third colour) and a tone factor.
Pattern = Callable[[Samples], tuple[Tensor, Tensor, Tensor]]


def _plain(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    blend = fractal_noise(s.x, s.y, s.seed, 3, s.width)
    return blend, torch.zeros_like(blend), torch.ones_like(blend)


def _checker(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    square = ((0.25 - _to_line(s.x)) / s.width.clamp(min=1e-4)).clamp(-1, 1) * (
        (0.25 - _to_line(s.y)) / s.width.clamp(min=1e-4)
    ).clamp(-1, 1)
    tone = 0.92 + 0.16 * _fade(_cell(2 * s.x + 0.5, 2 * s.y + 0.5, s.seed), 0.5, s.width, 0.25)
    return _fade(square * 0.5 + 0.5, 0.5, s.width, 0.3), torch.zeros_like(tone), tone


def _bricks(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    row = (s.y * 2.2).floor()
    x = s.x + 0.5 * (row % 2)
    joint = torch.maximum(_within(_to_line(x), 0.02, s.width), _within(_to_line(s.y * 2.2), 0.045, s.width * 2.2))
    kind = _fade(_cell(x, row, s.seed), 0.5, s.width, 0.4)
    tone = 0.8 + 0.4 * _fade(_cell(x, row + 91, s.seed), 0.5, s.width, 0.4)
    return kind, _fade(joint, 0.1, s.width, 0.3), torch.lerp(tone, torch.ones_like(tone), joint)


def _tiles(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    joint = torch.maximum(_within(_to_line(s.x), 0.015, s.width), _within(_to_line(s.y), 0.015, s.width))
    tone = 0.88 + 0.24 * _fade(_cell(s.x, s.y, s.seed), 0.5, s.width, 0.4)
    blend = fractal_noise(s.x * 3, s.y * 3, s.seed, 3, s.width * 3)
    return blend, _fade(joint, 0.06, s.width, 0.3), torch.lerp(tone, torch.ones_like(tone), joint)


def _asphalt(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    stone = fractal_noise(s.x * 40, s.y * 40, s.seed, 2, s.width * 40)
    chips = _fade(((_cell(s.x * 55, s.y * 55, s.seed) - 0.86) * 9).clamp(0, 1), 0.07, s.width * 55, 0.7)
    crack = (fractal_noise(s.x * 1.5, s.y * 1.5, s.seed + 7, 4, s.width * 1.5) - 0.5).abs()
    return stone, chips, 1 - 0.35 * _fade((1 - crack * 90).clamp(0, 1), 0.03, s.width, 0.02)


def _grass(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    bend = 1.2 * value_noise(s.x * 4, s.y * 4, s.seed)
    blades = fractal_noise(s.x * 60 + 6 * bend, s.y * 14 + 3 * bend, s.seed, 3, s.width * 60)
    cross = fractal_noise(s.x * 16 - 4 * bend, s.y * 50 + 6 * bend, s.seed + 5, 3, s.width * 50)
    patches = fractal_noise(s.x * 2, s.y * 2, s.seed + 11, 3, s.width * 2)
    blade = torch.maximum(blades, cross)
    return (patches * 2.4 - 0.7).clamp(0, 1), ((blade - 0.55) * 2.5).clamp(0, 0.8), 0.45 + blade


def _wood(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    plank = s.x.floor()
    shift = lattice_hash(plank.to(torch.int32), plank.to(torch.int32), s.seed)
    y = s.y * 0.35 + 7 * shift
    rings = fractal_noise(s.x * 2.2 + 3 * shift, y, s.seed, 3, s.width) * 9
    ring = 1 - (2 * (rings - rings.floor()) - 1).abs()
    fibre = fractal_noise(s.x * 60, s.y * 2.5 + 9 * shift, s.seed + 3, 2, s.width * 60)
    gap = _within(_to_line(s.x), 0.012, s.width)
    tone = (0.75 + 0.5 * shift) * (0.82 + 0.36 * fibre) * (1 - 0.75 * _fade(gap, 0.03, s.width, 0.3))
    return _fade(ring, 0.5, s.width, 0.04), torch.zeros_like(tone), tone


def _writing(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Draw lines of strokes that look like words from afar."""
    x, y = s.x * 14, s.y * 9
    row = y.floor()
    up = y - row
    column = x.floor()
    inside = x - column
    glyph = lattice_hash(column.to(torch.int32), row.to(torch.int32), s.seed)
    word = _cell(x / 4.3 + glyph * 0.15, row, s.seed + 1) > 0.22
    stem = _within((inside - 0.2 - 0.5 * glyph).abs(), 0.1, s.width * 14)
    bar = _within((up - 0.3 - 0.35 * ((glyph * 7) % 1)).abs(), 0.06, s.width * 9) * (inside > 0.12) * (inside < 0.88)
    bowl = _within(((inside - 0.5) ** 2 + ((up - 0.45) * 0.9) ** 2).sqrt().sub(0.26).abs(), 0.07, s.width * 12)
    ink = torch.maximum(torch.maximum(stem, bar), bowl * (glyph > 0.4)) * (up > 0.18) * (up < 0.74) * word
    ink = ink * (_cell(s.x * 0.5, s.y * 0.8, s.seed + 2) > 0.25)
    return fractal_noise(s.x, s.y, s.seed, 2, s.width), _fade(ink, 0.2, s.width * 14, 0.6), torch.ones_like(ink)


def _stripes(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    wide = _within(_to_line(s.x), 0.25, s.width)
    thin = _within(_to_line(s.x + 0.5), 0.04, s.width)
    return _fade(wide, 0.5, s.width, 0.4), _fade(thin, 0.08, s.width, 0.3), torch.ones_like(wide)


def _stains(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    cloud = fractal_noise(s.x * 1.6, s.y * 1.6, s.seed, 5, s.width * 1.6)
    spots = fractal_noise(s.x * 6, s.y * 6, s.seed + 9, 3, s.width * 6)
    return ((cloud - 0.5) * 12).clamp(0, 1), ((spots - 0.68) * 14).clamp(0, 1), torch.ones_like(cloud)


def _pebbles(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the cells of a jittered lattice: gravel, cobbles, fallen leaves."""
    x, y = s.x * 6, s.y * 6
    first, second, tone = torch.full_like(x, 9.0), torch.full_like(x, 9.0), torch.zeros_like(x)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            i, j = x.floor().to(torch.int32) + dx, y.floor().to(torch.int32) + dy
            across = i + 0.15 + 0.7 * lattice_hash(i, j, s.seed) - x
            down = j + 0.15 + 0.7 * lattice_hash(i, j, s.seed + 1) - y
            distance = (across * across + down * down).sqrt()
            nearer = distance < first
            second = torch.where(nearer, first, torch.minimum(second, distance))
            tone = torch.where(nearer, lattice_hash(i, j, s.seed + 2), tone)
            first = torch.minimum(first, distance)
    gap = ((0.12 - (second - first)) / (0.08 + s.width * 6)).clamp(0, 1)
    return (
        _fade(tone, 0.5, s.width * 6, 0.5),
        _fade(gap, 0.15, s.width * 6, 0.5),
        0.75 + 0.5 * _fade((tone * 7) % 1, 0.5, s.width * 6, 0.5),
    )


def _leaves(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Draw foliage from near: pointed leaves in three layers, dark between them."""
    kind, gap, tone = torch.zeros_like(s.x), torch.ones_like(s.x), torch.ones_like(s.x)
    for layer in range(3):
        x, y = s.x * (7 + layer) + 0.37 * layer, s.y * (7 + layer) + 0.71 * layer
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                i, j = x.floor().to(torch.int32) + dx, y.floor().to(torch.int32) + dy
                own = s.seed + 10 * layer
                across, down = i + lattice_hash(i, j, own) - x, j + lattice_hash(i, j, own + 1) - y
                angle = lattice_hash(i, j, own + 2) * 6.2832
                along, wide = angle.cos() * across + angle.sin() * down, angle.cos() * down - angle.sin() * across
                inside = 0.3 * (1 - (along / 0.75).square()) - wide.abs()
                shown = (inside / (s.width * 8).clamp(min=1e-2) + 0.5).clamp(0, 1)
                own_tone = (0.4 + 0.25 * layer) * (0.7 + 0.6 * lattice_hash(i, j, own + 3))
                vein = 1 + 0.3 * _within(wide.abs(), 0.03, s.width * 8)
                tone = torch.lerp(tone, own_tone * vein, shown)
                kind, gap = torch.lerp(kind, lattice_hash(i, j, own + 4), shown), gap * (1 - shown)
    width = s.width * 8
    return _fade(kind, 0.5, width, 0.5), _fade(gap, 0.1, width, 0.5), _fade(tone, 0.75, width, 0.5)


def _clouds(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    cloud = fractal_noise(s.x, s.y * 2.5, s.seed, 4)
    return ((cloud - 0.45) * 4).clamp(0, 1), torch.zeros_like(cloud), torch.ones_like(cloud)


PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "checker": _checker,
    "bricks": _bricks,
    "tiles": _tiles,
    "asphalt": _asphalt,
    "grass": _grass,
    "wood": _wood,
    "writing": _writing,
    "stripes": _stripes,
    "stains": _stains,
    "pebbles": _pebbles,
    "leaves": _leaves,
    "clouds": _clouds,
    "crop": _plain,  # `textures` draws the crop of a photo over it
}
