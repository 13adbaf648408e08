"""ComfyUI's tensors to photos and back: IMAGE (B, H, W, C) float, sRGB, 1 = white; MASK (B, H, W) float, 0 to 1."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

import relight_cli as rl


def photos_of(images: Tensor, name: str = "image") -> list[rl.Photo]:
    """Return the images (B, H, W, C) of an input, called `name` in messages, as float photos; C = 4 has alpha.

    Values above 1 stay. Raises UsageError for an empty batch, other shapes, and values that are not finite.
    """
    shape = " x ".join(map(str, images.shape))
    if not images.is_floating_point():
        raise rl.UsageError(f"{name} is a tensor of {images.dtype}: connect images of float values, 1 = white.")
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape[1:]:
        raise rl.UsageError(f"{name} is a tensor of {shape}: connect images of B x H x W x 1, 3 or 4.")
    if not len(images):
        raise rl.UsageError(f"{name} is an empty batch: connect at least one image.")
    _require_finite(images, name)
    samples = images.detach().to("cpu", torch.float32).numpy()
    return [rl.Photo.from_array(one) for one in samples]


def masks_of(masks: Tensor | None, images: Tensor) -> list[np.ndarray | None]:
    """Return a mask (H, W) in [0, 1] for each image of a batch; None where there is none.

    One mask serves a whole batch. Raises UsageError for another size or number, and values that are not finite.
    """
    if masks is None:
        return [None] * len(images)
    masks = masks[None] if masks.ndim == 2 else masks
    size, wanted = tuple(masks.shape[1:]), tuple(images.shape[1:3])
    if masks.ndim != 3 or size != wanted:
        found = f"{size[1]} x {size[0]} pixels" if masks.ndim == 3 else f"a tensor of {masks.ndim} axes"
        raise rl.UsageError(
            f"mask is {found} and image {wanted[1]} x {wanted[0]}: connect a mask of the image's size (Load "
            "Image gives 64 x 64 where a picture has no alpha)."
        )
    _require_finite(masks, "mask")
    samples = masks.detach().to("cpu", torch.float32).clamp(0, 1).numpy()
    return list(one_for_each(list(samples), len(images), "mask"))


def one_for_each(items: Sequence, count: int, name: str) -> Sequence:
    """Return as many items as there are images: one is repeated. Raises UsageError for another number."""
    if len(items) not in (1, count):
        raise rl.UsageError(f"{name} is a batch of {len(items)} and image one of {count}: connect 1 or {count}.")
    return items if len(items) == count else list(items) * count


def images_of(pictures: Sequence[np.ndarray], like: Tensor) -> Tensor:
    """Return pictures (H, W, C) as a batch (B, H, W, C) with the device and the dtype of another."""
    return torch.from_numpy(np.stack(pictures)).to(like)


def grey_images_of(maps: Sequence[np.ndarray], like: Tensor) -> Tensor:
    """Return maps (H, W) as a batch of grey images (B, H, W, 3)."""
    return images_of([np.repeat(one[..., None], 3, axis=2) for one in maps], like)


def _require_finite(values: Tensor, name: str) -> None:
    finite = torch.isfinite(values).flatten(1).all(dim=1)
    if not finite.all():
        number = int((~finite).nonzero()[0, 0]) + 1
        raise rl.UsageError(
            f"{name} {number} of {len(values)} has values that are no finite numbers (NaN or infinity): look at the "
            "node before this one."
        )
