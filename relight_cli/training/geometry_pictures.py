"""Pictures with known geometry to train on: rendered views as cameras and phones would have taken them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.training.cameras import Camera
from relight_cli.training.scenes.camera import develop

SIDES = (192, 256, 320, 384, 384, 448, 512)  # longer sides of batches, in pixels
MOST_ENLARGED = 1.2  # times that a view is enlarged for one of them
LEAST_CROP = 0.7  # least side of a crop, as a share of a view's


@dataclass(frozen=True)
class Batch:
    """Pictures and what is known of them."""

    pictures: Tensor  # (B, 3, H, W) sRGB in [0, 1]
    disparity: Tensor  # (B, 1, H, W) 1 / depth; 0 in the sky
    normals: Tensor  # (B, 3, H, W) x right, y up, z towards the viewer; zero in the sky


class GeometryViews:
    """The views of a folder, mapped from disk."""

    def __init__(self, folder: Path) -> None:
        self.shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
        if not self.shards:
            raise ValueError(f"{folder} holds no views: render some with relight_cli.training.geometry_views")
        self.count = sum(len(shard) for shard in self.shards)

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw varied pictures of one size; the views of a batch are of one file, so of one aspect ratio."""
        shard = self.shards[rng.integers(len(self.shards))]
        height, width = shard.shape[-2:]
        side = int(rng.choice([side for side in SIDES if side <= MOST_ENLARGED * max(height, width)] or SIDES[:1]))
        scale = side / max(height, width)
        size = tuple(max(32, round(n * scale / 32) * 32) for n in (height, width))
        pictures, layers = [], []
        for view in rng.integers(len(shard), size=count):
            linear, known = _crop(shard[view], size, rng)
            if rng.random() < 0.5:
                linear, known = linear.flip(-1), known.flip(-1) * torch.tensor([1.0, -1, 1, 1])[:, None, None]
            pictures.append(photographed(linear, rng))
            layers.append(known)
        known = torch.stack(layers)
        return Batch(torch.stack(pictures), known[:, :1], known[:, 1:])

    def crop(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a part of a view in a size: linear light (3, h, w), and disparity and normals (4, h, w)."""
        shard = self.shards[rng.integers(len(self.shards))]
        return _crop(shard[rng.integers(len(shard))], size, rng)

    def whole(self) -> Batch:
        """Return all views as they are, plainly developed under their first light; they must have one size."""
        layers = torch.from_numpy(np.concatenate(self.shards)).float()
        return Batch(develop(layers[:, :3], knee=0.8), layers[:, 6:7], layers[:, 7:])


def _crop(view: NDArray[np.float16], size: tuple[int, ...], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a part of a view (10, H, W), of the aspect ratio of a size: linear light (3, h, w), the rest (4, h, w)."""
    height, width = view.shape[1:]
    largest = min(height / size[0], width / size[1]) * rng.uniform(LEAST_CROP, 1)
    high, wide = (max(1, round(n * largest)) for n in size)
    y, x = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    part = torch.from_numpy(np.array(view[:, y : y + high, x : x + wide], np.float32))
    linear = F.interpolate(mixed_lights(part[:6].unflatten(0, (2, 3)), rng)[None], size, mode="area")[0]
    return linear, F.interpolate(part[None, 6:], size, mode="nearest-exact")[0]


def mixed_lights(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Return one picture (3, H, W) from those under two lights (2, 3, H, W), at times a mixture: light adds up."""
    share = float(rng.choice([0.0, 1.0, rng.uniform()]))
    return pictures[0] * share + pictures[1] * (1 - share)


def photographed(linear: Tensor, rng: np.random.Generator) -> Tensor:
    """Return linear light (3, H, W) as a varied sRGB picture in [0, 1].

    Varied are haze, white balance, saturation, exposure, tone curve, contrast, vignette, blur, noise and JPEG.
    """
    light = linear * torch.from_numpy(np.exp(rng.normal(0, 0.15, 3))).float()[:, None, None]
    if rng.random() < 0.3:
        light = light * vignette(light.shape[-2:], rng)
    noise = float(rng.choice([0.0, rng.uniform(0, 0.06)]))
    camera = Camera(
        saturation=float(rng.choice([0.0, 1.0, 1.0, 1.0, 1.0, 1.0]) * rng.uniform(0.5, 1.6)),
        knee=float(rng.uniform(0.4, 1)),
        power=float(np.exp(rng.normal(0, 0.2))),
        contrast=float(rng.uniform(0.7, 1.2)),
        lift=float(rng.normal(0, 0.04)),
        shot_noise=noise,
        read_noise=noise / 6,
        blur=float(rng.uniform(0.3, 1.2)) if rng.random() < 0.4 else 0.0,
        quality=int(rng.integers(35, 96)) if rng.random() < 0.6 else None,
    )
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
    return camera.take(light.clamp(min=0) * 2 ** float(rng.normal(0, 0.7)), generator)


def vignette(size: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Return the light (H, W) that a lens lets through, less at the corners."""
    y, x = (torch.linspace(-1, 1, n) for n in size)
    return 1 - float(rng.uniform(0, 0.5)) * (x.square() + y.square()[:, None]) / 2
