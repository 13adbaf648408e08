"""Square crops of real photos, drawn at many scales."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from relight_cli.photos.formats import format_of
from relight_cli.photos.reading import read_photo
from relight_cli.rasters.bit_depth import in_depth
from relight_cli.rasters.rows import to_array

SUNNY = frozenset(Path(__file__).with_name("sunny_photos.txt").read_text().split())  # have cast shadows of their own


class PhotoCrops:
    """All photos of a folder in memory, and random square crops of them."""

    def __init__(self, paths: list[Path]) -> None:
        if not paths:
            raise ValueError("there are no photos: name a folder with JPEG or PNG files")
        pixels = [to_array(in_depth(read_photo(path, max_pixels=10**9).pixels, np.dtype(np.uint8))) for path in paths]
        self.photos = [p.repeat(3, axis=2) if p.shape[2] == 1 else p for p in pixels]
        self.sunny = [path.name in SUNNY for path in paths]

    def draw(self, count: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return crops (count, 3, size, size), sRGB in [0, 1], and whether each is of a sunny photo (count,).

        A crop's side is from `size` pixels to the whole photo.
        """
        crops, picked = np.empty((count, size, size, 3), np.uint8), rng.integers(len(self.photos), size=count)
        for i, which in enumerate(picked):
            photo = self.photos[which]
            shortest = min(photo.shape[:2])
            side = int(np.exp(rng.uniform(np.log(min(size, shortest)), np.log(shortest))))
            y, x = (rng.integers(n - side + 1) for n in photo.shape[:2])
            crop = cv2.resize(
                np.ascontiguousarray(photo[y : y + side, x : x + side]), (size, size), interpolation=cv2.INTER_AREA
            )
            crops[i] = crop[:, ::-1] if rng.random() < 0.5 else crop
        sunny = torch.tensor([self.sunny[which] for which in picked])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255, sunny


def split(folder: Path, held_out: int = 8) -> tuple[list[Path], list[Path]]:
    """Return the photos to train on and those held out, every n-th by name."""
    paths = sorted(p for p in folder.iterdir() if format_of(p))
    step = max(1, len(paths) // held_out)
    out = paths[step // 2 :: step][:held_out]
    return [p for p in paths if p not in out], out
