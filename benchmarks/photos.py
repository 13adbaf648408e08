"""Make photos of any size."""

from pathlib import Path

import cv2
import numpy as np

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo


def make_photo(path: Path, megapixels: float, seed: int) -> Photo:
    """Write a picture of patches with grain, 4 : 3, in the format of the path's suffix, and return it."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    size = (height * 4 // 3, height)
    rng = np.random.default_rng(seed)
    patches = rng.integers(65, 190, (height // 50 + 1, size[0] // 50 + 1, 3), np.uint8)
    grain = rng.integers(0, 50, (height // 3 + 1, size[0] // 3 + 1, 3), np.uint8)
    pixels = cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST)
    cv2.subtract(cv2.add(pixels, cv2.resize(grain, size)), 25, dst=pixels)
    photo = Photo(pixels, format="JPEG")
    write_photo(photo, path, overwrite=True)
    return photo
