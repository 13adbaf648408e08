"""Masks of where a picture may change."""

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.rasters.rows import LazyRows, Raster, is_rereadable
from relight_cli.relighting.guided import LUMA


def mask_of(photo: Photo, *, invert: bool = False) -> LazyRows:
    """Return a photo's luma in [0, 1], (H, W) float32, from its unconverted samples; transparent pixels are black."""

    def make(rows: slice) -> NDArray[np.float32]:
        samples = to_unit(photo.pixels[rows])
        luma = np.nan_to_num(samples @ LUMA if samples.shape[2] == 3 else samples[..., 0]).clip(0, 1)
        if invert:
            luma = 1 - luma
        return luma if photo.alpha is None else luma * to_unit(photo.alpha[rows])

    return LazyRows(photo.pixels.shape[:2], np.dtype(np.float32), make)


def require_mask_size(mask: Raster, photo: Photo, name: str = "the mask") -> None:
    """Raise UsageError if a mask (H, W), called `name` in the message, has another size than a photo."""
    if mask.shape != photo.pixels.shape[:2]:
        size, wanted = (f"{shape[1]} x {shape[0]}" for shape in (mask.shape, photo.pixels.shape))
        raise UsageError(f"{name} is {size} pixels and the photo {wanted}: give a mask of the photo's size.")


def blend_by_mask(mask: Raster, picture: Raster, changed: Raster) -> LazyRows:
    """Return the changed picture (H, W, C) where the mask (H, W) is 1, and the old one, to the bit, where it is 0."""

    def make(rows: slice) -> NDArray[np.float32]:
        share, old, new = mask[rows][..., None], picture[rows], changed[rows]
        return np.where(share == 0, old, old * (1 - share) + new * share)

    return LazyRows(picture.shape, np.dtype(np.float32), make, is_rereadable(changed))
