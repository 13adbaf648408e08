"""Blend a cross-fade with other ways to make a frame between two: per region and per band of spatial frequencies.

A way is used as a difference from the cross-fade. The difference is split into three bands, and each band has a weight
in each region of the picture. Weights are smooth over the picture, so that no border of a region can be seen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.rows import row_bands
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.linear_light import encode_srgb

Picture = NDArray[np.float32]
Weights = NDArray[np.float32]  # (ways, bands, rows, columns), [0, 1]

FADE, LIGHT, EDGES, OTHER_EDGES = "fade in stops", "network", "moving edges", "other edges"
WAYS = FADE, LIGHT, EDGES, OTHER_EDGES
GRID = 3, 4  # regions: rows, columns
SIDES = 12, 64  # pixels; longer sides of the copies that hold the low, and the low and middle frequencies
BANDS = len(SIDES) + 1
CELLS = 8  # longer side of the grid in which brightness and colour stay between those of the ends
SLACK = 0.05  # stops by which they may leave that range
MEASURED = 256  # pixels; longer side of the copy in which they are measured
PASSED = 0.05  # share of a cell above which a shadow that passes decides its brightness
NOTHING = 1e-3  # stops that nobody sees
DARK = 1e-3  # linear light that is added before the logarithm


@dataclass(frozen=True)
class Blend:
    """How much of each way, beside a cross-fade, a new frame has."""

    weights: Weights

    def uses(self, way: str) -> bool:
        """Return whether a way has a weight anywhere."""
        return bool(self.weights[WAYS.index(way)].any())

    def strongest(self, way: str, where: Picture) -> Picture:
        """Return a map (h, w) of where a way acts, times its largest weight of all bands."""
        largest = self.weights[WAYS.index(way)].max(0)
        return where * enlarged_rows(largest, slice(0, where.shape[0]), *where.shape)

    def apply(self, fade: Picture, difference: Callable[[str], Picture]) -> Picture:
        """Return a cross-fade (H, W, 3) with the weighted differences of the ways; each used one is made once."""
        out = fade.copy()
        for way, weights in zip(WAYS, self.weights, strict=True):
            if weights.any():
                _add_weighted(out, difference(way), weights)
        return out


def no_blend() -> Blend:
    """Return the blend that is a cross-fade."""
    return Blend(np.zeros((len(WAYS), BANDS, *GRID), np.float32))


def copies(difference: Picture) -> list[Picture]:
    """Return the small copies of a difference that hold its low, and its low and middle frequencies."""
    return [within(difference, side) for side in SIDES]


def within(maps: Picture, side: int) -> Picture:
    """Return maps (h, w, ...) averaged until the longer side is at most `side`."""
    height, width = maps.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return maps
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(maps, size, interpolation=cv2.INTER_AREA), np.float32)


def enlarged_rows(maps: Picture, rows: slice, height: int, width: int) -> Picture:
    """Return rows of maps (h, w) or (h, w, C), enlarged to (H, W) linearly between the centres of their pixels."""
    at = ((np.arange(rows.start, rows.stop) + 0.5) * (maps.shape[0] / height) - 0.5).clip(0, maps.shape[0] - 1)
    first = at.astype(int)
    last = np.minimum(first + 1, maps.shape[0] - 1)
    share = (at - first).astype(np.float32).reshape(-1, *[1] * (maps.ndim - 1))
    mixed = maps[first] + share * (maps[last] - maps[first])
    return np.asarray(cv2.resize(mixed, (width, len(at)), interpolation=cv2.INTER_LINEAR), np.float32)


def bands_of(difference: Picture) -> list[Picture]:
    """Return the three bands of a difference (H, W, 3); their sum is the difference."""
    height, width = difference.shape[:2]
    low, middle = (enlarged_rows(copy, slice(0, height), height, width) for copy in copies(difference))
    return [low, middle - low, difference - middle]


def _add_weighted(out: Picture, difference: Picture, weights: Weights) -> None:
    """Add the weighted bands of a difference, a few rows at a time."""
    height, width = out.shape[:2]
    small = copies(difference)
    for rows in row_bands(height, width):
        low, middle = (enlarged_rows(copy, rows, height, width) for copy in small)
        band_weights = [enlarged_rows(band, rows, height, width)[..., None] for band in weights]
        for band, weight in zip((low, middle - low, difference[rows] - middle), band_weights, strict=True):
            out[rows] += weight * band


def fade_in_stops(first: Picture, last: Picture, share: float) -> Picture:
    """Return the frame at a share of the way whose light changes by the same number of stops at all times."""
    out = np.empty_like(first)
    for rows in row_bands(*first.shape[:2]):
        here, after = (np.log2(to_linear(picture[rows]) + np.float32(DARK)) for picture in (first, last))
        here += np.float32(share) * (after - here)
        out[rows] = encode_srgb((np.exp2(here) - np.float32(DARK)).clip(0))
    return out


def keep_between(made: Picture, first: Picture, last: Picture, passed: Picture) -> Picture:
    """Scale a frame (H, W, 3) until each coarse region has a brightness and colour between those of the ends.

    They are means of linear light. Where shadows pass over more than a little of a region (`passed`, (h, w) in [0, 1]),
    they may leave that range.
    """
    copy, *ends = (within(picture, MEASURED) for picture in (made, first, last))
    cells = [_cells(end) for end in ends]
    lowest, highest = np.minimum(*cells) * np.float32(2**-SLACK), np.maximum(*cells) * np.float32(2**SLACK)
    free = _resized(passed, lowest.shape[:2]) > PASSED
    stops = np.zeros_like(lowest)
    for _ in range(3):  # neighbouring cells share the pixels between them
        mean = _cells(np.concatenate([rows for _, rows in _scaled(copy, stops)]))
        stops += np.nan_to_num(np.log2(mean.clip(lowest, highest) / mean))
        stops[free] = 0
    if np.abs(stops).max() < NOTHING:
        return made
    for rows, scaled in _scaled(made, stops):
        made[rows] = scaled
    return made


def _cells(picture: Picture) -> Picture:
    """Return the mean linear light of the cells of a picture, (h, w, 3), above zero."""
    return within(to_linear(picture), CELLS) + np.float32(DARK)


def _resized(maps: Picture, shape: tuple[int, ...]) -> Picture:
    return np.asarray(cv2.resize(maps, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _scaled(picture: Picture, stops: Picture) -> Iterator[tuple[slice, Picture]]:
    """Yield rows of a picture whose light is changed by the stops of its cells."""
    height, width = picture.shape[:2]
    for rows in row_bands(height, width):
        gain = np.exp2(enlarged_rows(stops, rows, height, width))
        yield rows, encode_srgb(to_linear(picture[rows]) * gain)
