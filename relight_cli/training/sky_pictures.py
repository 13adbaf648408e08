"""Pictures whose sky is known: photos with masks, and rendered views, both also with the sky of another photo."""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from relight_cli.models.colour import srgb_to_linear
from relight_cli.photos.reading import read_photo
from relight_cli.training.geometry_pictures import SIDES, GeometryViews, photographed

SIDE = 768  # longer side of the photos in memory, in pixels
SKY, NONE = 255, 0  # values of a mask; any other is not known
ASPECTS = (0.6, 0.75, 1.0, 1.33, 1.5, 1.78)  # width over height of batches
LEAST_CROP = 0.45  # least side of a crop, as a share of a photo's
OF_PHOTOS = 0.5  # share of the pictures that are photos
WITH_SKY = 0.6  # share of the photos that are drawn from those with sky
LEAST_SKY = 0.1  # share of such a photo
OTHER_SKY = 0.4  # share of the pictures with sky that get that of another photo
_TRIES, _PARTS = 20, (0.15, 0.7)  # at finding a part of a photo that is nothing but sky, and its sides, as shares

Samples = NDArray[np.uint8]


class SkyPhotos:
    """Photos with masks of their sky, in memory."""

    def __init__(self, photos: list[Path], masks: Path) -> None:
        """Read photos and their masks, MASKS/NAME.png: 255 is sky, 0 none, anything else unknown; without, no sky."""
        self.pictures, self.masks = list[Samples](), list[Samples]()
        for path in photos:
            picture = read_photo(path, max_pixels=10**9).to_srgb()
            scale = min(1.0, SIDE / max(picture.shape[:2]))
            size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
            self.pictures.append((small.clip(0, 1) * 255).round().astype(np.uint8))
            file = masks / f"{path.stem}.png"
            mask = Image.open(file).convert("L").resize(size, Image.Resampling.NEAREST) if file.exists() else None
            self.masks.append(np.asarray(mask) if mask else np.zeros(size[::-1], np.uint8))
        self.with_sky = [i for i, mask in enumerate(self.masks) if (mask == SKY).mean() > LEAST_SKY]

    def crop(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a random part of a photo (3, h, w), sRGB in [0, 1], and its mask (1, h, w)."""
        either = self.with_sky if rng.random() < WITH_SKY else range(len(self.pictures))
        which = int(rng.choice(np.asarray(either)))
        picture, mask = self.pictures[which], self.masks[which]
        high, wide = (round(n * rng.uniform(LEAST_CROP, 1)) for n in mask.shape)
        y, x = (int(rng.integers(n - part + 1)) for n, part in zip(mask.shape, (high, wide), strict=True))
        at = np.s_[y : y + high, x : x + wide]
        return _tensor(picture[at], size, cv2.INTER_AREA) / 255, _tensor(mask[at], size, cv2.INTER_NEAREST)

    def sky(self, size: tuple[int, int], rng: np.random.Generator) -> Tensor | None:
        """Return a part of the sky of a photo (3, h, w), stretched, sRGB in [0, 1]; None if none was found."""
        which = int(rng.choice(np.asarray(self.with_sky)))
        picture, mask = self.pictures[which], self.masks[which]
        for _ in range(_TRIES):
            high, wide = (round(n * rng.uniform(*_PARTS)) for n in mask.shape)
            y, x = int(rng.integers(mask.shape[0] - high + 1)), int(rng.integers(mask.shape[1] - wide + 1))
            at = np.s_[y : y + high, x : x + wide]
            if (mask[at] == SKY).all():
                return _tensor(picture[at], size, cv2.INTER_LINEAR) / 255
        return None


class SkyPictures:
    """Photos and rendered views, as cameras and phones vary them."""

    def __init__(self, photos: SkyPhotos, views: GeometryViews) -> None:
        if not photos.with_sky:
            raise ValueError("no mask of a photo shows sky: name the folder of the masks")
        self.photos, self.views = photos, views

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return pictures (count, 3, H, W), sRGB in [0, 1], and masks (count, 1, H, W): 1 sky, 0 none, -1 unknown."""
        side, aspect = int(rng.choice(SIDES[:5])), float(rng.choice(ASPECTS))
        width, height = (side, side / aspect) if aspect >= 1 else (side * aspect, side)
        size = tuple(max(64, round(n / 32) * 32) for n in (height, width))
        pictures, masks = zip(*(self._one(size, rng) for _ in range(count)), strict=True)
        return torch.stack(pictures), torch.stack(masks)

    def _one(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        height, width = size
        if rng.random() < OF_PHOTOS:
            picture, mask = self.photos.crop((height, width), rng)
            linear = srgb_to_linear(picture)
        else:
            linear, known = self.views.crop((height, width), rng)
            mask = (known[:1] == 0).float() * SKY
        if (mask == SKY).any() and rng.random() < OTHER_SKY:
            other = self.photos.sky((height, width), rng)
            share = F.avg_pool2d((mask == SKY).float()[None], 3, 1, 1, count_include_pad=False)[0]
            linear = linear if other is None else linear + share * (srgb_to_linear(other) - linear)
        if rng.random() < 0.5:
            linear, mask = linear.flip(-1), mask.flip(-1)
        return photographed(linear, rng), torch.where(mask == SKY, 1.0, torch.where(mask == NONE, 0.0, -1.0))


def _tensor(samples: Samples, size: tuple[int, int], how: int) -> Tensor:
    """Return samples (h, w) or (h, w, 3) in a size (height, width), as a tensor (C, height, width)."""
    scaled = np.asarray(cv2.resize(np.ascontiguousarray(samples), size[::-1], interpolation=how), np.float32)
    return torch.from_numpy(scaled.reshape(*size, -1)).permute(2, 0, 1)
