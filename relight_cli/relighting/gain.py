"""A change of light as a gain on the photo's own pixels."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.colour import KNEE, linear_to_srgb, srgb_to_linear
from relight_cli.rasters.rows import LitRows, Raster
from relight_cli.relighting.linear_light import decode_srgb, encode_srgb

# Linear light added to both sides of the ratio, about a network's error in black: where both pictures are black the
# gain is one, not the ratio of two errors.
DARK = 1e-3
LARGEST = 5.0  # stops; a gain above 32 would amplify noise and rounding errors

LogGain = Callable[[slice, NDArray[np.float32]], NDArray[np.float32]]
"""Takes a band of rows and the picture's pixels in it, (n, W, C); returns their gain in stops, (n, W, C)."""


def log_gain(relit: Tensor, reconstructed: Tensor) -> Tensor:
    """Return log2(relit / reconstructed) in linear light, in stops, limited to +-LARGEST.

    Both are sRGB-encoded pictures from the same decoder, so that its errors cancel. The reconstruction is clipped at
    white, because no photo is brighter; the relit picture is not.
    """
    numerator = srgb_to_linear(relit.clamp(min=0)) + DARK
    denominator = srgb_to_linear(reconstructed.clamp(0, 1)) + DARK
    return torch.log2(numerator / denominator).clamp(-LARGEST, LARGEST)


def change_gain(change: Tensor, own: Tensor) -> Tensor:
    """Return the gain in stops, as `log_gain`, of a change of log light, natural, of sRGB pictures in [0, 1]."""
    return log_gain(linear_to_srgb(srgb_to_linear(own) * change.exp()), own)


def apply_log_gain(picture: Raster, gain: LogGain, *, rereadable: bool = True) -> LitRows:
    """Return an sRGB-encoded picture (H, W, C) multiplied in linear light by 2^gain; black stays black.

    Where the gain is zero stops, pixels are unchanged to the bit. A clipped pixel is dimmed like its neighbours: its
    true brightness is unknown, and if it stayed white it would show the old light.
    Without `rereadable`, rows can be read once, from the top.
    """

    def adjust(rows: slice, own: NDArray[np.float32]) -> NDArray[np.float32]:
        return multiply_light(own, gain(rows, own))

    def make(rows: slice) -> NDArray[np.float32]:
        return adjust(rows, picture[rows])

    dtype = np.dtype(np.float32)
    return LitRows(picture.shape, dtype, make, rereadable, source=picture, adjust=adjust, stops=gain)


def multiply_light(own: NDArray[np.float32], stops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply sRGB values by 2^stops in linear light.

    Where value and result are both on the curve ((x + 0.055) / 1.055)^2.4, one exponential is enough: the result is
    (x + 0.055) * 2^(stops / 2.4) - 0.055. Where one is on the linear segment, both transfer curves are needed.
    Infinite values stay.
    Not by torch: this runs in several threads, in each of which torch would start threads of its own.
    """
    lit = stops * np.float32(math.log(2) / 2.4)
    np.exp(lit, out=lit)
    lit -= 1
    raised = own + np.float32(0.055)
    with np.errstate(invalid="ignore"):  # infinity times nothing, mended below
        lit *= raised
        lit += own
    linear = np.minimum(own, lit, out=raised) <= KNEE
    linear &= stops != 0
    at = np.flatnonzero(linear)  # with `take` and `put`, faster than an array of booleans as an index
    if len(at):
        light = decode_srgb(own.take(at)) * np.exp(stops.take(at) * np.float32(math.log(2)))
        np.put(lit, at, encode_srgb(light))
    if not np.isfinite(lit.sum()):
        lit = np.where(np.isinf(own), own, lit)
    return lit
