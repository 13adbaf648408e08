"""Log light, in which `tiny` works: of a picture, of an affine change, and the threshold below which that is none."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import srgb_to_linear

EPS = 2.0**-9  # linear light about six 8-bit steps above black: keeps log light finite, and calm in the dark
# Log light (two fifths of a stop) that shadows have to take to count as such: what takes less goes as the cube
# (coring). Against a fifth, held-out made shadows come out 1.1 dB nearer the truth and held-out views 0.5; real shots
# 0.2 dB, 0.9 outside their shadows and 0.2 less within (with the weights of step 8,325). Without it, what is merely
# dark is brightened a little.
CORE = 0.4 * math.log(2)


def log_linear(tiles: Tensor) -> Tensor:
    """Give g = log(linear light + EPS) of sRGB-encoded tiles."""
    return torch.log(srgb_to_linear(tiles.float()) + EPS)


def soft_threshold(log_light: Tensor) -> Tensor:
    """Shrink a change of log light towards zero: hardly where it is more than `CORE`, to nothing where far less."""
    squared = log_light.square()
    return log_light * (squared / (squared + CORE**2))


def log_gain(guide: Tensor, coefficients: Tensor) -> Tensor:
    """Apply local affine coefficients (T, 6, S/4, S/4) to the guide (T, 3, S, S): the change of log light."""
    a, b = F.interpolate(coefficients, size=guide.shape[2:], mode="bilinear").chunk(2, dim=1)
    return a * guide + b
