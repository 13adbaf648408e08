"""Multiply a photo's samples in linear light, through its profile, without a detour through sRGB's curve."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.srgb_curve import encode_srgb
from relight_cli.rasters.rows import row_bands

Values = NDArray[np.float32]

_BLACK = (0.0, 0.0, 0.0)
_LOG_2 = np.float32(np.log(2))


class LightProfile(Protocol):
    """A profile whose samples are converted to light and back."""

    def to_light(self, samples: NDArray) -> Values:
        """Convert (n, C) samples to linear sRGB, (n + PADDING, 3) or (n + PADDING, 1)."""

    def from_light(self, light: Values, dtype: np.dtype) -> NDArray:
        """Convert (n, 3) linear sRGB to (n, C) samples, uint8 or uint16, clipped."""


def multiply_samples(
    samples: NDArray, profile: LightProfile, stops: Callable[[slice, Values], Values], top: int = 0
) -> NDArray:
    """Multiply (H, W, C) samples, uint8 or uint16, in linear light by 2^stops.

    They are rows of a photo from `top` on. `stops` takes slice(start, stop) of the photo's rows and their sRGB colours
    (n, W, 3), and returns stops (n, W, 3). A pixel whose light stays the same keeps its samples.
    """
    out = np.empty_like(samples)
    for rows in row_bands(*samples.shape[:2]):
        part = np.ascontiguousarray(samples[rows])
        out[rows] = _multiplied(part, profile, partial(stops, slice(top + rows.start, top + rows.stop)))
    return out


def _multiplied(samples: NDArray, profile: LightProfile, stops: Callable[[Values], Values]) -> NDArray:
    height, width, channels = samples.shape
    count = height * width
    light = profile.to_light(samples.reshape(count, channels))
    srgb = encode_srgb(light)[:count].reshape(height, width, -1)
    factor = stops(srgb if srgb.shape[2] == 3 else np.repeat(srgb, 3, axis=2)).reshape(count, 3) * _LOG_2
    np.exp(factor, out=factor)
    lit = np.zeros((len(light), 3), np.float32)
    np.multiply(light[:count], factor, out=lit[:count])
    change = np.subtract(lit[:count], light[:count], out=factor)
    same = cv2.inRange(change[None], _BLACK, _BLACK)  # 255 where no colour changed, else 0
    made = profile.from_light(lit, samples.dtype)[:count].reshape(1, count, channels)
    return np.asarray(cv2.copyTo(samples.reshape(made.shape), same, made)).reshape(samples.shape)
