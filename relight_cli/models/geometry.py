"""The geometry network: from one picture to disparity, normals and sky, for the whole view at once.

A frozen, pretrained encoder, attention over the whole view, and a pyramid of features (Lin et al. 2017,
https://arxiv.org/abs/1612.03144).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.efficientnet_lite import CHANNELS, STRIDE, EfficientNetLite
from relight_cli.models.padding import pad_to

_HEADS = 4  # of the attention


@dataclass(frozen=True)
class GeometryConfig:
    """The size of the network."""

    width: int = 64  # channels of the pyramid
    sky_width: int = 32  # channels of the pyramid of the sky
    context_width: int = 128  # of tokens that see the whole view, at stride 32
    context_depth: int = 3
    side: int = 384  # longer side of the copy of a photo that gives the best results


class SurfaceMaps(NamedTuple):
    """What the network says of each pixel."""

    disparity: Tensor  # (N, 1, H, W) positive, of any scale; about 0 in the sky
    normals: Tensor  # (N, 3, H, W) unit: x right, y up, z towards the viewer
    sky: Tensor  # (N, 1, H, W) probability


class Fusion(nn.Module):
    """Add a finer map of the encoder, and its places in the view, to the coarser features."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(channels + 2, width, 1)
        self.mix = nn.Sequential(
            nn.GroupNorm(8, width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.ReLU()
        )
        self.out = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, fine: Tensor, coarse: Tensor | None) -> Tensor:
        """Return features (N, width, h, w) of a map (N, C, h, w) and of features of another size."""
        x = self.lateral(torch.cat((fine, view_places(fine)), dim=1))
        if coarse is not None:
            x = x + F.interpolate(coarse, x.shape[-2:], mode="bilinear")
        return x + self.out(self.mix(x))


def view_places(maps: Tensor) -> Tensor:
    """Return the places (N, 2, h, w) of pixels: to the right and down from the middle, in longer half sides."""
    height, width = maps.shape[-2:]
    half = max(height, width) / 2
    x = (torch.arange(width, device=maps.device, dtype=maps.dtype) + 0.5 - width / 2) / half
    y = (torch.arange(height, device=maps.device, dtype=maps.dtype) + 0.5 - height / 2) / half
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width))).expand(len(maps), -1, -1, -1)


class ViewContext(nn.Module):
    """Attention over the whole view, at the encoder's last stride."""

    def __init__(self, config: GeometryConfig) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS[-1] + 2, config.context_width, 1)
        self.rotary = RotaryTable(config.context_width // _HEADS)
        self.blocks = nn.ModuleList(Block(config.context_width, _HEADS, 2) for _ in range(config.context_depth))
        self.norm = nn.LayerNorm(config.context_width, NORM_EPS)
        self.leave = nn.Conv2d(config.context_width, config.width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return features (N, width, h, w) of the encoder's last map (N, C, h, w)."""
        x = self.enter(torch.cat((maps, view_places(maps)), dim=1))
        tokens = x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, self.rotary(x.shape[2], x.shape[3], 0, tokens))
        features: Tensor = self.leave(self.norm(tokens).transpose(1, 2).reshape(x.shape))
        return features


class SkyDecoder(nn.Module):
    """A pyramid of its own for the sky, which is learned from photos too: their geometry is not known."""

    def __init__(self, config: GeometryConfig) -> None:
        super().__init__()
        self.enter = nn.Conv2d(config.width, config.sky_width, 1)
        self.fusions = nn.ModuleList(Fusion(channels, config.sky_width) for channels in CHANNELS)
        self.head = nn.Sequential(
            nn.GroupNorm(8, config.sky_width), nn.ReLU(), nn.Conv2d(config.sky_width, 1, 3, padding=1)
        )

    def forward(self, maps: Sequence[Tensor], context: Tensor) -> Tensor:
        """Return logits of sky (N, 1, h, w) from the encoder's maps and the context of the view (N, width, h, w)."""
        return self.head(_fused(maps, self.enter(context), self.fusions)).float()


class GeometryNetwork(nn.Module):
    """Encoder, pyramid and one head for disparity and normals, and another for the sky, at a quarter of the size."""

    def __init__(self, config: GeometryConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EfficientNetLite()
        self.view = ViewContext(config)
        self.fusions = nn.ModuleList(Fusion(channels, config.width) for channels in CHANNELS)
        self.head = nn.Sequential(nn.GroupNorm(8, config.width), nn.ReLU(), nn.Conv2d(config.width, 4, 3, padding=1))
        self.sky = SkyDecoder(config)

    def forward(self, pictures: Tensor) -> SurfaceMaps:
        """Return the maps of sRGB pictures (N, 3, H, W) in [0, 1], of any size and aspect ratio."""
        height, width = pictures.shape[-2:]
        raw = self.raw_maps(pad_to(pictures, STRIDE))
        raw = F.interpolate(raw, scale_factor=4, mode="bilinear")[..., :height, :width]
        log_disparity, normals, sky = raw.split((1, 3, 1), dim=1)
        return SurfaceMaps(log_disparity.exp(), F.normalize(normals, dim=1), sky.sigmoid())

    def raw_maps(self, pictures: Tensor) -> Tensor:
        """Return log disparity, normals of any length, and logits of sky, (N, 5, H / 4, W / 4).

        The sides of the pictures are multiples of 32.
        """
        maps = self.encoder(pictures)
        context = self.view(maps[-1])
        return torch.cat((decode_surfaces(maps, context, self.fusions, self.head), self.sky(maps, context)), dim=1)


def decode_surfaces(maps: Sequence[Tensor], context: Tensor, fusions: nn.ModuleList, head: nn.Module) -> Tensor:
    """Return log disparity and normals (N, 4, h, w) from the encoder's maps and the context of the view."""
    surfaces: Tensor = head(_fused(maps, context, fusions)).float()
    return surfaces


def _fused(maps: Sequence[Tensor], features: Tensor, fusions: nn.ModuleList) -> Tensor:
    """Return features at the size of the finest of the encoder's maps, which are added from coarse to fine."""
    for fine, fusion in zip(reversed(maps), reversed(fusions), strict=True):
        features = fusion(fine, features)
    return features
