"""Procedural albedo: the surfaces of the rendered scenes without light."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.scenes.noise import fractal_noise, value_noise
from relight_cli.training.scenes.patterns import PATTERNS, Samples

Vector = tuple[float, float, float]

ALBEDO_RANGE = (0.02, 0.9)
_NAMES = list(PATTERNS)


@dataclass(frozen=True)
class Material:
    """One surface: a pattern between three colours, its size, and how worn it is."""

    pattern: str
    size: float  # metres per repeat of the pattern
    angle: float  # radians, of the pattern on the surface
    colours: tuple[Vector, Vector, Vector]  # linear RGB
    grain: float  # relative contrast of fine speckle
    dirt: float  # relative contrast of broad patches
    bump: float  # tilt of the normal by fine relief
    seed: int
    gloss: tuple[float, float] = (0.0, 1.0)  # share of light reflected at normal incidence, and roughness of that


# Linear reflectances of the three colours of each pattern; materials vary around them.
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
    "leaves": [
        ((0.08, 0.16, 0.03), (0.2, 0.3, 0.07), (0.015, 0.025, 0.01)),
        ((0.14, 0.17, 0.05), (0.36, 0.3, 0.1), (0.03, 0.03, 0.015)),
    ],
    "clouds": [((0.55, 0.62, 0.72), (0.85, 0.85, 0.85), (0.5, 0.5, 0.5))],
}


def _paint(random: Random) -> Vector:
    """Draw the colour of any paint: often pale or grey, at times saturated."""
    value, saturation = random.uniform(0.08, 0.75), random.random() ** 1.6 * 0.85
    hue = [random.random() for _ in range(3)]
    top = max(hue)
    red, green, blue = (value * (1 - saturation + saturation * h / top) for h in hue)
    return (red, green, blue)


def sample_material(random: Random, patterns: list[str], size: float, *, tint: float = 0.5) -> Material:
    """Draw a material with one of `patterns`; `tint` is the chance of a paint of any colour."""
    pattern = random.choice(patterns)
    typical = _TYPICAL.get(pattern)
    if typical is None or (pattern not in ("grass", "leaves", "clouds", "asphalt", "wood") and random.random() < tint):
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
        bump=random.choice([0.0, random.uniform(0.0, 0.16)]),
        seed=random.randrange(1 << 20),
    )


def sample_gloss(random: Random) -> tuple[float, float]:
    """Draw how a shiny surface reflects: mostly as varnish, wet stone or plastic does, at times as polished metal."""
    if random.random() < 0.2:
        return math.exp(random.uniform(math.log(0.1), math.log(0.6))), random.uniform(0.15, 0.5)
    return random.uniform(0.02, 0.07), random.uniform(0.08, 0.6)


def _shade(random: Random, colour: Vector, spread: float) -> Vector:
    gain = 1 + random.uniform(-spread, spread)
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


@dataclass(frozen=True)
class MaterialTensors:
    """The materials of a batch of scenes, stacked; K per scene, of which the last are unused if a scene has fewer."""

    pattern: Tensor  # (B, K) index into PATTERNS
    frame: Tensor  # (B, K, 6) size, cosine, sine, grain, dirt, bump
    colours: Tensor  # (B, K, 9)
    seed: Tensor  # (B, K)
    gloss: Tensor  # (B, K, 2)
    mean: Tensor  # (B, K, 3) approximate mean albedo, for bounced light


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
        numbers(lambda m: m.gloss).to(device),
        (0.5 * colours[:, :, 0] + 0.4 * colours[:, :, 1] + 0.1 * colours[:, :, 2]).to(device),
    )


def paint(
    materials: MaterialTensors, which: Tensor, surface: Tensor, width: Tensor, crops: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the albedo (B, 3, N) and the relief (B, 3, N), a tilt to add to the normal, of surface points.

    `which` (B, N) selects materials, `surface` (B, 2, N) and `width` (B, N) are position and pixel width in metres; the
    pattern "crop" shows `crops` (B, 3, h, w), linear.
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
        # The crop fills one repeat and is mirrored beyond it; its shorter side is one unit of y or x.
        height, wide = crop.shape[-2:]
        short = min(height, wide)
        grid = torch.stack([points.x[part] * 2 * short / wide, points.y[part] * 2 * short / height], -1)
        grid = grid - 4 * ((grid + 2) / 4).floor()  # mirrored tiling repeats every 4 units
        seen = F.grid_sample(crop, grid[None, None], padding_mode="reflection", align_corners=False)
        albedo = albedo.index_copy(0, part, seen[0, :, 0].T)
    return albedo
