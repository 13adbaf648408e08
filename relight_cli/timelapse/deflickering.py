"""Deflicker: smooth the illumination latents of a sequence over time."""

import math

import torch
from torch import Tensor


def smoothing_window(number: int, window: int, count: int) -> range:
    """Return the frames over which the light of frame `number` is smoothed."""
    return range(max(0, number - window // 2), min(count, number + window // 2 + 1))


def smooth_illumination(lights: dict[int, Tensor], number: int, window: int) -> Tensor:
    """Return the light of frame `number`, low-passed over `window` frames around it.

    It is the value at the frame of a straight line fitted to the illumination latents (T, 1, C) in `lights`, weighted
    by a raised cosine (local regression, Cleveland 1979). Unlike a mean, this keeps a slow trend at both ends of the
    sequence and where frames are missing, even the frame itself.
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
