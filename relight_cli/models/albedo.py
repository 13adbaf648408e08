"""The albedo network: the albedo of a picture (intrinsic decomposition), for the whole view at once.

`tiny` has learned from pairs of pictures where light ends and shadows begin; a frozen encoder, pretrained on photos,
knows what things are. One decoder sees both and refines what `tiny` finds. Another sees the encoder's maps alone, of
the picture without its cast shadows. They err in different places, so the mean of the two is used, more of the latter
where a shadow was. Both have attention over the whole view at stride 16.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.efficientnet_lite import CHANNELS, STRIDE, EfficientNetLite
from relight_cli.models.geometry import view_places
from relight_cli.models.log_light import log_light_change, log_linear
from relight_cli.models.tiny_layers import COEFFICIENTS, ConvBlock, Maps

_STRIDES = (4, 8, 16)
SHADOWED = 0.5 * math.log(2)  # log light that a shadow takes, from which on it counts in full
LIT, SHADED = 0.5, 0.75  # share of the decoder that sees the picture without shadows, in light and where they were


@dataclass(frozen=True)
class AlbedoConfig:
    """The size of the decoders."""

    known: tuple[int, int, int] = (48, 96, 192)  # channels of the maps of `tiny` at strides 4, 8 and 16
    widths: tuple[int, int, int] = (48, 96, 192)  # of their own
    depths: tuple[int, int, int] = (2, 2, 1)  # convolution blocks at each stride
    heads: int = 6
    attention_depth: int = 4


class AlbedoNetwork(nn.Module):
    """The encoder and two decoders. The encoder is that of the geometry network; files hold the decoders."""

    stride = STRIDE

    def __init__(self, config: AlbedoConfig, encoder: EfficientNetLite) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        k4, k8, k16 = config.known
        self.refining = AlbedoDecoder(config, (k4 + COEFFICIENTS[0], k8, k16))
        self.alone = AlbedoDecoder(config, (0, 0, 0))

    def forward(self, pictures: Tensor, guide: Tensor, maps: Maps, found: Tensor, lit: Tensor) -> Tensor:
        """Return the change of log light (N, 3, H, W), natural, float32, from pictures to their albedo.

        The sRGB pictures (N, 3, H, W) are in [0, 1], H and W multiples of `stride`; `guide` is their log. Maps and
        found coefficients are those of `tiny` for these pictures, `lit` are the same without their cast shadows. The
        scale of an albedo is not known.
        """
        refined = log_light_change(guide, self.refined(self.encode(pictures), guide, maps, found))
        other = log_linear(lit)
        lifted = (other - guide).mean(dim=1, keepdim=True)
        alone = other - guide + log_light_change(other, self.alone(self.encode(lit), other).float())
        outside = (lifted.abs() < SHADOWED / 4).float() + 1e-3  # the levels of both are free
        apart = ((refined - alone) * outside).mean((1, 2, 3), keepdim=True) / outside.mean((1, 2, 3), keepdim=True)
        return torch.lerp(refined, alone + apart, LIT + (SHADED - LIT) * (lifted / SHADOWED).clamp(0, 1))

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """Return the encoder's maps at strides 4 to 32."""
        maps: list[Tensor] = self.encoder(pictures.to(self.encoder.stem.conv.weight))
        return maps

    def refined(self, seen: Sequence[Tensor], guide: Tensor, maps: Maps, found: Tensor) -> Tensor:
        """Return the coefficients of the decoder that refines what `tiny` finds; see `forward`."""
        f4, f8, f16 = maps
        return found.float() + self.refining(seen, guide, (torch.cat((f4, found), dim=1), f8, f16)).float()


class AlbedoDecoder(nn.Module):
    """From maps of the encoder, and others that are known, to coefficients of a change of log light."""

    def __init__(self, config: AlbedoConfig, known: tuple[int, int, int]) -> None:
        super().__init__()
        w4, w8, w16 = config.widths
        k4, k8, k16 = known
        c4, c8, c16, c32 = CHANNELS
        self.enter4 = nn.Conv2d(c4 + k4 + 3, w4, 1)
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
        nn.init.zeros_(self.leave.weight)  # training starts at no change, or at the albedo that `tiny` finds

    def forward(self, seen: Sequence[Tensor], guide: Tensor, known: Sequence[Tensor] = ()) -> Tensor:
        """Return coefficients (N, 6, H / 4, W / 4) from the encoder's maps at strides 4 to 32.

        `guide` is the log of the pictures (N, 3, H, W), `known` are maps at strides 4, 8 and 16, or none.
        """
        s4, s8, s16, s32 = seen
        g4, g8, g16 = (F.avg_pool2d(guide, stride) / 3 + 0.7 for stride in _STRIDES)
        k4, k8, k16 = ((one,) for one in known) if known else ((), (), ())
        s32 = F.interpolate(s32, s16.shape[-2:], mode="bilinear")
        x = self.enter16(_joined(s16, s32, *k16, g16, view_places(g16), like=s16))
        tokens = x.flatten(2).transpose(1, 2)
        for block in self.attention:
            tokens = block(tokens, self.rotary(x.shape[2], x.shape[3], 0, tokens))
        x = self.blocks16(x + self.norm(tokens).transpose(1, 2).reshape(x.shape))
        x = _doubled(self.up8(x)) + self.enter8(_joined(s8, *k8, g8, like=s8))
        x = _doubled(self.up4(self.blocks8(x))) + self.enter4(_joined(s4, *k4, g4, like=s4))
        return self.leave(self.blocks4(x))


def _joined(*maps: Tensor, like: Tensor) -> Tensor:
    return torch.cat([m.to(like) for m in maps], dim=1)


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear")
