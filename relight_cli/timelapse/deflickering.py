"""Light without flicker: what stays of a sequence's illumination latents when fast changes are taken out."""

import math

import torch
from torch import Tensor


def smoothing_window(number: int, window: int, count: int) -> range:
    """Return the frames over which the light of one is smoothed."""
    return range(max(0, number - window // 2), min(count, number + window // 2 + 1))


def smooth_illumination(lights: dict[int, Tensor], number: int, window: int) -> Tensor:
    """Give the light of frame `number`, low-passed over `window` frames around it.

    A straight line through the illumination latents (T, 1, C) of the frames at hand, weighted by a raised cosine, read
    off at the frame (local regression, Cleveland 1979): unlike a mean it keeps a slow trend where the sequence begins
    and ends, or where frames are missing. The frame's own latents need not be among them.
    """
    numbers = sorted(lights)
    offsets = torch.tensor([float(n - number) for n in numbers])
    weights = torch.cos(offsets * (math.pi / (window + 1))).square()
    weights = weights / weights.sum()
    centre = (weights * offsets).sum()
    spread = (weights * (offsets - centre).square()).sum()
    slope = (offsets - centre) / spread if spread > 1e-6 else torch.zeros_like(offsets)
    shares = weights * (1 - centre * slope)
    return torch.stack([share * lights[n] for share, n in zip(shares, numbers, strict=True)]).sum(0)
