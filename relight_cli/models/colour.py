"""The sRGB transfer curve (IEC 61966-2-1), and the luminance of its primaries."""

import torch
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (ITU-R BT.709)
KNEE = 0.04045  # encoded value up to which the curve is linear


def srgb_to_linear(x: Tensor) -> Tensor:
    """Decode sRGB values to linear light; values above 1 follow the curve, values below 0 its linear segment."""
    return torch.where(x <= KNEE, x / 12.92, ((x.clamp(min=KNEE) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(x: Tensor) -> Tensor:
    """Encode linear light as sRGB; the inverse of `srgb_to_linear`."""
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
