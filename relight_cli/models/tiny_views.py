"""`tiny` on whole pictures of any shape: its maps need no tiles, only sides that are multiples of 16."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.log_light import EPS, log_light_change, log_linear, soft_threshold
from relight_cli.models.padding import pad_to
from relight_cli.models.tiny_layers import Maps

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
        if mapper == SHADOW:
            change = mapped_change(self.network, SHADOW, maps, light)
            return log_light_change(guide, change.float())[..., :height, :width]
        assert self.albedo is not None
        if lit is None:
            shadows = log_light_change(guide, mapped_change(self.network, SHADOW, maps, light).float())
            without = linear_to_srgb((guide.exp() - EPS) * soft_threshold(shadows).exp()).clamp(0, 1)
        else:
            without = pad_to(lit, stride)
        found = mapped_change(self.network, ALBEDO, maps, light)
        return self.albedo(padded, guide, maps, found, without)[..., :height, :width]

    def settled(self, change: Tensor) -> Tensor:
        """Return a change (N, 3, H, W) that removes shadows without what is far below the least of theirs."""
        return soft_threshold(change)


def mapped_change(network: "Tiny", mapper: str, maps: Maps, light: Tensor) -> Tensor:
    """Return coefficients (N, 6, H / 4, W / 4) of the change from the own light (N, 1, L) of pictures to mapped light.

    `maps` are what `Tiny.split` returns with the light. Shadows are taken off, for albedo the rest of the shading too.
    """
    shadows, rest = network.shading(*maps)
    mapped = network.mappers[mapper](maps[2], light).to(light)
    change = network.light(*maps, mapped) - network.light(*maps, light) - shadows
    return change - rest if mapper == ALBEDO else change
