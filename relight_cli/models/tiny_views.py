"""`tiny` on whole pictures of any shape: its maps need no tiles, only sides that are multiples of 16."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.log_light import EPS, log_light_change, log_linear, soft_threshold

if TYPE_CHECKING:
    from relight_cli.models.albedo import AlbedoNetwork
    from relight_cli.models.tiny import Tiny


class TinyViews:
    """The light that `tiny` maps in whole pictures; a `WholeViews`.

    Albedo needs the albedo network: alone, `tiny` found no better albedo in whole views than tile by tile.
    """

    sides: tuple[int, ...] = (320, 160)
    largest: int = 768  # larger views are less like those of the training: scenes come nearest the truth at 512

    def __init__(self, network: "Tiny", albedo: "AlbedoNetwork | None") -> None:
        self.network, self.albedo = network, albedo
        self.mapper_names: Collection[str] = (SHADOW, ALBEDO) if albedo else (SHADOW,)

    def change(self, mapper: str, pictures: Tensor, lit: Tensor | None = None) -> Tensor:
        """Return the change of log light (N, 3, H, W), natural, float32, of sRGB pictures (N, 3, H, W) in [0, 1].

        For albedo, `lit` are the pictures without their cast shadows; by default as one look at them tells.
        """
        height, width = pictures.shape[-2:]
        stride = self.albedo.stride if self.albedo and mapper == ALBEDO else self.network.stride
        padded = pad_to(pictures, stride)
        guide = log_linear(padded)
        maps, light = self.network.split(*self.network.features(padded, guide))
        shadows, rest = self.network.shading(*maps)

        def mapped(name: str) -> Tensor:
            target = self.network.mappers[name](maps[2], light).to(light)
            return self.network.light(*maps, target) - self.network.light(*maps, light) - shadows

        if mapper == SHADOW:
            return log_light_change(guide, mapped(SHADOW).float())[..., :height, :width]
        assert self.albedo is not None
        if lit is None:
            without = soft_threshold(log_light_change(guide, mapped(SHADOW).float()))
            without = linear_to_srgb((guide.exp() - EPS) * without.exp()).clamp(0, 1)
        else:
            without = pad_to(lit, stride)
        return self.albedo(padded, guide, maps, mapped(ALBEDO) - rest, without)[..., :height, :width]

    def settled(self, change: Tensor) -> Tensor:
        """Return a change (N, 3, H, W) that removes shadows without what is far below the least of theirs."""
        return soft_threshold(change)


def pad_to(pictures: Tensor, stride: int) -> Tensor:
    """Repeat the last column and row of pictures (N, 3, H, W) until both sides are multiples of a stride."""
    height, width = pictures.shape[-2:]
    return F.pad(pictures, (0, -width % stride, 0, -height % stride), mode="replicate")
