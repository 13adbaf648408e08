"""The node Refine Depth."""

import numpy as np
import torch
from torch import Tensor

import relight_cli as rl

from . import host, inputs
from .images import grey_images_of, images_of, photos_of


class RefineDepth:
    """Estimate the depth of images and refine it until they look plausible when they are lit on it."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "refine"
    DESCRIPTION = "Estimate depth and refine it for each image. Made for a GPU; with steps 0 nothing is refined."
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "IMAGE"), ("depth", "normals")
    OUTPUT_TOOLTIPS = (
        "Disparity from 0 (the farthest) to 1 (the nearest), grey.",
        "Normals as colours: x right, y up, z towards the viewer, each 0 to 1.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        defaults = rl.DepthOptions()
        return {
            "required": {
                "image": inputs.image("The images whose depth is estimated."),
                "depth_model": inputs.choice(
                    ["small", "base", "large", "tiny"],
                    "small",
                    "Depth Anything V2 by size, or tiny, the network in the package. base and large are for "
                    "non-commercial use.",
                ),
                "steps": inputs.whole(defaults.steps, 0, 10000, "Steps of a run; 0: the network's own depth."),
                "ensemble": inputs.whole(3, 1, 100, "Runs whose mean is the result."),
                "seed": inputs.whole(defaults.seed, 0, 2**32 - 1, "The same seed gives the same depth."),
                "prompt": inputs.text(defaults.prompt, "What the image shows."),
                "fast": inputs.switch(False, "Use the small encoder TAESD: faster, a little less exact."),
            }
        }

    def refine(
        self, image: Tensor, depth_model: str, steps: int, ensemble: int, seed: int, prompt: str, fast: bool
    ) -> tuple[Tensor, Tensor]:
        """Return disparity and normals."""
        photos, options = photos_of(image), rl.DepthOptions(ensemble=ensemble, steps=steps, seed=seed, prompt=prompt)
        model = host.depth_model(depth_model, fast, refined=steps > 0)
        progress, depths, normals = host.Progress(len(photos)), [], []
        for photo in photos:
            with torch.inference_mode(False), torch.enable_grad():  # refinement needs gradients
                refined = rl.refine_depth(model, photo, options, progress=progress.report)
            depths.append(_between_0_and_1(refined.disparity))
            normals.append((refined.normals + 1) / 2)
            progress.next_image()
        return grey_images_of(depths, image), images_of(normals, image)


def _between_0_and_1(disparity: np.ndarray) -> np.ndarray:
    low, high = disparity.min(), disparity.max()
    return (disparity - low) / max(high - low, np.float32(1e-12))
