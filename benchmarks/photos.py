"""Make photos of any size."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import to_unit

_GRAIN = 2 / 255  # standard deviation


def size_of(megapixels: float) -> tuple[int, int]:
    """Return the height and the width of a picture, 4 : 3."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    return height, height * 4 // 3


def make_photo(path: Path, megapixels: float, seed: int) -> Photo:
    """Write a picture of patches with grain, 4 : 3, in the format of the path's suffix, and return it."""
    photo = Photo(_patches(megapixels, seed), format="JPEG")
    write_photo(photo, path, overwrite=True)
    return photo


def make_mosaic(megapixels: float, photos: Sequence[Path], seed: int = 0) -> NDArray[np.float32]:
    """Return photos side by side with grain, (H, W, 3) from 0 to 1, 4 : 3; a synthetic picture if there are none.

    The first four photos fill a quarter each; fewer fill the whole picture with the first.
    """
    height, width = size_of(megapixels)
    if not photos:
        return _patches(megapixels, seed).astype(np.float32) / 255
    rows = 2 if len(photos) >= 4 else 1
    picture = np.empty((height, width, 3), np.float32)
    for number in range(rows * rows):
        down, across = divmod(number, rows)
        part = picture[down * height // rows : (down + 1) * height // rows]
        part = part[:, across * width // rows : (across + 1) * width // rows]
        part[:] = _filling(photos[number], *part.shape[:2])
    rng = np.random.default_rng(seed)
    for row in picture:
        row += rng.normal(0, _GRAIN, row.shape).astype(np.float32)
    return picture.clip(0, 1)


def _filling(path: Path, height: int, width: int) -> NDArray[np.float32]:
    """Return the top left of a photo, enlarged or reduced to cover (height, width)."""
    own = to_unit(read_photo(path, max_pixels=10**9).pixels)
    scale = max(height / own.shape[0], width / own.shape[1])
    size = (max(width, round(own.shape[1] * scale)), max(height, round(own.shape[0] * scale)))
    return cv2.resize(own, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)[:height, :width]


def _patches(megapixels: float, seed: int) -> NDArray[np.uint8]:
    height, width = size_of(megapixels)
    size = (width, height)
    rng = np.random.default_rng(seed)
    patches = rng.integers(65, 190, (height // 50 + 1, size[0] // 50 + 1, 3), np.uint8)
    grain = rng.integers(0, 50, (height // 3 + 1, size[0] // 3 + 1, 3), np.uint8)
    pixels = cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST)
    return cv2.subtract(cv2.add(pixels, cv2.resize(grain, size)), 25)
