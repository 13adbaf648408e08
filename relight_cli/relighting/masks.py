"""Masks of where a picture may change."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.rasters.rows import AdjustedRows, LazyRows, Raster, adjusted_rows, is_rereadable, rows_from
from relight_cli.relighting.guided import LUMA

Mask: TypeAlias = Photo | Raster
"""A photo, whose luma is the mask, or (H, W) float32 in [0, 1]: 1 where the photo may change."""

_DARK = 50  # a mask that nowhere reaches a 50th of white is taken for one of numbers, not of brightness
_BRIGHT = 2  # times white: floats beyond that are taken for numbers too, such as 0 to 255


def mask_of(photo: Photo, *, invert: bool = False) -> LazyRows:
    """Return a photo's luma in [0, 1], (H, W) float32, from its samples as they are; transparent pixels are black.

    With `invert` it is one minus that: transparent pixels are white.
    """

    def make(rows: slice) -> NDArray[np.float32]:
        samples = to_unit(photo.pixels[rows])
        luma = np.nan_to_num(samples @ LUMA if samples.shape[2] == 3 else samples[..., 0]).clip(0, 1)
        if photo.alpha is not None:
            luma = luma * to_unit(photo.alpha[rows])
        return 1 - luma if invert else luma

    return LazyRows(photo.pixels.shape[:2], np.dtype(np.float32), make)


def brightness_note(photo: Photo) -> str | None:
    """Return a note for a mask that is nowhere brighter than close to black, or one of floats far above white."""
    kind, height = photo.pixels.dtype, photo.pixels.shape[0]
    white = 1 if kind.kind == "f" else np.iinfo(kind).max
    samples = photo.pixels[slice(0, height)]
    shown = True if photo.alpha is None else (photo.alpha > 0)[..., None]
    largest = float(samples.max(initial=0, where=np.isfinite(samples) & shown))
    if largest > _BRIGHT * white:
        return f"its values go up to {largest:g}, but {white} is white and what is above counts as white; scale them"
    if largest > white / _DARK or (np.isposinf(samples) & shown).any():  # infinity is white
        return None
    almost = "almost " if largest > 0 else ""
    return f"its largest value is {largest:g} of {white}, so it is {almost}black everywhere; white is {white}"


def require_mask_size(mask: Raster, photo: Photo, name: str = "the mask") -> None:
    """Raise UsageError if a mask (H, W), called `name` in the message, has another size than a photo."""
    if mask.shape != photo.pixels.shape[:2]:
        size, wanted = (f"{shape[1]} x {shape[0]}" for shape in (mask.shape, photo.pixels.shape))
        raise UsageError(f"{name} is {size} pixels and the photo {wanted}: give a mask of the photo's size.")


def require_shares(mask: NDArray[Any]) -> None:
    """Raise UsageError for an array that is no mask: not (H, W), or with a value outside of [0, 1]."""
    if mask.ndim != 2:
        raise UsageError(f"a mask of shape {mask.shape} is none: pass (H, W), or a photo.")
    if not (mask.min(initial=0) >= 0 and mask.max(initial=0) <= 1):  # NaN is neither
        raise UsageError("a mask has values from 0 to 1: scale them, or pass Photo.from_array(mask).")


def mask_for(mask: Mask | None, photo: Photo) -> Raster | None:
    """Return a mask (H, W) for a photo, if there is one. Raises UsageError for another size, or for no mask."""
    if isinstance(mask, np.ndarray):
        require_shares(mask)
    weights = mask_of(mask) if isinstance(mask, Photo) else mask
    if weights is not None:
        require_mask_size(weights, photo)
    return weights


def blend_by_mask(mask: Raster, picture: Raster, changed: Raster) -> AdjustedRows:
    """Return the changed picture (H, W, C) where the mask (H, W) is 1, the old one where it is 0, both to the bit."""

    def blend(rows: slice, old: NDArray[np.float32]) -> NDArray[np.float32]:
        share, new = mask[rows][..., None], rows_from(changed, picture, rows, old)
        with np.errstate(invalid="ignore"):  # an infinite sample times 0, which is not taken
            mixed = old * (1 - share) + new * share
        return np.where(share == 0, old, np.where(share == 1, new, mixed))

    return adjusted_rows(picture, blend, rereadable=is_rereadable(changed))
