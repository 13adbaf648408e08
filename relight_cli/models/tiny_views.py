"""`tiny` on whole pictures of any shape: its maps need no tiles, only sides that are multiples of 16."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.log_light import log_light_change, log_linear, soft_threshold

if TYPE_CHECKING:
    from relight_cli.models.tiny import Tiny


class TinyViews:
    """The light that `tiny` maps in whole pictures; a `WholeViews`.

    Shadows alone: whole views gave no better albedo than tiles.
    """

    mapper_names: Collection[str] = ("shadow",)
    sides: tuple[int, ...] = (320, 160)
    largest: int = 768  # larger views are less like those of the training: scenes come nearest the truth at 512

    def __init__(self, network: "Tiny") -> None:
        self.network = network

    def change(self, mapper: str, pictures: Tensor) -> Tensor:
        """Return the change of log light (N, 3, H, W), natural, float32, of sRGB pictures (N, 3, H, W) in [0, 1]."""
        height, width = pictures.shape[-2:]
        stride = self.network.stride
        padded = F.pad(pictures, (0, -width % stride, 0, -height % stride), mode="replicate")
        guide = log_linear(padded)
        maps, light = self.network.split(*self.network.features(padded, guide))
        shadows, _ = self.network.shading(*maps)
        mapped = self.network.mappers[mapper](maps[2], light).to(light)
        change = self.network.light(*maps, mapped) - self.network.light(*maps, light) - shadows
        return log_light_change(guide, change.float())[..., :height, :width]

    def settled(self, mapper: str, change: Tensor) -> Tensor:
        """Return a change (N, 3, H, W) without what is far below the least change of shadows."""
        return soft_threshold(change)
