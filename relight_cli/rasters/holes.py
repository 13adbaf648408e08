"""Holes in a picture or a map, which are filled from around them."""

import cv2
import numpy as np
from numpy.typing import NDArray

_MASK = 5  # pixels: side of the neighbourhood that distances are added up in, and that the nearest pixel is found in


def filled_from_nearest(values: NDArray, unknown: NDArray[np.bool_]) -> NDArray:
    """Return values (h, w, ...) with that of the nearest known pixel where they are `unknown` (h, w).

    At least one pixel has to be known.
    """
    holes = unknown.astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(holes, cv2.DIST_L2, _MASK, labelType=cv2.DIST_LABEL_PIXEL)
    around = cv2.dilate(holes, np.ones((_MASK, _MASK), np.uint8)) > holes  # has all the pixels that are nearest to one
    place = np.zeros(int(nearest.max()) + 1, np.intp)
    place[nearest[around]] = np.flatnonzero(around)
    filled = values.copy()
    filled[unknown] = values[np.unravel_index(place[nearest[unknown]], unknown.shape)]
    return filled
