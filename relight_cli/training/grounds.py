"""Painted grounds on disk: flat close-ups of asphalt, grass, planks, writing and so on, lit when they are drawn.

python -m relight_cli.training.grounds PHOTOS GROUNDS --count 1000

Most hard shadows in photos are on such grounds. A file holds albedo and the surface's tilt, float16
(16, 6, size, size); sun, sky and shadows are added each time they are drawn (`Grounds.draw`).
"""

import math
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Generator, Tensor

from relight_cli.models.colour import srgb_to_linear
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.scenes.patterns import PATTERNS
from relight_cli.training.scenes.textures import paint, sample_material, stack_materials
from relight_cli.training.synthetic_light import (
    SHADOW_SHARE,
    cast_shadows,
    light_left,
    shapes,
    smooth_log_light,
    uniform,
)

SHARD = 16  # grounds in a file
PATCHES = 3  # materials of one ground at most
# Of none, one and two patches: dark patches are rarer than shadows, and a network that saw as many patches as shadows
# removed shadows only in part.
PATCH_CHANCES = (10, 1, 1)


def paint_grounds(seed: int, count: int, size: int, crops: Tensor) -> Tensor:
    """Return albedo and tilt (count, 6, size, size): mostly one material, at times up to three, seen at a slant."""
    generator = torch.Generator().manual_seed(seed)
    randoms = [Random(f"ground {seed + i}") for i in range(count)]
    scales = [math.exp(r.uniform(math.log(0.5), math.log(6))) for r in randoms]  # metres across
    patterns = list(PATTERNS)
    materials = [
        [sample_material(r, patterns, math.exp(r.uniform(math.log(0.4), math.log(1.6)))) for _ in range(PATCHES)]
        for r in randoms
    ]
    regions = torch.stack([shapes(count, size, generator) for _ in range(PATCHES - 1)])
    used = torch.tensor([r.choices(range(PATCHES), PATCH_CHANCES)[0] for r in randoms])
    which = torch.zeros((count, 1, size, size), dtype=torch.long)
    for k, region in enumerate(regions, start=1):
        which = torch.where((region < 0) & (used >= k)[:, None, None, None], k, which)
    axis = torch.linspace(-0.5, 0.5, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    surfaces, widths = [], []
    for r, scale in zip(randoms, scales, strict=True):
        slant = r.choice([0.0, r.uniform(0, 1.2)])  # farther away towards the top
        away = scale / (1 - slant * 0.7 + slant * (y + 0.5)).clamp(min=0.2)
        surfaces.append(torch.stack((x * away, away * (y - 0.5))).flatten(1))
        widths.append((away / size).flatten())
    albedo, tilt = paint(
        stack_materials(materials, "cpu"), which.flatten(1), torch.stack(surfaces), torch.stack(widths), crops
    )
    return torch.cat((albedo, tilt), dim=1).unflatten(2, (size, size))


class Grounds:
    """Painted grounds of a folder, mapped from disk."""

    def __init__(self, folder: Path) -> None:
        self.shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
        if not self.shards:
            raise ValueError(f"{folder} holds no grounds: paint some with relight_cli.training.grounds")
        self.count = sum(len(shard) for shard in self.shards)

    def draw(
        self, count: int, size: int, rng: np.random.Generator, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return albedo (B, 3, S, S) and, under two lights, shading and shadow-free shading (B, 2, 3, S, S), linear.

        Only the sky lights the relief in shadow, so it looks flatter there.
        """
        drawn = []
        for _ in range(count):
            shard = self.shards[rng.integers(len(self.shards))]
            side = shard.shape[-1]
            crop = int(rng.integers(min(side, max(size // 2, side // 3)), side + 1))
            y, x = rng.integers(side - crop + 1, size=2)
            ground = torch.from_numpy(np.array(shard[rng.integers(len(shard))][:, y : y + crop, x : x + crop]))
            ground = F.interpolate(ground[None].float(), size=(size, size), mode="area" if crop >= size else "bilinear")
            drawn.append(ground.flip(-1) if rng.random() < 0.5 else ground)
        albedo, tilt = torch.cat(drawn).to(generator.device).split(3, dim=1)
        lights = [sun_and_sky(tilt, generator) for _ in range(2)]
        shading, free = (torch.stack(kind, dim=1) for kind in zip(*lights, strict=True))
        return albedo, shading, free


def sun_and_sky(tilt: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return the shading of a tilted surface (B, 3, S, S) lit from a random side, with and without cast shadows."""
    count, size, n1 = len(tilt), tilt.shape[-1], (len(tilt), 1, 1, 1)
    height, side = uniform(n1, 0.3, 1.0, generator), uniform(n1, 0, math.tau, generator)
    across = (1 - height**2).sqrt()
    sun = torch.cat((across * side.cos(), across * side.sin(), height), dim=1)
    normal = F.normalize(torch.cat((2 * tilt[:, :2], 1 + tilt[:, 2:]), dim=1), dim=1)
    sunny = ((normal * sun).sum(1, keepdim=True) / height).clamp(0.05, 3)  # 1 on a flat surface
    left = light_left(count, size, generator)
    sky = left * normal[:, 2:].clamp(min=0.2)
    shadowed = uniform(n1, 0, 1, generator) < SHADOW_SHARE
    visibility = torch.where(shadowed, cast_shadows(count, size, generator), 1.0)
    overall = smooth_log_light(count, size, generator).exp()
    return overall * (sky + (1 - left) * sunny * visibility), overall * (sky + (1 - left) * sunny)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; some grounds show crops of them.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the grounds; existing files are kept.")],
    count: int = 1000,
    size: int = 384,
    first_seed: int = 0,
) -> None:
    """Paint grounds to files."""
    folder.mkdir(parents=True, exist_ok=True)
    source = PhotoCrops(split(photos)[0])
    for seed in range(first_seed, first_seed + count, SHARD):
        path = folder / f"grounds_{seed:08d}.npy"
        if path.exists():
            continue
        crops = srgb_to_linear(source.draw(SHARD, size, np.random.default_rng(seed))[0])
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, paint_grounds(seed, SHARD, size, crops).half().numpy())
        path.with_suffix(".part").replace(path)


if __name__ == "__main__":
    typer.run(main)
