"""Square crops of real photos, drawn at many scales."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from relight_cli.imaging.bit_depth import change_depth
from relight_cli.imaging.photo import format_of, read_photo


class PhotoCrops:
    """All photos of a folder in memory, and random square crops of them."""

    def __init__(self, paths: list[Path]) -> None:
        if not paths:
            raise ValueError("no photos: name a folder with JPEG or PNG files")
        pixels = [change_depth(read_photo(path, max_pixels=10**9).pixels, np.dtype(np.uint8)) for path in paths]
        self.photos = [p.repeat(3, axis=2) if p.shape[2] == 1 else p for p in pixels]

    def draw(self, count: int, size: int, rng: np.random.Generator) -> Tensor:
        """Give crops (count, 3, size, size), sRGB in [0, 1], of a random side from `size` pixels to the whole photo."""
        crops = np.empty((count, size, size, 3), np.uint8)
        for i in range(count):
            photo = self.photos[rng.integers(len(self.photos))]
            shortest = min(photo.shape[:2])
            side = int(np.exp(rng.uniform(np.log(min(size, shortest)), np.log(shortest))))
            y, x = (rng.integers(n - side + 1) for n in photo.shape[:2])
            crop = cv2.resize(
                np.ascontiguousarray(photo[y : y + side, x : x + side]), (size, size), interpolation=cv2.INTER_AREA
            )
            crops[i] = crop[:, ::-1] if rng.random() < 0.5 else crop
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def split(folder: Path, held_out: int = 8) -> tuple[list[Path], list[Path]]:
    """Give the photos to train on and those held out, every n-th by name."""
    paths = sorted(p for p in folder.iterdir() if format_of(p))
    step = max(1, len(paths) // held_out)
    out = paths[step // 2 :: step][:held_out]
    return [p for p in paths if p not in out], out
