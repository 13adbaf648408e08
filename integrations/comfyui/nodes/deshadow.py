"""The node Deshadow."""

import numpy as np
from torch import Tensor

import relight_cli as rl

from . import host, inputs
from .images import images_of, masks_of, photos_of

OWN = -1.0  # as a threshold: the network's


class Deshadow:
    """Remove cast shadows from images, and show where they are."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "deshadow"
    DESCRIPTION = "Remove cast shadows from images, and show where they are."
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "MASK"), ("image", "shadow_mask")
    OUTPUT_TOOLTIPS = (
        "The image without the shadows.",
        "1 in the shadows, 0 in the light, along the edges of the image; strength has no part in it.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        return {
            "required": {
                "image": inputs.image("The images to remove shadows from."),
                "model": inputs.model(),
                "strength": inputs.strength(),
                "threshold": inputs.number(
                    OWN, OWN, 1, 0.05, "Shadows less probable than this stay, 0 to 1; -1: the network's own threshold."
                ),
            },
            "optional": {"mask": inputs.mask()},
        }

    def deshadow(
        self, image: Tensor, model: str, strength: float, threshold: float, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the images without shadows, and the masks (B, H, W) of the shadows."""
        photos, masks = photos_of(image), masks_of(mask, image)
        network, progress = host.relighting_model(model), host.Progress(2 * len(photos))
        options = rl.DeshadowOptions(strength=strength, threshold=None if threshold < 0 else threshold)
        free, shadows = [], []
        for photo, allowed in zip(photos, masks, strict=True):
            shadow = rl.shadow_mask(network, photo, allowed, options, progress.report).photo
            shadows.append(shadow.to_array()[..., 0] / np.float32(np.iinfo(shadow.pixels.dtype).max))
            progress.next_image()
            if strength:
                free.append(rl.deshadow(network, photo, allowed, options, progress.report).photo.to_array())
            progress.next_image()
        return images_of(free, image) if strength else image, images_of(shadows, image)
