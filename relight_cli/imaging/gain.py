"""A change of light as a gain: what the network did to the light, done to the photo's own pixels."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.imaging.bit_depth import row_bands
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear

# Linear light added to both sides of the ratio, about a network's error in black: the gain of what it sees as black is
# one rather than the ratio of two errors.
DARK = 1e-3
LARGEST = 5.0  # stops; a stronger change of light than 32 times would show noise and rounding, not the scene


def log_gain(relit: Tensor, reconstructed: Tensor) -> Tensor:
    """Give log2(relit / reconstructed) in linear light, in stops, limited to +-LARGEST.

    Both are sRGB-encoded pictures of the same decoder, so that what it loses or gets wrong cancels. A reconstruction
    brighter than white is an overshoot, since no photo is; a relit picture may be: its light was not clipped.
    """
    numerator = srgb_to_linear(relit.clamp(min=0)) + DARK
    denominator = srgb_to_linear(reconstructed.clamp(0, 1)) + DARK
    return torch.log2(numerator / denominator).clamp(-LARGEST, LARGEST)


def apply_gain(picture: NDArray[np.float32], stops: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Multiply an sRGB-encoded picture (H, W, C) in linear light by 2^stops; black stays black.

    `stops` gives a band of rows, (n, W, C). Where the gain is zero stops the picture comes back to the bit. A clipped
    pixel is dimmed like its neighbours: how much brighter than white it was is not known, and left white it would keep
    a hole of the old light.
    """
    out = np.empty_like(picture)
    for rows in row_bands(*picture.shape[:2]):
        own, gain = torch.from_numpy(picture[rows]), torch.from_numpy(stops(rows))
        lit = linear_to_srgb(srgb_to_linear(own) * torch.exp2(gain))
        out[rows] = torch.where(gain == 0, own, lit).numpy()
    return out
