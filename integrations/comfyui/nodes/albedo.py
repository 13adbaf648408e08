"""The node Albedo."""

import numpy as np
import torch
from torch import Tensor

import relight_cli as rl
from relight_cli.models.colour import linear_to_srgb

from . import host, inputs
from .images import images_of, masks_of, photos_of


class Albedo:
    """Split images into the colour of their surfaces and the light on them."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "albedo"
    DESCRIPTION = "Split images into the colour of their surfaces (albedo) and the light on them (shading)."
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "IMAGE"), ("albedo", "shading")
    OUTPUT_TOOLTIPS = (
        "The colour of the surfaces without light. Its scale is not known.",
        "The light, sRGB-encoded like every image: albedo x shading = image, all three in linear light.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        return {
            "required": {
                "image": inputs.image("The images to split."),
                "model": inputs.model(),
                "strength": inputs.strength(),
                "fit_shading": inputs.switch(True, "Expose the albedo so that its shading fits into 0 to 1."),
            },
            "optional": {"mask": inputs.mask()},
        }

    def albedo(
        self, image: Tensor, model: str, strength: float, fit_shading: bool, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return albedo and shading."""
        if strength == 0:
            return image, torch.ones_like(image)
        photos, masks = photos_of(image), masks_of(mask, image)
        network, progress = host.relighting_model(model), host.Progress(len(photos))
        options = rl.AlbedoOptions(strength=strength, fit_shading=fit_shading)
        surfaces, lights = [], []
        for photo, allowed in zip(photos, masks, strict=True):
            result = rl.albedo(network, photo, allowed, options, progress.report)
            surfaces.append(result.photo.to_array())
            light = linear_to_srgb(torch.from_numpy(result.shading.to_array())).numpy()
            lights.append(light if photo.alpha is None else np.dstack((light, photo.alpha)))
            progress.next_image()
        return images_of(surfaces, image), images_of(lights, image)
