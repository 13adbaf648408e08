"""Correct the gain of a shadow: even in the umbra, without a line in the penumbra.

A network's gain follows the texture in a shadow, and its rise is often displaced from the border in the picture, or
wider. That leaves a dark or a bright line. A shadow on one surface has an even umbra. In the penumbra, the mean of the
lit picture along the border removes the texture, so that what remains across the border is the error of the gain.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.log_light import EPS
from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.layers import to_linear

Maps = NDArray[np.float32]

# Standard deviations are shares of the longer side.
EVEN = 0.08  # over which the umbra is evened
UMBRA = 0.65  # share of the largest gain around above which there is umbra
UMBRA_RISE = 0.15  # share over which it comes to count in full
SHADOW_GAIN = 0.3  # stops; weaker gains are no shadows
SHADOW_RISE = 0.3  # stops over which shadows come to count in full
SMALL = 64  # pixels: longer side of the copy for wide means

PENUMBRA = 0.012  # of a border's profile
SLOPE = 0.6 * PENUMBRA  # of the slopes that tell where there is a penumbra
STEEP = 3.75  # times PENUMBRA: a width over which a penumbra may rise to count in full
ALONG = 0.02  # of the mean along a border
SAMPLES = 10  # of that mean, on each side
ACROSS = 0.016  # over which both sides of a border are continued across it
FINE, DIRECTED = 0.004, 0.006  # of a gain before its slope is taken, and of the slopes before their direction is
OUTSIDE = 4  # power of what is not penumbra, by which the sides of a border count
LEAST_RISE, FULL_RISE = 0.2, 0.6  # stops that a gain rises, above which borders count, and count in full
MOST, SHARE = 0.7, 0.3  # stops, and share of the rise: an error of the smaller is halved, a larger one changes less


def even_umbra(stops: Maps) -> Maps:
    """Return a gain (h, w, 3) in stops, float32, averaged in umbras over EVEN of the side, elsewhere as it is."""
    gain = stops.mean(axis=2)
    soft = _blurred(gain, FINE)
    if soft.max() <= SHADOW_GAIN:
        return stops
    window = np.ones((2 * int(EVEN * max(gain.shape)) + 1,) * 2, np.uint8)
    top = _mean_around(np.asarray(cv2.dilate(soft, window), np.float32))
    umbra = ((gain / np.maximum(top, np.float32(SHADOW_GAIN)) - UMBRA) / UMBRA_RISE).clip(0, 1)
    umbra = (umbra * ((top - SHADOW_GAIN) / SHADOW_RISE).clip(0, 1))[..., None]
    weight = umbra + np.float32(1e-4)
    even = _mean_around(stops * weight) / _mean_around(weight)
    return np.asarray(stops + umbra * (even - stops), np.float32)


def fit_penumbra(stops: Maps, picture: Maps) -> Maps:
    """Return a gain (h, w, 3) in stops, float32, that leaves no line along the borders of shadows.

    The sRGB picture (h, w, 3) is finite, in [0, 1]. No channel becomes negative that was not.
    """
    gain = stops.mean(axis=2)
    (right, down), rise = _slopes(gain), _rise(gain)
    steepness = np.hypot(right, down) / np.maximum(rise, np.float32(SHADOW_GAIN))
    penumbra = _blurred(np.asarray(steepness, np.float32), SLOPE)
    penumbra = (penumbra * np.float32(STEEP * PENUMBRA * max(gain.shape))).clip(0, 1)
    counts = penumbra * ((rise - LEAST_RISE) / (FULL_RISE - LEAST_RISE)).clip(0, 1)
    if not counts.any():
        return stops
    lit = np.log2(to_linear(picture) + np.float32(EPS)).mean(axis=2) + gain
    along = _mean_along(lit, right, down)
    outside = (1 - penumbra) ** OUTSIDE + np.float32(1e-4)
    error = _blurred(along * outside, ACROSS) / _blurred(outside, ACROSS) - along
    limit = np.maximum(np.minimum(MOST, SHARE * rise), np.float32(1e-3))
    error = counts * error / (1 + (error / limit) ** 4)
    return np.asarray(stops + np.maximum(error, -np.maximum(stops.min(axis=2), 0))[..., None], np.float32)


def _slopes(gain: Maps) -> tuple[Maps, Maps]:
    """Return the slopes (h, w) of a gain to the right and down, in stops a pixel."""
    soft = _blurred(gain, FINE)
    right, down = (cv2.Scharr(soft, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    return np.asarray(right), np.asarray(down)


def _rise(gain: Maps) -> Maps:
    """Return by how much a gain (h, w) in stops rises around each pixel, from one side of a border to the other."""
    window = np.ones((2 * int(3 * PENUMBRA * max(gain.shape)) + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(gain, window) - cv2.erode(gain, window), np.float32)


def _mean_along(plane: Maps, right: Maps, down: Maps) -> Maps:
    """Return the means (h, w) of a plane along the borders of a gain with these slopes."""
    xx, xy, yy = (_blurred(m, DIRECTED) for m in (right * right, right * down, down * down))
    cosine = (xx - yy) / np.maximum(np.hypot(xx - yy, 2 * xy), np.float32(1e-12))  # of twice the angle
    cosine = cosine.clip(-1, 1)
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
    """Return a plane (h, w) at positions (h, w) in pixels, bilinear, mirrored at its borders."""
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
