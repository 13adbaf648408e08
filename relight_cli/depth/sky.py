"""What is infinitely far: there refinement grows geometry that is not (Re-Depth Anything, limitations)."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.depth.refinement import Scene

FAR = 0.01  # share of the near disparity below which a pixel counts as infinitely far
FEATHER = 0.01  # standard deviation of the soft border, in longer sides


def infinitely_far(disparity: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell where a network's disparity (h, w) says so; a picture without depth has no such place."""
    return disparity < FAR * np.percentile(disparity, 99)


def keep_sky(scene: Scene, mask: NDArray[np.float32] | None = None) -> Scene:
    """Keep the initial disparity where it is infinitely far, or where a mask (H, W) of 0 to 1 says; softly."""
    if mask is None:
        kept = infinitely_far(scene.initial[0].cpu().numpy()).astype(np.float32)
    else:
        kept = np.asarray(cv2.resize(mask, scene.size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    soft = cv2.GaussianBlur(kept, (0, 0), FEATHER * max(scene.size))
    return replace(scene, kept_mask=torch.from_numpy(np.asarray(soft, np.float32)).to(scene.image.device))
