"""The sky of a picture with its borders where the picture has them, so that a new sky leaves no halo and no patch."""

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

LEAST_SKY = 0.02  # share of a picture from which its sky is known
_NOTHING_ELSE = 0.97  # share of sky from which a picture shows nothing else
_REACH = 0.04  # deviation of the blur that tells the border's neighbourhood, as a share of the longer side
_BAND = 0.02, 0.98  # blurred share of sky between which a pixel is near the border
_MOST_LIKELY = 0.3  # blurred share from which colour alone decides
_NOISE = 3e-4  # variance of sRGB that every sky has
_NEAR = 3.0  # deviations from the sky's colour nearby at which a pixel is as likely something else
_SURE = 0.9  # share of sky from which a pixel shows the sky's colour
_HALF = 0.5  # share of sky at which its border runs
_RIM = 2  # pixels at the end of the picture where nothing borders
_FEW = 20  # pixels of border that tell nothing
_AROUND = 7  # pixels, the side of the square in which an edge counts as at the border
_STEP = 0.08  # difference of sRGB that is an edge
# Share of the border that has an edge: of a part of the sky, of all of it. By looking at 14 ordinary photos, all told
# rightly: parts have .05 to .59, whole skies .76 to 1; one at dusk, found but for its brightest band, has .68.
_ENDS = 0.6, 0.75


def sky_along_edges(sky: Map, picture: Map) -> Map:
    """Return the share of sky (h, w) of a picture (h, w, 3), sRGB, with the colours deciding near its border.

    Near the border a pixel is sky if its colour is that of the sky nearby. Far from it, nothing changes. A picture that
    shows nothing but sky has none: it is what light falls on.
    """
    if float(sky.mean()) > _NOTHING_ELSE:
        return np.zeros_like(sky)
    if not sky.any():
        return sky
    share, apart = _blur(sky), _apart(_sure(sky), picture)
    likely = (share / _MOST_LIKELY).clip(0, 1) * _likeness(apart)
    alike = np.asarray(cv2.medianBlur(likely.astype(np.float32), 3))
    low, high = _BAND
    near = (share > low) & (share < high)
    return np.where(near, alike, sky).astype(np.float32)


def sky_found(sky: Map, picture: Map) -> float:
    """Return how surely a share of sky (h, w) is all the sky of a picture (h, w, 3), sRGB: 0 to 1.

    A sky ends where the picture has an edge. Where a part of it was found, its border runs through even sky.
    """
    across = np.ones((3, 3), np.uint8)
    border = cv2.morphologyEx((sky > _HALF).astype(np.uint8), cv2.MORPH_GRADIENT, across)[_RIM:-_RIM, _RIM:-_RIM] > 0
    if border.sum() < _FEW:
        return 1.0
    around = np.ones((_AROUND, _AROUND), np.uint8)
    step = (cv2.dilate(picture, around) - cv2.erode(picture, around)).max(axis=-1)[_RIM:-_RIM, _RIM:-_RIM]
    part, whole = _ENDS
    return float(np.clip(((step[border] > _STEP).mean() - part) / (whole - part), 0, 1))


def _sure(sky: Map) -> Map:
    return np.where(sky > _SURE, sky, 0).astype(np.float32)


def _apart(sure: Map, picture: Map) -> Map:
    """Return how far (h, w) each pixel's colour is from that of the sure sky nearby, in deviations of that."""
    total = _blur(sure).clip(1e-6)[..., None]
    mean, square = (_blur(maps * sure[..., None]) / total for maps in (picture, picture**2))
    variance = (square - mean**2).clip(0) + _NOISE
    return np.sqrt(((picture - mean) ** 2 / variance).mean(axis=-1))


def _likeness(apart: Map) -> Map:
    """Return how likely (h, w) a pixel is sky, by its distance from the colour of the sky nearby."""
    return np.asarray(1 / (1 + (apart / _NEAR) ** 6), np.float32)


def _blur(maps: Map) -> Map:
    """Return maps (h, w, ...) blurred by _REACH, computed at a quarter of the size."""
    height, width = maps.shape[:2]
    size = max(1, width // 4), max(1, height // 4)
    small = cv2.resize(maps, size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.5, _REACH * max(size)))
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
