"""Light for what a reference does not show: that of the surfaces of the photo that look alike, near by.

What has one colour and lies in one light has one gain: the rest of a shadow brightens as the part of it that the
reference shows. Means over cells, weighted by distance and by likeness of colour (joint bilateral upsampling, Kopf et
al. 2007), the distance doubled wherever too little is alike.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.agreement import opponent
from relight_cli.relighting.gain import DARK
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.quotient import cells_of, encoded, log_light

Maps = NDArray[np.float32]

CELLS = 64  # along the longer side
ALIKE = (0.5, 0.25, 0.25)  # stops of luminance and two chromaticities within which surfaces look alike
NEAR, LEVELS = 1 / 64, 6  # of the longer side: the least distance, and how many times it is doubled
ENOUGH = 1.0  # cells alike within a distance from which no wider one is needed
SEEN, UNSEEN = 0.5, 0.999  # trust from which a cell gives its light, and up to which it takes some


def fill_light(photo: Maps, reference: Maps, trust: Maps, gain: Maps) -> Maps:
    """Return a gain (H, W, 3) in stops with that of alike surfaces where a reference is not trusted.

    Photo and reference (H, W, 3) are in linear light, `trust` (H, W) is in [0, 1]. The gain is returned unchanged where
    it is 1, and everywhere if no cell is trusted.
    """
    weight = cells_of(trust, CELLS)
    seen, unseen = weight > SEEN, weight < UNSEEN
    if not seen.any() or not unseen.any():
        return gain
    own, other = (cells_of(x * trust[..., None], CELLS) for x in (photo, reference))
    dark = (np.float32(DARK) * weight + np.float32(1e-6))[..., None]
    quotient = np.log2((other + dark) / (own + dark))
    whole = cells_of(photo, CELLS)
    quotient[unseen] = _of_alike(log_light(whole), quotient, weight, seen, unseen)
    picture = encoded(photo)
    fitted = fit_guided(quotient, encoded(whole)).rows(picture, 0, len(picture))
    return np.asarray(gain + (1 - trust[..., None]) * (fitted - gain), np.float32)


def _of_alike(
    light: Maps, quotient: Maps, weight: Maps, seen: NDArray[np.bool_], unseen: NDArray[np.bool_]
) -> Maps:
    """Return the mean quotients (N, 3) for the N unseen cells of the seen cells that are near and look alike."""
    colours = opponent(light) / np.array(ALIKE, np.float32)
    places = np.dstack(np.mgrid[: weight.shape[0], : weight.shape[1]]).astype(np.float32) / max(weight.shape)
    alike = np.exp(-0.5 * _squares(colours[unseen], colours[seen])) * weight[seen]
    near = np.exp(-0.5 * _squares(places[unseen], places[seen]) / (NEAR * 2 ** (LEVELS - 1)) ** 2)
    given, found = quotient[seen], np.zeros((int(unseen.sum()), 3), np.float32)
    for level in range(LEVELS):  # from the widest to the least distance, whose Gaussian is the fourth power
        share = alike * near
        total = share.sum(axis=1)
        mean = np.stack([(share * one).sum(axis=1) for one in given.T], axis=1) / np.maximum(total, 1e-20)[:, None]
        enough = np.minimum(1, total / ENOUGH)[:, None] if level else np.float32(1)
        found += enough * (mean - found)
        near = near**2
        near = near**2
    return found


def _squares(points: Maps, others: Maps) -> Maps:
    """Return the squared distances (N, M) of points (N, C) to others (M, C)."""
    squares = np.zeros((len(points), len(others)), np.float32)
    for own, other in zip(points.T, others.T, strict=True):  # a product of matrices would depend on the processor
        squares += (own[:, None] - other) ** 2
    return squares
