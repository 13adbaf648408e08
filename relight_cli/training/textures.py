"""Procedural albedo: what the surfaces of the made scenes look like with the light taken away."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.noise import fractal_noise, lattice_hash, value_noise

Vector = tuple[float, float, float]

ALBEDO_RANGE = (0.02, 0.9)


@dataclass(frozen=True)
class Material:
    """One surface: a pattern between three colours, its size, and how worn it is."""

    pattern: str
    size: float  # metres for one repeat of the pattern
    angle: float  # radians, of the pattern on the surface
    colours: tuple[Vector, Vector, Vector]  # linear RGB
    grain: float  # relative contrast of fine speckle
    dirt: float  # relative contrast of broad patches
    bump: float  # tilt of the normal by fine relief
    seed: int


@dataclass(frozen=True)
class Samples:
    """Surface points that share a pattern: coordinates in repeats, the width of a pixel there, and seeds; (n,)."""

    x: Tensor
    y: Tensor
    width: Tensor
    seed: Tensor


def _within(distance: Tensor, half: Tensor | float, width: Tensor) -> Tensor:
    """Give 1 where `distance` is under `half`, with an edge one pixel wide."""
    return ((half - distance) / width.clamp(min=1e-4) + 0.5).clamp(0, 1)


def _to_line(x: Tensor) -> Tensor:
    """Measure the distance to the nearest integer."""
    return (x - x.round()).abs()


def _cell(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    return lattice_hash(x.floor().to(torch.int32), y.floor().to(torch.int32), seed)


def _fade(value: Tensor, mean: float, width: Tensor, at: float) -> Tensor:
    """Fade a pattern to its mean where a pixel grows wider than `at` repeats."""
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
    "clouds": _clouds,
    "crop": _plain,  # painted over by the crop of a photo
}
_NAMES = list(PATTERNS)

# Linear reflectances of three parts of each pattern, about which materials are drawn.
_TYPICAL: dict[str, list[tuple[Vector, Vector, Vector]]] = {
    "bricks": [
        ((0.32, 0.10, 0.06), (0.22, 0.07, 0.05), (0.45, 0.42, 0.38)),
        ((0.5, 0.42, 0.3), (0.36, 0.28, 0.2), (0.3, 0.28, 0.26)),
        ((0.4, 0.4, 0.4), (0.28, 0.28, 0.3), (0.16, 0.15, 0.15)),
    ],
    "asphalt": [
        ((0.05, 0.05, 0.055), (0.16, 0.16, 0.165), (0.4, 0.39, 0.37)),
        ((0.16, 0.155, 0.15), (0.36, 0.35, 0.33), (0.55, 0.53, 0.5)),
        ((0.3, 0.25, 0.18), (0.5, 0.42, 0.32), (0.62, 0.56, 0.46)),
    ],
    "grass": [
        ((0.05, 0.1, 0.02), (0.12, 0.17, 0.04), (0.3, 0.36, 0.1)),
        ((0.1, 0.12, 0.04), (0.26, 0.22, 0.1), (0.45, 0.4, 0.22)),
    ],
    "wood": [
        ((0.4, 0.23, 0.11), (0.24, 0.12, 0.05), (0.1, 0.05, 0.02)),
        ((0.55, 0.4, 0.24), (0.42, 0.28, 0.15), (0.2, 0.12, 0.06)),
        ((0.14, 0.07, 0.035), (0.07, 0.035, 0.02), (0.03, 0.02, 0.02)),
        ((0.36, 0.34, 0.31), (0.24, 0.22, 0.2), (0.08, 0.07, 0.06)),
    ],
    "writing": [((0.8, 0.78, 0.73), (0.7, 0.68, 0.62), (0.05, 0.05, 0.06))],
    "pebbles": [
        ((0.35, 0.32, 0.28), (0.5, 0.47, 0.42), (0.08, 0.07, 0.06)),
        ((0.3, 0.14, 0.05), (0.42, 0.28, 0.08), (0.05, 0.04, 0.03)),
        ((0.22, 0.22, 0.23), (0.38, 0.37, 0.36), (0.12, 0.11, 0.1)),
    ],
    "plain": [
        ((0.5, 0.48, 0.45), (0.4, 0.385, 0.36), (0.3, 0.3, 0.3)),
        ((0.72, 0.69, 0.62), (0.62, 0.59, 0.53), (0.3, 0.3, 0.3)),
    ],
    "stains": [((0.42, 0.41, 0.39), (0.3, 0.285, 0.27), (0.14, 0.12, 0.1))],
    "tiles": [
        ((0.5, 0.47, 0.42), (0.38, 0.36, 0.33), (0.2, 0.19, 0.18)),
        ((0.3, 0.3, 0.31), (0.22, 0.22, 0.23), (0.5, 0.5, 0.48)),
    ],
    "clouds": [((0.55, 0.62, 0.72), (0.85, 0.85, 0.85), (0.5, 0.5, 0.5))],
}


def _paint(random: Random) -> Vector:
    """Draw any paint's colour: often pale or grey, at times saturated."""
    value, saturation = random.uniform(0.08, 0.75), random.random() ** 1.6 * 0.85
    hue = [random.random() for _ in range(3)]
    top = max(hue)
    red, green, blue = (value * (1 - saturation + saturation * h / top) for h in hue)
    return (red, green, blue)


def sample_material(random: Random, patterns: list[str], size: float, *, tint: float = 0.5) -> Material:
    """Draw a material with one of `patterns`; `tint` is the chance of paint in any colour."""
    pattern = random.choice(patterns)
    typical = _TYPICAL.get(pattern)
    if typical is None or (pattern not in ("grass", "clouds", "asphalt", "wood") and random.random() < tint):
        first = _paint(random)
        second = _paint(random) if pattern in ("checker", "stripes") else _shade(random, first, 0.25)
        colours = (first, second, random.choice([_paint(random), _shade(random, first, 0.6)]))
    else:
        typed = random.choice(typical)
        gain = random.uniform(0.75, 1.3)
        colours = tuple(tuple(c * gain * random.uniform(0.93, 1.07) for c in colour) for colour in typed)  # type: ignore[assignment]
    return Material(
        pattern,
        size * random.uniform(0.7, 1.5),
        random.choice([0.0, 0.0, random.uniform(0, 3.1)]),
        colours,
        grain=random.uniform(0.05, 0.75),
        dirt=random.choice([0.0, random.uniform(0.1, 0.7)]),
        bump=random.choice([0.0, random.uniform(0.0, 0.4)]),
        seed=random.randrange(1 << 20),
    )


def _shade(random: Random, colour: Vector, spread: float) -> Vector:
    gain = 1 + random.uniform(-spread, spread)
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


@dataclass(frozen=True)
class MaterialTensors:
    """The materials of a batch of scenes, stacked; K per scene, the last ones unused where a scene has fewer."""

    pattern: Tensor  # (B, K) index into PATTERNS
    frame: Tensor  # (B, K, 6) size, cosine, sine, grain, dirt, bump
    colours: Tensor  # (B, K, 9)
    seed: Tensor  # (B, K)
    mean: Tensor  # (B, K, 3) about the average albedo, for light bounced off


def stack_materials(materials: list[list[Material]], device: str) -> MaterialTensors:
    """Stack the materials of B scenes."""
    most = max(len(scene) for scene in materials)
    padded = [scene + [scene[-1]] * (most - len(scene)) for scene in materials]

    def numbers(read: Callable[[Material], object]) -> Tensor:
        return torch.tensor([[read(m) for m in scene] for scene in padded])

    angle = numbers(lambda m: m.angle)
    frame = numbers(lambda m: (m.size, m.grain, m.dirt, m.bump))
    frame = torch.cat([frame[..., :1], angle.cos()[..., None], angle.sin()[..., None], frame[..., 1:]], -1)
    colours = numbers(lambda m: m.colours).clamp(*ALBEDO_RANGE)
    return MaterialTensors(
        numbers(lambda m: _NAMES.index(m.pattern)).to(device),
        frame.to(device),
        colours.flatten(2).to(device),
        numbers(lambda m: m.seed).to(torch.int32).to(device),
        (0.5 * colours[:, :, 0] + 0.4 * colours[:, :, 1] + 0.1 * colours[:, :, 2]).to(device),
    )


def paint(
    materials: MaterialTensors, which: Tensor, surface: Tensor, width: Tensor, crops: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Give the albedo (B, 3, N) and the relief (B, 3, N), a tilt to add to the normal, of surface points.

    `which` (B, N) picks materials, `surface` (B, 2, N) and `width` (B, N) are place and pixel width in metres;
    `crops` (B, 3, h, w), linear, are shown by the pattern "crop".
    """
    b, n = which.shape
    rows = torch.arange(b, device=which.device)[:, None].expand(b, n)
    pattern = materials.pattern[rows, which].flatten()
    size, cosine, sine, grain, dirt, bump = materials.frame[rows, which].flatten(0, 1).unbind(-1)
    seed = materials.seed[rows, which].flatten()
    u, v = surface.movedim(1, -1).flatten(0, 1).unbind(-1)
    x, y = (cosine * u - sine * v) / size, (sine * u + cosine * v) / size
    points = Samples(x, y, width.flatten() / size, seed)
    second, third, tone = torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(x)
    for index in pattern.unique().tolist():
        part = (pattern == index).nonzero()[:, 0]
        some = Samples(points.x[part], points.y[part], points.width[part], seed[part])
        second[part], third[part], tone[part] = PATTERNS[_NAMES[index]](some)
    colours = materials.colours[rows, which].flatten(0, 1).reshape(-1, 3, 3)
    albedo = torch.lerp(colours[:, 0], colours[:, 1], second[:, None].clamp(0, 1))
    albedo = torch.lerp(albedo, colours[:, 2], third[:, None].clamp(0, 1))
    if crops is not None:
        albedo = _show_crops(albedo, crops, pattern, rows.flatten(), points)
    speckle = fractal_noise(points.x * 28, points.y * 28, seed + 31, 3, points.width * 28) - 0.5
    patches = fractal_noise(u * 1.3, v * 1.3, seed + 57, 3, width.flatten()) - 0.5
    wear = (1 + 2 * grain * speckle) * (1 + 2 * dirt * patches)
    albedo = (albedo * (tone * wear)[:, None]).clamp(*ALBEDO_RANGE)
    shown = (2 - points.width * 40).clamp(0, 1)
    tilt = torch.stack([value_noise(points.x * 20, points.y * 20, seed + 71 + k) for k in range(3)], -1)
    relief = (2 * tilt - 1) * (bump * shown)[:, None]
    return albedo.reshape(b, n, 3).movedim(-1, 1), relief.reshape(b, n, 3).movedim(-1, 1)


def _show_crops(albedo: Tensor, crops: Tensor, pattern: Tensor, rows: Tensor, points: Samples) -> Tensor:
    shown = (pattern == _NAMES.index("crop")).nonzero()[:, 0]
    for row in rows[shown].unique().tolist():
        part = shown[rows[shown] == row]
        crop = crops[row % len(crops)][None].to(albedo.dtype)
        # The crop spans one repeat, mirrored beyond; its shorter side is one unit of y or x.
        height, wide = crop.shape[-2:]
        short = min(height, wide)
        grid = torch.stack([points.x[part] * 2 * short / wide, points.y[part] * 2 * short / height], -1)
        grid = grid - 4 * ((grid + 2) / 4).floor()  # mirrored tiling repeats every 4 of its units
        seen = F.grid_sample(crop, grid[None, None], padding_mode="reflection", align_corners=False)
        albedo = albedo.index_copy(0, part, seen[0, :, 0].T)
    return albedo
