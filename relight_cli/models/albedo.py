"""The albedo network: it refines, for the whole view at once, the albedo that `tiny` finds (intrinsic decomposition).

`tiny` has learned from pairs of pictures where light ends and shadows begin; a frozen encoder, pretrained on photos,
knows what things are. Both meet here, with attention over the whole view at stride 16, and a pyramid down to stride 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.efficientnet_lite import CHANNELS, STRIDE, EfficientNetLite
from relight_cli.models.geometry import view_places
from relight_cli.models.tiny_layers import COEFFICIENTS, ConvBlock, Maps

_STRIDES = (4, 8, 16)


@dataclass(frozen=True)
class AlbedoConfig:
    """The size of the network."""

    known: tuple[int, int, int] = (48, 96, 192)  # channels of the maps of `tiny` at strides 4, 8 and 16
    widths: tuple[int, int, int] = (48, 96, 192)  # of its own
    depths: tuple[int, int, int] = (2, 2, 1)  # convolution blocks at each stride
    heads: int = 6
    attention_depth: int = 4


class AlbedoNetwork(nn.Module):
    """Encoder and decoder. The encoder is that of the geometry network; files hold the decoder alone."""

    stride = STRIDE

    def __init__(self, config: AlbedoConfig, encoder: EfficientNetLite) -> None:
        super().__init__()
        self.config, self.encoder, self.decoder = config, encoder, AlbedoDecoder(config)

    def forward(self, pictures: Tensor, guide: Tensor, maps: Maps, found: Tensor) -> Tensor:
        """Return coefficients (N, 6, H / 4, W / 4), float32, of the change of log light from pictures to their albedo.

        The sRGB pictures (N, 3, H, W) are in [0, 1], H and W multiples of `stride`; `guide` is their log. Maps and
        found coefficients are those of `tiny` for these pictures. The scale of an albedo is not known.
        """
        seen = self.encoder(pictures.to(self.encoder.stem.conv.weight))
        return found.float() + self.decoder(seen, guide, maps, found).float()


class AlbedoDecoder(nn.Module):
    """From maps of the encoder and of `tiny` to what its coefficients lack."""

    def __init__(self, config: AlbedoConfig) -> None:
        super().__init__()
        w4, w8, w16 = config.widths
        k4, k8, k16 = config.known
        c4, c8, c16, c32 = CHANNELS
        self.enter4 = nn.Conv2d(c4 + k4 + COEFFICIENTS[0] + 3, w4, 1)
        self.enter8 = nn.Conv2d(c8 + k8 + 3, w8, 1)
        self.enter16 = nn.Conv2d(c16 + c32 + k16 + 5, w16, 1)
        self.rotary = RotaryTable(w16 // config.heads)
        self.attention = nn.ModuleList(Block(w16, config.heads, 2) for _ in range(config.attention_depth))
        self.norm = nn.LayerNorm(w16, NORM_EPS)
        self.blocks4, self.blocks8, self.blocks16 = (
            nn.Sequential(*(ConvBlock(width) for _ in range(depth)))
            for width, depth in zip(config.widths, config.depths, strict=True)
        )
        self.up8 = nn.Conv2d(w16, w8, 1)
        self.up4 = nn.Conv2d(w8, w4, 1)
        self.leave = nn.Conv2d(w4, COEFFICIENTS[0], 3, padding=1)
        nn.init.zeros_(self.leave.weight)  # training starts at the albedo that `tiny` finds

    def forward(self, seen: Sequence[Tensor], guide: Tensor, maps: Maps, found: Tensor) -> Tensor:
        """Return coefficients (N, 6, H / 4, W / 4) to add to those found.

        `seen` are the encoder's maps at strides 4 to 32; the others are as in `AlbedoNetwork`.
        """
        s4, s8, s16, s32 = seen
        g4, g8, g16 = (F.avg_pool2d(guide, stride) / 3 + 0.7 for stride in _STRIDES)
        s32 = F.interpolate(s32, s16.shape[-2:], mode="bilinear")
        x = self.enter16(_joined(s16, s32, maps[2], g16, view_places(g16), like=s16))
        tokens = x.flatten(2).transpose(1, 2)
        for block in self.attention:
            tokens = block(tokens, self.rotary(x.shape[2], x.shape[3], 0, tokens))
        x = self.blocks16(x + self.norm(tokens).transpose(1, 2).reshape(x.shape))
        x = _doubled(self.up8(x)) + self.enter8(_joined(s8, maps[1], g8, like=s8))
        x = _doubled(self.up4(self.blocks8(x))) + self.enter4(_joined(s4, maps[0], found, g4, like=s4))
        return self.leave(self.blocks4(x))


def _joined(*maps: Tensor, like: Tensor) -> Tensor:
    return torch.cat([m.to(like) for m in maps], dim=1)


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear")
