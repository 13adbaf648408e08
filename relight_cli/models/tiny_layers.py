"""The layers of `tiny`: its encoder, the decoders of its light, and the illumination mapper."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.tile_blend import BlendedLatents

Maps = tuple[Tensor, Tensor, Tensor]  # (T, w4, S/4, S/4), (T, w8, S/8, S/8), (T, w16, S/16, S/16)
Light: TypeAlias = Tensor | BlendedLatents | None  # illumination latents (T, 1, L), or such of a window's tiles
COEFFICIENTS = (6, 4)  # channels (a and b of three colours), pixels along a patch
SHARES = 3  # of `with_shares`, at the end of an illumination latent


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of `tiny`."""

    tile_size: int = 256
    max_side: int = 512
    reference_side: int = 1024
    widths: tuple[int, int, int] = (48, 96, 192)  # channels at strides 4, 8 and 16
    depths: tuple[int, int, int] = (1, 2, 2)  # convolution blocks of the encoder at each stride
    heads: int = 6
    delighting_depth: int = 4
    queries: int = 4  # tokens that gather the light
    illumination_width: int = 384
    field: int = 8  # side of the coarse maps that place the light within a tile
    survey_width: int = 8  # channels of the map that goes into an illumination latent
    field_width: int = 16  # channels of the map that comes out of it
    relighting_depths: tuple[int, int, int] = (1, 1, 2)  # modulated blocks at strides 4, 8 and 16
    shading_depths: tuple[int, int, int] = (2, 2, 1)  # blocks that find the tile's own shadows and shading
    mapper_depth: int = 3
    mappers: tuple[str, ...] = ()


class ConvBlock(nn.Module):
    """x + conv(silu(conv(norm(x)))), scaled and shifted by an illumination latent if there is one."""

    def __init__(self, width: int, illumination_width: int = 0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, NORM_EPS)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(illumination_width, 4 * width) if illumination_width else None

    def forward(self, x: Tensor, illumination: Light = None) -> Tensor:
        """Transform maps (T, C, h, w), modulated by illumination latents (T, 1, L) (FiLM, Perez et al. 2018)."""
        h = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.modulation is None or illumination is None:
            return x + self.conv2(F.silu(self.conv1(h)))
        if isinstance(illumination, Tensor):
            modulation = self.modulation(illumination).transpose(1, 2)[..., None]
        else:
            modulation = illumination.blend.values(self.modulation(illumination.latents)[:, 0], x.shape[2:])
        scale1, shift1, scale2, shift2 = modulation.chunk(4, dim=1)
        h = self.conv1(h * (1 + scale1) + shift1)
        return x + self.conv2(F.silu(h) * (1 + scale2) + shift2)


class ModulatedBlocks(nn.ModuleList):
    """A sequence of convolution blocks, all modulated by one illumination latent."""

    def forward(self, x: Tensor, illumination: Light = None) -> Tensor:
        """Transform maps (T, C, h, w)."""
        for block in self:
            x = block(x, illumination)
        return x


def position_maps(like: Tensor) -> Tensor:
    """Return rows and columns from -1 to 1 as maps (T, 2, h, w)."""
    t, _, h, w = like.shape
    y = torch.linspace(-1, 1, h, device=like.device, dtype=like.dtype)[:, None].expand(h, w)
    x = torch.linspace(-1, 1, w, device=like.device, dtype=like.dtype).expand(h, w)
    return torch.stack((y, x)).expand(t, 2, h, w)


class Encoder(nn.Module):
    """The convolutions from a picture and its log to maps at strides 4, 8 and 16."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        w4, w8, w16 = config.widths
        self.stem = nn.Sequential(nn.Conv2d(6, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, w4, 3, 2, 1))
        self.down8 = nn.Conv2d(w4, w8, 2, 2)
        self.down16 = nn.Conv2d(w8, w16, 2, 2)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ConvBlock(w) for _ in range(d))) for w, d in zip(config.widths, config.depths, strict=True)
        )

    def forward(self, picture: Tensor, guide: Tensor) -> Maps:
        """Return the maps of tiles (T, 3, S, S) and their log."""
        f4 = self.blocks[0](self.stem(torch.cat((picture * 2 - 1, guide / 3 + 0.7), dim=1)))
        f8 = self.blocks[1](self.down8(f4))
        return f4, f8, self.blocks[2](self.down16(f8))


class MapDecoder(nn.Module):
    """The decoder from maps at strides 16, 8 and 4, in this order, to coefficients of log lights at stride 4."""

    def __init__(
        self, config: TinyConfig, depths: tuple[int, int, int], entering: int, illumination: int = 0, lights: int = 1
    ) -> None:
        super().__init__()
        w4, w8, w16 = config.widths
        self.enter = nn.Conv2d(w16 + entering, w16, 1)
        self.up8 = nn.Conv2d(w16, w8, 1)
        self.up4 = nn.Conv2d(w8, w4, 1)
        self.blocks = nn.ModuleList(
            ModulatedBlocks(ConvBlock(w, illumination) for _ in range(d))
            for w, d in zip(config.widths, depths, strict=True)
        )
        self.leave = nn.Conv2d(w4, lights * COEFFICIENTS[0], 3, padding=1)

    def decode(self, f4: Tensor, f8: Tensor, entering: Tensor, illumination: Light = None) -> Tensor:
        """Return affine coefficients (T, 6 * lights, S/4, S/4)."""
        x = self.blocks[2](self.enter(entering), illumination)
        x = F.interpolate(self.up8(x), scale_factor=2, mode="bilinear") + f8
        x = self.blocks[1](x, illumination)
        x = F.interpolate(self.up4(x), scale_factor=2, mode="bilinear") + f4
        return self.leave(self.blocks[0](x, illumination))


class LightDecoder(MapDecoder):
    """The decoder of the light of an illumination latent on intrinsic maps."""

    def __init__(self, config: TinyConfig) -> None:
        light = config.illumination_width
        super().__init__(config, config.relighting_depths, config.field_width + 2, light)
        self.field = nn.Linear(light, config.field_width * config.field**2)
        self.field_size = (config.field_width, config.field, config.field)
        self.positions = position_maps

    def forward(self, f4: Tensor, f8: Tensor, f16: Tensor, illumination: Tensor) -> Tensor:
        """Return the coefficients (T, 6, S/4, S/4) of the light."""
        return self.decode(f4, f8, self.entering(f16, illumination), illumination)

    def entering(self, f16: Tensor, illumination: Tensor) -> Tensor:
        """Return what enters the decoder, (T, w16 + field_width + 2, S/16, S/16)."""
        field = self.field(illumination[:, 0]).unflatten(1, self.field_size)
        field = F.interpolate(field, f16.shape[2:], mode="bilinear")
        return torch.cat((f16, field, self.positions(f16)), dim=1)


class ShadingDecoder(MapDecoder):
    """The decoder of a tile's own light with sharp borders: the shadows cast on it, and the rest of its shading."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config, config.shading_depths, 0, lights=2)
        nn.init.zeros_(self.leave.weight)  # training starts without shading

    def forward(self, f4: Tensor, f8: Tensor, f16: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coefficients (T, 6, S/4, S/4) of the shadows' log light, which is negative, and of the rest.

        The rest is the shading that the light decoder leaves, which knows only the difference between lights.
        """
        shadows, rest = self.decode(f4, f8, f16).chunk(2, dim=1)
        return shadows, rest


class IlluminationMapper(nn.Module):
    """The map from an illumination latent to that of the shadow-free or albedo picture, given intrinsic latents."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        width = config.widths[2]
        self.rotary = RotaryTable(width // config.heads)
        self.enter = nn.Linear(config.illumination_width, width)
        self.blocks = nn.ModuleList(Block(width, config.heads, 2) for _ in range(config.mapper_depth))
        self.leave = nn.Linear(width, config.illumination_width)
        nn.init.zeros_(self.leave.weight)  # training starts at the identity

    def forward(self, f16: Tensor, illumination: Tensor) -> Tensor:
        """Return the mapped illumination latent (T, 1, L)."""
        x = torch.cat((f16.flatten(2).transpose(1, 2), self.enter(illumination)), dim=1)
        for block in self.blocks:
            x = block(x, self.rotary(f16.shape[2], f16.shape[3], 1, x))
        return illumination + self.leave(x[:, -1:]).to(illumination)


def with_shares(
    light: Tensor, *, shadowed: Tensor | float = 1.0, shaded: float = 1.0, thresholded: float = 0.0
) -> Tensor:
    """Append the `SHARES` to an illumination latent (T, 1, L - 3); return it in float32.

    `shadowed` is how much of the tile's own cast shadows stays: all in its own light, none after a mapper, in the light
    of a reference as much as the lights are alike. `shaded` is how much of the rest of its shading stays: none for
    albedo. `thresholded` is 1 where small changes are removed, as for deshadow.
    """
    shares = [
        torch.as_tensor(share, dtype=torch.float32, device=light.device) for share in (shadowed, shaded, thresholded)
    ]
    return torch.cat((light.float(), *(share.expand(*light.shape[:2], 1) for share in shares)), dim=-1)
