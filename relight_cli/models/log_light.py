"""Log light, in which `tiny` works: of a picture, of an affine change, and a threshold for small changes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import srgb_to_linear

EPS = 2.0**-9  # linear light about six 8-bit steps above black: keeps log light finite, and its noise low in the dark
# Log light (two fifths of a stop) that shadows must remove to count; smaller changes shrink with their cube (coring).
# Compared with a fifth, held-out synthetic shadows are 1.1 dB nearer the truth, held-out views 0.5 dB, and real shots
# 0.2 dB: 0.9 dB nearer outside their shadows, 0.2 dB less near within (weights of step 8,325). Without a threshold,
# dark surfaces are brightened a little.
CORE = 0.4 * math.log(2)


def log_linear(tiles: Tensor) -> Tensor:
    """Return g = log(linear light + EPS) of sRGB-encoded tiles."""
    return torch.log(srgb_to_linear(tiles.float()) + EPS)


def soft_threshold(log_light: Tensor) -> Tensor:
    """Shrink a change of log light towards zero: hardly if it is above `CORE`, almost to zero if far below."""
    squared = log_light.square()
    return log_light * (squared / (squared + CORE**2))


def log_light_change(guide: Tensor, coefficients: Tensor) -> Tensor:
    """Return the change of log light: local affine coefficients (T, 6, S/4, S/4) applied to the guide (T, 3, S, S)."""
    a, b = F.interpolate(coefficients, size=guide.shape[2:], mode="bilinear").chunk(2, dim=1)
    return a * guide + b
