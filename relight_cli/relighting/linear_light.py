"""The sRGB transfer curve (IEC 61966-2-1) in NumPy, for code that runs in several threads: see `models.colour`.

Powers are by logarithm and exponential, which NumPy computes several numbers at a time on every processor; the bases
are between 0.003 and a few units, where that is as exact as float32.
"""

import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import KNEE

Values = NDArray[np.float32]

_LIGHT_KNEE = 0.0031308


def decode_srgb(values: Values) -> Values:
    """Decode sRGB values to linear light; values above 1 follow the curve, values below 0 its linear segment."""
    base = np.maximum(values, np.float32(KNEE))
    base += np.float32(0.055)
    base *= np.float32(1 / 1.055)
    return np.where(values <= KNEE, values / np.float32(12.92), _power(base, 2.4))


def encode_srgb(light: Values) -> Values:
    """Encode linear light as sRGB; the inverse of `decode_srgb`."""
    curve = _power(np.maximum(light, np.float32(_LIGHT_KNEE)), 1 / 2.4)
    curve *= np.float32(1.055)
    curve -= np.float32(0.055)
    return np.where(light <= _LIGHT_KNEE, light * np.float32(12.92), curve)


def _power(base: Values, exponent: float) -> Values:
    np.log(base, out=base)
    base *= np.float32(exponent)
    return np.exp(base, out=base)
