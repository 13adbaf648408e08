"""The light of a reference of the same view as a gain: a quotient that follows the photo's edges.

photo x blur(reference) / blur(photo) is the simplest of such gains. It smears light over the borders of objects and
shadows, since both blurs do. Here the gain is corrected until the lit photo's cells equal the reference's cells, and
each correction follows the photo's edges (iterative back-projection, Irani and Peleg 1991; guided filter, He, Sun and
Tang 2013). Cells that show something else have no say: their light is filled in from around them.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.gain import DARK
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.linear_light import encode_srgb

Maps = NDArray[np.float32]

# Cells along the longer side. Finer ones would copy the reference's picture, not its light; a Gaussian of 1/64 of the
# side, the usual choice, averages over about as much.
MOST_CELLS, FEWEST_CELLS = 64, 8
SHARPNESS = (12, 16, 20, 24, 32, 40, 48, 64, 96)  # cells along the longer side that a soft reference is compared with
NEARLY = 1.25  # times the least variance: as good a fit
TEXTURED = 0.7  # share of the pixels that have too little detail for a comparison
LARGEST = 8.0  # stops, from a street at night to the day; means of cells amplify no error of a network
STEPS = 6  # of back-projection; each leaves less than half of the difference
EDGE = 0.2  # variance of log2 light within a cell below which an area counts as flat
LEVELS = 6  # octaves over which light is filled in
ENOUGH = 0.5  # share of trusted light in a window above which it needs no wider one


def log_light(light: Maps) -> Maps:
    """Return log2 of linear light, in stops; black is the network's error in black."""
    return np.log2(np.maximum(light, 0) + np.float32(DARK))


def cells_of(picture: Maps, cells: int) -> Maps:
    """Return the means (h, w, ...) of a picture's cells, of which there are `cells` along the longer side."""
    scale = cells / max(picture.shape[:2])
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def enlarged(maps: Maps, height: int, width: int) -> Maps:
    """Return maps (h, w, ...) enlarged bilinearly."""
    return np.asarray(cv2.resize(maps, (width, height), interpolation=cv2.INTER_LINEAR))


def effective_cells(photo: Maps, reference: Maps) -> int:
    """Return how many cells along its longer side a reference resolves, at most MOST_CELLS.

    The photo (H, W, 3, linear light, as the reference) is reduced to so many cells and enlarged again; the number whose
    detail falls off from octave to octave as the reference's does is taken. Detail is compared where the photo has
    some, and by its median, so that noise in the dark and what moved do not count. A picture too small for octaves
    resolves all its pixels.
    """
    octaves = list(zip(_details(photo), _details(reference), strict=True))
    if not octaves:
        return max(FEWEST_CELLS, min(MOST_CELLS, max(photo.shape[:2])))
    textured = [own >= np.quantile(own, TEXTURED) for own, _ in octaves]
    found = {}
    for cells in (*SHARPNESS, max(photo.shape[:2])):
        reduced = _details(enlarged(cells_of(photo, cells), *photo.shape[:2]))
        ratios = [
            np.median(other[where] - soft[where])
            for soft, (_, other), where in zip(reduced, octaves, textured, strict=True)
        ]
        found[cells] = float(np.var(ratios))
    best = min(cells for cells, variance in found.items() if variance <= NEARLY * min(found.values()) + 1e-6)
    return max(FEWEST_CELLS, min(MOST_CELLS, best, max(photo.shape[:2])))


def _details(picture: Maps) -> list[Maps]:
    """Return the logarithm of the detail in each octave of a picture's size, from fine to coarse."""
    plane, found = np.log2(picture.mean(axis=2) + 10 * np.float32(DARK)), []
    while min(plane.shape) >= 12:
        half = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
        found.append(np.log2(cv2.blur(np.abs(plane - enlarged(half, *plane.shape)), (3, 3)) + 2e-3))
        plane = half
    return found


def filled_quotient(photo: Maps, reference: Maps, trust: Maps) -> Maps:
    """Return blur(reference) / blur(photo) in stops (H, W, 3), of the trusted light alone; `trust` is (H, W) in [0, 1].

    The Gaussian has 1/64 of the longer side, and twice as much again wherever too little of the light is trusted.
    """
    sigma, weight = max(photo.shape[:2]) / 64, trust[..., None]
    levels = []
    for level in range(LEVELS):
        share = _blur(trust, sigma * 2**level)[..., None]
        lit, own = (_blur(x * weight, sigma * 2**level) for x in (reference, photo))
        levels.append((np.log2((lit + DARK * share + 1e-6) / (own + DARK * share + 1e-6)), share))
    gain = levels[-1][0]
    for quotient, share in levels[-2::-1]:
        known = np.minimum(1, share / ENOUGH) ** 2
        gain = known * quotient + (1 - known) * gain
    return gain.astype(np.float32)


def back_projected(photo: Maps, reference: Maps, trust: Maps, gain: Maps, cells: int) -> Maps:
    """Return a gain (H, W, 3) in stops, corrected until the lit photo's trusted cells equal the reference's.

    A soft reference is taken for a picture that was reduced to `cells` and enlarged again, in sRGB as most programs do;
    the lit photo is made as soft before it is compared.
    """
    height, width = photo.shape[:2]
    soft = cells < min(MOST_CELLS, max(height, width))

    def compared(light: Maps) -> Maps:
        means = cells_of(encoded(light), cells)
        return log_light(to_linear(cells_of(enlarged(means, height, width), cells) if soft else means))

    wanted, weight = log_light(to_linear(cells_of(encoded(reference), cells))), cells_of(trust, cells)[..., None]
    guide, radius = log_light(photo).mean(axis=2), max(1, round(max(height, width) / cells / 2))
    for _ in range(STEPS):
        missing = (wanted - compared(photo * np.exp2(gain))) * weight
        gain = gain + guided(guide, enlarged(missing, height, width), radius)
    return np.clip(gain, -LARGEST, LARGEST)


def encoded(light: Maps) -> Maps:
    """Encode linear light as sRGB in [0, 1]."""
    return np.clip(encode_srgb(light), 0, 1)


def guided(guide: Maps, maps: Maps, radius: int) -> Maps:
    """Return maps (H, W, C) filtered along the edges of a guide (H, W)."""

    def mean(x: NDArray) -> NDArray:
        return np.asarray(cv2.blur(x, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)).reshape(x.shape)

    own = guide.astype(np.float64)[..., None]
    centre = mean(own)
    slope = (mean(maps * own) - mean(maps.astype(np.float64)) * centre) / (mean(own**2) - centre**2 + EDGE)
    offset = mean(maps.astype(np.float64)) - slope * centre
    return np.asarray(mean(slope) * own + mean(offset), np.float32)


def _blur(maps: Maps, sigma: float) -> Maps:
    """Return maps (H, W) or (H, W, C) blurred by a Gaussian; a wide one on a smaller copy."""
    shrink = max(1, int(sigma / 4))
    height, width = maps.shape[:2]
    small = cv2.resize(maps, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REFLECT)
    wide = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float32).reshape(maps.shape)
