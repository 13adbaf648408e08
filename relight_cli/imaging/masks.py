"""Masks that say where a picture may change."""

import numpy as np
from numpy.typing import NDArray

from relight_cli.imaging.bit_depth import row_bands, to_unit
from relight_cli.imaging.guided import LUMA
from relight_cli.imaging.photo import Photo


def mask_of(photo: Photo, *, invert: bool = False) -> NDArray[np.float32]:
    """Give a photo's luma in [0, 1], (H, W), by its samples as they are; what is transparent is black."""
    samples = to_unit(photo.pixels)
    luma = np.nan_to_num(samples @ LUMA if samples.shape[2] == 3 else samples[..., 0]).clip(0, 1)
    if invert:
        luma = 1 - luma
    return luma if photo.alpha is None else luma * to_unit(photo.alpha)


def only_where(mask: NDArray, picture: NDArray, changed: NDArray) -> NDArray[np.float32]:
    """Give the changed picture (H, W, C) where the mask (H, W) is 1, to the bit the old one where it is 0."""
    out = np.empty_like(picture)
    for rows in row_bands(*picture.shape[:2]):
        share = mask[rows][..., None]
        out[rows] = np.where(share == 0, picture[rows], picture[rows] * (1 - share) + changed[rows] * share)
    return out
