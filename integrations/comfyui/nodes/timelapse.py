"""The node Timelapse Between."""

from torch import Tensor

import relight_cli as rl

from . import host, inputs
from .images import images_of, photos_of


class TimelapseBetween:
    """Make frames between the frames of a fixed camera: the light moves, nothing else."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "interpolate"
    DESCRIPTION = "Make frames between the frames of a fixed camera: the light moves on. A batch is the sequence."
    RETURN_TYPES, RETURN_NAMES = ("IMAGE",), ("images",)
    OUTPUT_TOOLTIPS = ("The frames and the new ones between them, in order.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        return {
            "required": {
                "images": inputs.image("A batch of two or more frames of a fixed camera, in order."),
                "model": inputs.model(),
                "between": inputs.whole(3, 0, 1000, "New frames between every two."),
                "mode": inputs.choice(
                    [mode.value for mode in rl.Mode],
                    "auto",
                    "latent: the light moves; image: a cross-fade; auto: what fits.",
                ),
                "ease": inputs.choice(
                    [ease.value for ease in rl.Ease], "linear", "How the light changes from frame to frame."
                ),
                "deflicker": inputs.whole(0, 0, 1000, "Frames over which the light is smoothed, 3 or more; 0: off."),
            }
        }

    def interpolate(
        self, images: Tensor, model: str, between: int, mode: str, ease: str, deflicker: int
    ) -> tuple[Tensor]:
        """Return the sequence."""
        if not between and not deflicker:
            return (images,)
        photos, mode = photos_of(images, "images"), rl.Mode(mode)
        options = rl.TimelapseOptions(mode=mode, ease=rl.Ease(ease), deflicker=deflicker)
        network = None if mode == rl.Mode.IMAGE and not deflicker else host.relighting_model(model)
        progress = host.Progress(len(photos) + (len(photos) - 1) * between)
        frames = []
        for frame in rl.interpolate_timelapse(network, photos, between, options=options):
            frames.append(frame.photo.to_array())
            progress.next_image()
        return (images_of(frames, images),)
