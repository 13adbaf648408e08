"""Keep the disparity of the sky, where refinement adds false geometry (Re-Depth Anything, limitations)."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.depth.refinement import Scene
from relight_cli.relighting.geometry import infinitely_far
from relight_cli.relighting.sky_matte import LEAST_SKY, sky_found

_HALF = 0.5  # share of sky, and of certainty, from which there is sky
FEATHER = 0.01  # standard deviation of the soft border, as a share of the longer side


def keep_sky(scene: Scene, mask: NDArray[np.float32] | None = None) -> Scene:
    """Keep the initial disparity, with soft borders: where it is infinitely far away, or by a mask (H, W) in [0, 1].

    Without a mask the sky that the network tells is infinitely far away, if it is all the sky of the photo.
    """
    if mask is None:
        scene = _with_endless_sky(scene)
        kept = infinitely_far(scene.initial[0].cpu().numpy()).astype(np.float32)
    else:
        kept = np.asarray(cv2.resize(mask, scene.size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    soft = cv2.GaussianBlur(kept, (0, 0), FEATHER * max(scene.size))
    return replace(scene, kept_mask=torch.from_numpy(np.asarray(soft, np.float32)).to(scene.image.device))


@torch.no_grad()
def _with_endless_sky(scene: Scene) -> Scene:
    sky = scene.network.sky(scene.features, scene.size)
    if sky is None:
        return scene
    share, picture = sky[0].cpu().numpy(), scene.image[0].permute(1, 2, 0).cpu().numpy()
    if share.mean() < LEAST_SKY or sky_found(share, picture) < _HALF:
        return scene
    return replace(scene, initial=torch.where(sky > _HALF, 0.0, scene.initial))
