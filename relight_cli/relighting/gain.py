"""A change of light as a gain: what the network did to the light, done to the photo's own pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.colour import KNEE, linear_to_srgb, srgb_to_linear
from relight_cli.rasters.rows import Rows, whole

# Linear light added to both sides of the ratio, about a network's error in black: the gain of what it sees as black is
# one rather than the ratio of two errors.
DARK = 1e-3
LARGEST = 5.0  # stops; a stronger change of light than 32 times would show noise and rounding, not the scene

Stops = Callable[[slice, NDArray[np.float32]], NDArray[np.float32]]
"""From a band of rows and the picture's pixels in it to its gain in stops, (n, W, C)."""


def log_gain(relit: Tensor, reconstructed: Tensor) -> Tensor:
    """Give log2(relit / reconstructed) in linear light, in stops, limited to +-LARGEST.

    Both are sRGB-encoded pictures of the same decoder, so that what it loses or gets wrong cancels. A reconstruction
    brighter than white is an overshoot, since no photo is; a relit picture may be: its light was not clipped.
    """
    numerator = srgb_to_linear(relit.clamp(min=0)) + DARK
    denominator = srgb_to_linear(reconstructed.clamp(0, 1)) + DARK
    return torch.log2(numerator / denominator).clamp(-LARGEST, LARGEST)


@dataclass(frozen=True)
class Lit:
    """An sRGB-encoded picture (H, W, C), multiplied in linear light by 2^stops; black stays black.

    Where the gain is zero stops the picture comes back to the bit. A clipped pixel is dimmed like its neighbours: how
    much brighter than white it was is not known, and left white it would keep a hole of the old light.
    """

    picture: Rows
    stops: Stops
    once: bool = False  # whether rows can be read only from the top, and once

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return self.picture.shape

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Give rows of it."""
        own = self.picture[rows]
        return multiplied(own, self.stops(rows, own))


def multiplied(own: NDArray[np.float32], stops: NDArray[np.float32]) -> NDArray[np.float32]:
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


def apply_gain(picture: Rows, stops: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Give the whole of a lit picture; `stops` gives a band of rows, (n, W, C)."""
    return whole(Lit(picture, lambda rows, own: stops(rows)))
