"""Give the gain of a shadow the profile of one: an even umbra, and a penumbra that leaves no line.

A network's gain follows the texture of what lies in a shadow, and rises beside the border of the picture, or slower,
which leaves a dark or a bright line along it. A shadow on one surface is even inside, and what is on both sides of its
border goes on across it: the mean along the border tells what the border itself leaves, whatever the texture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.log_light import EPS
from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.layers import to_linear

Maps = NDArray[np.float32]

# Lengths are shares of the longer side.
EVEN = 0.08  # standard deviation over which the umbra is evened
UMBRA, RISE = (
    0.65,
    0.15,
)  # share of the largest gain around from which on there is umbra; it counts in full after a rise
SHADOW, DEPTH = 0.3, 0.3  # stops: a gain from which on there are shadows, and a rise after which they count in full
SMALL = 64  # longer side of the copy for wide means

BAND = 0.012  # of a penumbra: standard deviation
STEEP = 3.75  # bands over which a penumbra may rise to count in full
ALONG, SAMPLES = 0.02, 10  # standard deviation of the mean along a border, and samples on each side
ACROSS = 0.016  # standard deviation over which both sides are continued across a border
FINE, DIRECTED = 0.004, 0.006  # standard deviations for the slope of a gain, and for its direction
BESIDE = 4  # power of what is not penumbra, by which the sides of a border count
LEAST, FULL = 0.2, 0.6  # stops: rises of the gain from which on borders count, and count in full
MOST, SHARE = 0.7, 0.3  # stops, and share of the rise, that are corrected; more is another thing


def even_umbra(stops: Maps) -> Maps:
    """Return a gain (h, w, 3) in stops that is even inside shadows."""
    height, width = stops.shape[:2]
    gain = _blurred(stops.mean(axis=2), FINE)
    if not gain.size or gain.max() <= SHADOW:
        return stops
    window = np.ones((2 * int(EVEN * max(height, width)) + 1,) * 2, np.uint8)
    top = _mean_around(np.asarray(cv2.dilate(gain, window), np.float32))
    umbra = ((stops.mean(axis=2) / np.maximum(top, LEAST) - UMBRA) / RISE).clip(0, 1)
    umbra = (umbra * ((top - SHADOW) / DEPTH).clip(0, 1))[..., None]
    weight = umbra + np.float32(1e-4)
    even = _mean_around(stops * weight) / _mean_around(weight)
    return np.asarray(stops + umbra * (even - stops), np.float32)


def fit_penumbra(stops: Maps, picture: Maps) -> Maps:
    """Return a gain (h, w, 3) in stops that leaves no line along the borders of shadows in an sRGB picture (h, w, 3).

    It never darkens what a gain leaves alone.
    """
    gain = stops.mean(axis=2)
    (right, down), rise = _slopes(gain), _rise(gain)
    steepness = np.hypot(right, down) / np.maximum(rise, np.float32(SHADOW))
    penumbra = _blurred(np.asarray(steepness, np.float32), 0.6 * BAND)
    penumbra = (penumbra * np.float32(STEEP * BAND * max(gain.shape))).clip(0, 1)
    counts = penumbra * ((rise - LEAST) / (FULL - LEAST)).clip(0, 1)
    if not counts.any():
        return stops
    lit = np.log2(to_linear(picture) + np.float32(EPS)).mean(axis=2) + gain
    along = _mean_along(lit, right, down)
    beside = (1 - penumbra) ** BESIDE + np.float32(1e-4)
    error = _blurred(along * beside, ACROSS) / _blurred(beside, ACROSS) - along
    limit = np.maximum(np.minimum(MOST, SHARE * rise), np.float32(1e-3))
    error = counts * error / (1 + (error / limit) ** 4)
    return np.asarray(stops + np.maximum(error, -np.maximum(gain, 0))[..., None], np.float32)


def _slopes(gain: Maps) -> tuple[Maps, Maps]:
    """Return the slopes (h, w) of a gain to the right and down, in stops a pixel."""
    soft = _blurred(gain, FINE)
    right, down = (cv2.Scharr(soft, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    return np.asarray(right), np.asarray(down)


def _rise(gain: Maps) -> Maps:
    """Return by how much a gain (h, w) in stops rises around each pixel, from one side of a border to the other."""
    window = np.ones((2 * int(3 * BAND * max(gain.shape)) + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(gain, window) - cv2.erode(gain, window), np.float32)


def _mean_along(plane: Maps, right: Maps, down: Maps) -> Maps:
    """Return the means (h, w) of a plane along the borders of a gain with these slopes."""
    xx, xy, yy = (_blurred(m, DIRECTED) for m in (right * right, right * down, down * down))
    cosine = (xx - yy) / np.maximum(np.hypot(xx - yy, 2 * xy), np.float32(1e-12))  # of twice the angle
    x, y = -np.copysign(np.sqrt((1 - cosine) / 2), xy), np.sqrt((1 + cosine) / 2)
    rows, columns = (np.asarray(m, np.float32) for m in np.indices(plane.shape))
    total, weights, step = plane.copy(), 1.0, np.float32(2 * ALONG * max(plane.shape) / SAMPLES)
    for number in range(1, SAMPLES + 1):
        weight = float(np.exp(-2 * (number / SAMPLES) ** 2))
        for away in (number * step, -number * step):
            total += weight * _sampled(plane, columns + away * x, rows + away * y)
            weights += weight
    return np.asarray(total / np.float32(weights), np.float32)


def _sampled(plane: Maps, columns: Maps, rows: Maps) -> Maps:
    return np.asarray(cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _blurred(plane: Maps, share: float) -> Maps:
    """Return a plane (h, w) blurred by a Gaussian, its standard deviation a share of the longer side."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), share * max(plane.shape)), np.float32).reshape(plane.shape)


def _mean_around(maps: Maps) -> Maps:
    """Return the means (h, w, ...) of maps around each pixel, over which the umbra is evened."""
    small = fit_within(maps.shape[0], maps.shape[1], SMALL)
    soft = cv2.resize(maps, small[::-1], interpolation=cv2.INTER_AREA).reshape(*small, *maps.shape[2:])
    soft = cv2.GaussianBlur(soft, (0, 0), EVEN * max(small), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(soft, maps.shape[1::-1]), np.float32).reshape(maps.shape)
