"""Samples of a reference that are no numbers (NaN): they show no light, so those around stand in for them."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import bands, to_array


def has_missing(photo: Photo) -> bool:
    """Return whether a sample of a photo is NaN."""
    return photo.pixels.dtype.kind == "f" and any(np.isnan(band).any() for _, band in bands(photo.pixels))


def with_missing_filled(photo: Photo) -> Photo:
    """Return a photo whose NaN pixels have the samples of the nearest pixel; black if there is none."""
    if not has_missing(photo):
        return photo
    samples = to_array(photo.pixels)
    missing = np.isnan(samples).any(axis=2)
    if missing.all():
        return replace(photo, pixels=np.zeros_like(samples))
    return replace(photo, pixels=samples[nearest(missing)])


def nearest(missing: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """Return row and column (h, w) of the nearest pixel that is not missing."""
    labels = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    rows, columns = np.nonzero(~missing)
    place = np.zeros(labels.max() + 1, np.intp)
    place[labels[rows, columns]] = np.arange(len(rows))
    return rows[place[labels]], columns[place[labels]]
