"""Samples of a reference that are no numbers (NaN): they show no light, so those around stand in for them."""

from dataclasses import replace

import numpy as np

from relight_cli.photos.photo import Photo
from relight_cli.rasters.holes import filled_from_nearest
from relight_cli.rasters.rows import is_rereadable, to_array

_ROWS = 16  # that are read at a time


def has_missing(photo: Photo) -> bool:
    """Return whether a sample of a photo is NaN; False if its rows can be read only once, which is later."""
    pixels, height = photo.pixels, photo.pixels.shape[0]
    if pixels.dtype.kind != "f" or not is_rereadable(pixels):
        return False
    return any(np.isnan(pixels[slice(top, min(top + _ROWS, height))]).any() for top in range(0, height, _ROWS))


def with_missing_filled(photo: Photo) -> Photo:
    """Return a photo whose NaN pixels have the samples of the nearest pixel; black if there is none."""
    if not has_missing(photo):
        return photo
    samples = to_array(photo.pixels)
    missing = np.isnan(samples).any(axis=2)
    filled = np.zeros_like(samples) if missing.all() else filled_from_nearest(samples, missing)
    return replace(photo, pixels=filled)
