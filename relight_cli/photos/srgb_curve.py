"""The curve of sRGB (IEC 61966-2-1) with the numbers that an ICC profile stores, so that results are those of lcms2.

Values above 1 follow the curve, values below 0 its linear segment. Above the knee the term of the segment is constant,
below it the term of the curve, so that no value needs a choice. A pixel's result does not depend on its neighbours.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

# light = (A * value + B) ** G from KNEE on, C * value below (ICC.1:2010, 10.16, function type 3)
_G, _A, _B, _C, _KNEE = (
    round(number * 65536) / 65536 for number in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
)
_LIGHT_KNEE = (_A * _KNEE + _B) ** _G  # of the curve; with rounded numbers the segment ends 1e-6 beside it


def encode_srgb(light: Values) -> Values:
    """Encode linear light (n, C)."""
    curve = _root(np.maximum(light, np.float32(_LIGHT_KNEE)))
    curve -= _ROOT_OF_KNEE
    curve *= np.float32(1 / _A)
    segment = np.minimum(light, np.float32(_C * _KNEE))
    segment *= np.float32(1 / _C)
    curve += segment
    return curve


def decode_srgb(srgb: Values) -> Values:
    """Decode sRGB values (n, C) to linear light."""
    base = np.maximum(srgb, np.float32(_KNEE))
    base *= np.float32(_A)
    base += np.float32(_B)
    curve = _power(base)
    curve -= _POWER_OF_KNEE
    segment = np.minimum(srgb, np.float32(_LIGHT_KNEE / _C))
    segment *= np.float32(_C)
    curve += segment
    return curve


def decode_exactly(srgb: Values) -> NDArray[np.float64]:
    """Decode sRGB values to linear light in double precision."""
    values = srgb.astype(np.float64)
    return np.where(values < _KNEE, _C * values, (_A * np.maximum(values, _KNEE) + _B) ** _G)


def _root(x: Values) -> Values:
    """Return x ** (1 / G), through the square root: OpenCV's error grows with the size of the exponent."""
    root = np.asarray(cv2.sqrt(x), np.float32).reshape(x.shape)
    cv2.pow(x, 1 / _G - 0.5, dst=x)
    root *= x
    return root


def _power(x: Values) -> Values:
    """Return x ** G, through the square and the square root; see `_root`."""
    power = np.asarray(cv2.sqrt(x), np.float32).reshape(x.shape)
    power *= x
    power *= x
    cv2.pow(x, _G - 2.5, dst=x)
    power *= x
    return power


def _single(value: float) -> Values:
    return np.full((1, 1), value, np.float32)


_ROOT_OF_KNEE = _root(_single(_LIGHT_KNEE))[0, 0]
_POWER_OF_KNEE = _power(_single(_KNEE) * np.float32(_A) + np.float32(_B))[0, 0]
