"""The node Relight."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

import relight_cli as rl

from . import host, inputs
from .images import images_of, masks_of, one_for_each, photos_of

Report = Callable[[int, int], None]
Change = Callable[[int, rl.Photo, np.ndarray | None, Report], rl.Photo]
"""Takes the number of an image in its batch, the image, its mask and the progress; returns the relit image."""

AUTO, OF_IMAGE, OF_LIGHT = "auto", "of the image", "of the light"


class Relight:
    """Put the light of a reference, or a Light, on images."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "relight"
    DESCRIPTION = (
        "Put the light of a reference, or of the node Light, on images. Their pixels stay: nothing is redrawn."
    )
    RETURN_TYPES, RETURN_NAMES = ("IMAGE",), ("image",)
    OUTPUT_TOOLTIPS = ("The image in the new light, of the same size.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        return {
            "required": {
                "image": inputs.image("The images to relight."),
                "model": inputs.model(),
                "strength": inputs.strength(),
                "reference_shows": inputs.choice(
                    [kind.value for kind in rl.ReferenceKind],
                    "auto",
                    "What a reference shows: the same view (aligned), a little moved, another scene; auto finds out. "
                    "latents: the published method alone.",
                ),
                "brightness": inputs.choice(
                    [AUTO, OF_IMAGE, OF_LIGHT],
                    AUTO,
                    "Of a Light, and of a reference of another scene. auto: that of the image with a Light, that of "
                    "the reference with a reference.",
                ),
                "exposure": inputs.number(0.0, -10, 10, 0.1, "Stops, in addition; like brightness."),
                "rotate": inputs.number(0.0, -360, 360, 1, "Degrees from the front to the right; like brightness."),
            },
            "optional": {
                "reference": inputs.image("One reference, or one for each image. Connect this or light."),
                "light": (inputs.LIGHT, {"tooltip": "A light of the node Light. Connect this or reference."}),
                "mask": inputs.mask(),
            },
        }

    def relight(
        self,
        image: Tensor,
        model: str,
        strength: float,
        reference_shows: str,
        brightness: str,
        exposure: float,
        rotate: float,
        reference: Tensor | None = None,
        light: rl.Light | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor]:
        """Return the relit images."""
        if (reference is None) == (light is None):
            both = "both are connected" if light else "neither is connected"
            raise rl.UsageError(f"Relight takes a reference or a light, and {both}: connect one of them.")
        if strength == 0:
            return (image,)
        photos, masks = photos_of(image), masks_of(mask, image)
        if light is not None:
            put = rl.PutOnOptions(strength=strength, keep_exposure=brightness != OF_LIGHT, exposure=exposure)
            change = _by_light(host.relighting_model(model), light.turned(rotate), put)
        else:
            options = rl.RelightOptions(
                strength=strength,
                reference=rl.ReferenceKind(reference_shows),
                keep_exposure=brightness == OF_IMAGE,
                exposure=exposure,
                rotate=rotate,
            )
            lights = [rl.ReferenceLight(photo) for photo in photos_of(reference, "reference")]
            lights = one_for_each(lights, len(photos), "reference")
            change = _by_reference(host.relighting_model(model), lights, options)
        progress, relit = host.Progress(len(photos)), []
        for number, (photo, allowed) in enumerate(zip(photos, masks, strict=True)):
            relit.append(change(number, photo, allowed, progress.report).to_array())
            progress.next_image()
        return (images_of(relit, image),)


def _by_light(model: rl.Model, light: rl.Light, options: rl.PutOnOptions) -> Change:
    def change(number: int, photo: rl.Photo, mask: np.ndarray | None, report: Report) -> rl.Photo:
        return rl.put_on(model, photo, light, _geometry_of(photo), mask, options, report).photo

    return change


def _by_reference(model: rl.Model, lights: Sequence[rl.ReferenceLight], options: rl.RelightOptions) -> Change:
    def change(number: int, photo: rl.Photo, mask: np.ndarray | None, report: Report) -> rl.Photo:
        return rl.relight(model, photo, lights[number], options, report, mask, host.log, _geometry_of).photo

    return change


def _geometry_of(photo: rl.Photo) -> Callable:
    """Return the function from a working copy of a photo to its surfaces."""
    on = host.device()
    return rl.geometry_of_photo(photo, host.geometry_network(on), device=on)
