"""Distances of interpolated frames that count most where they move otherwise than the truth (Danier et al. 2022)."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.evaluation.protocol import Picture

Flow = NDArray[np.float32]  # (H, W, 2), pixels
DistanceMap = NDArray[np.floating]  # (h, w)


def dis_flow(first: Picture, second: Picture) -> Flow:
    """Return the optical flow from one frame to another by dense inverse search (Kroeger et al. 2016)."""
    grey = [cv2.cvtColor(np.rint(x * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for x in (first, second)]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(*grey, None)


def flow_weighted(distances: Sequence[DistanceMap], difference: Flow) -> float:
    """Return the sum over levels of the weighted mean of distance maps (FloLPIPS, section III).

    `difference` is the truth's flow less that of the made frame. At each level it is resized bilinearly; its length,
    divided by its sum, weighs the distances. Where the flows are equal everywhere, every place weighs the same.
    """
    total = 0.0
    for distance in distances:
        size = distance.shape[::-1]
        length = np.linalg.norm(cv2.resize(difference, size, interpolation=cv2.INTER_LINEAR), axis=2)
        weights = length if length.sum() > 0 else np.ones_like(length)
        total += float((distance * weights).sum() / weights.sum())
    return total
