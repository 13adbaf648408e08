"""Masks that say where a picture may change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.rasters.rows import Rows, readable_again
from relight_cli.rasters.samples import Made, Samples
from relight_cli.relighting.guided import LUMA


def mask_of(photo: Photo, *, invert: bool = False) -> Samples:
    """Give a photo's luma in [0, 1], (H, W) float32, by its samples as they are; what is transparent is black."""

    def make(rows: slice) -> NDArray[np.float32]:
        samples = to_unit(photo.pixels[rows])
        luma = np.nan_to_num(samples @ LUMA if samples.shape[2] == 3 else samples[..., 0]).clip(0, 1)
        if invert:
            luma = 1 - luma
        return luma if photo.alpha is None else luma * to_unit(photo.alpha[rows])

    return Made(photo.pixels.shape[:2], np.dtype(np.float32), make)


@dataclass(frozen=True)
class OnlyWhere:
    """A picture (H, W, C) that is the changed one where the mask (H, W) is 1, to the bit the old one where it is 0."""

    mask: Samples
    picture: Rows
    changed: Rows

    @property
    def once(self) -> bool:
        """Tell whether rows can be read only from the top, and once."""
        return not readable_again(self.changed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return self.picture.shape

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Give rows of it."""
        share, old, new = self.mask[rows][..., None], self.picture[rows], self.changed[rows]
        return np.where(share == 0, old, old * (1 - share) + new * share)
