"""`tiny` on whole pictures of any shape: its maps need no tiles, only sides that are multiples of 16."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.log_light import log_light_change, log_linear, soft_threshold

if TYPE_CHECKING:
    from relight_cli.models.albedo import AlbedoNetwork
    from relight_cli.models.tiny import Tiny

# Larger views are less like those of the training: for shadows scenes come nearest the truth at 512.
_SHADOW_SIDES, _ALBEDO_SIDES = (768, 320, 160), (512,)


class TinyViews:
    """The light that `tiny` maps in whole pictures; a `WholeViews`.

    Albedo needs the albedo network: alone, `tiny` found no better albedo in whole views than tile by tile.
    """

    def __init__(self, network: "Tiny", albedo: "AlbedoNetwork | None") -> None:
        self.network, self.albedo = network, albedo
        self.mapper_names: Collection[str] = (SHADOW, ALBEDO) if albedo else (SHADOW,)

    def sides(self, mapper: str) -> tuple[int, ...]:
        """Return longer sides of copies of a picture, the largest first."""
        return _SHADOW_SIDES if mapper == SHADOW else _ALBEDO_SIDES

    def change(self, mapper: str, pictures: Tensor) -> Tensor:
        """Return the change of log light (N, 3, H, W), natural, float32, of sRGB pictures (N, 3, H, W) in [0, 1]."""
        height, width = pictures.shape[-2:]
        stride = self.network.stride if self.albedo is None or mapper == SHADOW else self.albedo.stride
        padded = F.pad(pictures, (0, -width % stride, 0, -height % stride), mode="replicate")
        guide = log_linear(padded)
        maps, light = self.network.split(*self.network.features(padded, guide))
        mapped = self.network.mappers[mapper](maps[2], light).to(light)
        shadows, rest = self.network.shading(*maps)
        change = self.network.light(*maps, mapped) - self.network.light(*maps, light) - shadows
        if mapper == ALBEDO:
            assert self.albedo is not None
            change = self.albedo(padded, guide, maps, change - rest)
        return log_light_change(guide, change.float())[..., :height, :width]

    def settled(self, mapper: str, change: Tensor) -> Tensor:
        """Return a change (N, 3, H, W), of shadows without what is far below the least change of shadows."""
        return soft_threshold(change) if mapper == SHADOW else change
