"""`tiny` on whole pictures of any shape: its maps need no tiles, only sides that are multiples of 16."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.depth_anything import network_size, resize_picture
from relight_cli.models.efficientnet_lite import STRIDE
from relight_cli.models.interface import ALBEDO, SHADOW, TileBlock
from relight_cli.models.log_light import EPS, log_light_change, log_linear, soft_threshold
from relight_cli.models.padding import pad_to
from relight_cli.models.tiny_windows import relit_change, see_tiles

if TYPE_CHECKING:
    from relight_cli.models.albedo import AlbedoNetwork
    from relight_cli.models.geometry import GeometryNetwork
    from relight_cli.models.tiny import Tiny


class TinyViews:
    """The light that `tiny` maps in whole pictures; a `WholeViews`.

    Albedo needs the albedo network: alone, `tiny` found no better albedo in whole views than tile by tile. The sky
    needs the geometry network: without it, shadows are looked for there too.
    """

    sides: tuple[int, ...] = (320, 160)
    largest: int = 768  # larger views are less like those of the training: scenes come nearest the truth at 512

    def __init__(
        self, network: "Tiny", albedo: "AlbedoNetwork | None", surfaces: "GeometryNetwork | None" = None
    ) -> None:
        self.network, self.albedo, self.surfaces, self.stride = network, albedo, surfaces, network.stride
        self.mapper_names: Collection[str] = (SHADOW, ALBEDO) if albedo else (SHADOW,)

    def look(self, mapper: str, pictures: Tensor) -> "TinyView":
        """Look at sRGB pictures (N, 3, H, W) in [0, 1] of any size, for a mapper."""
        return TinyView(self.network, pictures, self.albedo if mapper == ALBEDO else None)

    def sky(self, pictures: Tensor) -> Tensor:
        """Return where sRGB pictures (N, 3, H, W) in [0, 1] surely show the sky, (N, 1, H, W), 0 to 1."""
        if self.surfaces is None:
            return pictures.new_zeros(len(pictures), 1, *pictures.shape[2:])
        size = network_size(pictures.shape[2], pictures.shape[3], self.surfaces.config.side, STRIDE)
        resized = resize_picture(pictures, size).to(next(self.surfaces.parameters()))
        probability = self.surfaces(resized).sky.float()
        return F.interpolate((2 * probability - 1).clamp(min=0), pictures.shape[2:], mode="bilinear")

    def see_tiles(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return the intrinsic maps of sRGB tiles (T, 3, S, S) in [0, 1] and their illumination latents (T, 1, L)."""
        return see_tiles(self.network, tiles)

    def relit(self, window: Tensor, tiles: TileBlock, wanted: Tensor) -> Tensor:
        """Return the change of log light (1, 3, H, W) of an sRGB window (1, 3, H, W) to light wanted of its tiles."""
        return relit_change(self.network, window, tiles, wanted)

    def settled(self, change: Tensor) -> Tensor:
        """Return a change (N, 3, H, W) that removes shadows without what is far below the least of theirs."""
        return soft_threshold(change)


class TinyView:
    """Whole pictures as `tiny` sees them; a `View`. Maps, light and shading are found once for all mappers."""

    def __init__(self, network: "Tiny", pictures: Tensor, albedo: "AlbedoNetwork | None" = None) -> None:
        """Look at sRGB pictures (N, 3, H, W) in [0, 1]; without the albedo network, albedo cannot be found."""
        self.network, self.albedo, self.size = network, albedo, pictures.shape[-2:]
        self.stride = albedo.stride if albedo else network.stride
        self.padded = pad_to(pictures, self.stride)
        self.guide = log_linear(self.padded)
        self.maps, self.light = network.split(*network.features(self.padded, self.guide))
        self.shadows, self.rest = network.shading(*self.maps)
        self.own = network.light(*self.maps, self.light)

    def change(self, mapper: str, lit: Tensor | None = None) -> Tensor:
        """Return the change of log light (N, 3, H, W), natural, float32, to mapped light.

        For albedo, `lit` are the pictures without their cast shadows; by default as this look at them tells.
        """
        height, width = self.size
        if mapper == SHADOW:
            return self._without_shadows()[..., :height, :width]
        assert self.albedo is not None
        if lit is None:
            without = (self.guide.exp() - EPS) * soft_threshold(self._without_shadows()).exp()
            padded = linear_to_srgb(without).clamp(0, 1)
        else:
            padded = pad_to(lit, self.stride)
        found = self.coefficients(ALBEDO)
        return self.albedo(self.padded, self.guide, self.maps, found, padded)[..., :height, :width]

    def coefficients(self, mapper: str) -> Tensor:
        """Return coefficients (N, 6, H / 4, W / 4) of the change that `tiny` alone finds, of the padded pictures.

        Shadows are taken off, for albedo the rest of the shading too.
        """
        mapped = self.network.mappers[mapper](self.maps[2], self.light).to(self.light)
        change = self.network.light(*self.maps, mapped) - self.own - self.shadows
        return change - self.rest if mapper == ALBEDO else change

    def _without_shadows(self) -> Tensor:
        return log_light_change(self.guide, self.coefficients(SHADOW).float())
