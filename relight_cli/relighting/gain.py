"""A change of light as a gain: what the network changed in the light, applied to the photo's own pixels."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.colour import KNEE, linear_to_srgb, srgb_to_linear
from relight_cli.rasters.rows import LazyRows, Raster

# Linear light added to both sides of the ratio, about a network's error in black: the gain of what it sees as black is
# one rather than the ratio of two errors.
DARK = 1e-3
LARGEST = 5.0  # stops; a stronger change of light than 32 times would show noise and rounding, not the scene

LogGain = Callable[[slice, NDArray[np.float32]], NDArray[np.float32]]
"""From a band of rows and the picture's pixels in it, (n, W, C), to the gain in stops, (n, W, C)."""


def log_gain(relit: Tensor, reconstructed: Tensor) -> Tensor:
    """Return log2(relit / reconstructed) in linear light, in stops, limited to +-LARGEST.

    Both are sRGB-encoded pictures of the same decoder, so that what it loses or gets wrong cancels. A reconstruction
    brighter than white is an overshoot, since no photo is; a relit picture may be: its light was not clipped.
    """
    numerator = srgb_to_linear(relit.clamp(min=0)) + DARK
    denominator = srgb_to_linear(reconstructed.clamp(0, 1)) + DARK
    return torch.log2(numerator / denominator).clamp(-LARGEST, LARGEST)


def apply_log_gain(picture: Raster, gain: LogGain, *, rereadable: bool = True) -> LazyRows:
    """Return an sRGB-encoded picture (H, W, C) multiplied in linear light by 2^gain; black stays black.

    Where the gain is zero stops the picture comes back to the bit. A clipped pixel is dimmed like its neighbours: how
    much brighter than white it was is not known, and left white it would keep a hole of the old light.
    Without `rereadable`, rows can be read once, from the top.
    """

    def make(rows: slice) -> NDArray[np.float32]:
        own = picture[rows]
        return multiply_light(own, gain(rows, own))

    return LazyRows(picture.shape, np.dtype(np.float32), make, rereadable)


def multiply_light(own: NDArray[np.float32], stops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply sRGB values by 2^stops in linear light.

    Where value and result are on the curve, ((x + 0.055) / 1.055)^2.4, one exponential is all: the result is
    (x + 0.055) * 2^(stops / 2.4) - 0.055. Only where one is on the straight foot both transfer curves are needed.
    """
    x, gain = torch.from_numpy(own), torch.from_numpy(stops)
    lit = torch.expm1(gain * (math.log(2) / 2.4)).mul_(x + 0.055).add_(x)
    foot = torch.minimum(x, lit) <= KNEE
    if foot.any():
        lit[foot] = linear_to_srgb(srgb_to_linear(x[foot]) * torch.exp2(gain[foot]))
        lit = torch.where(gain == 0, x, lit)
    return lit.numpy()
