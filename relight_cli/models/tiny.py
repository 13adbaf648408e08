"""`tiny`, the embedded network: the same split into light and the rest, small enough to ship.

Like CroCoDiLight (section 3) it splits a tile into one illumination latent and intrinsic latents. Unlike it, the
decoder's output is not a picture but the change of log light between two illumination latents, so that a tile under its
own light comes back exactly and every texture stays the photo's:

    picture = photo * exp((a_target - a_source) g + b_target - b_source),   g = log(photo + EPS), in linear light

a and b (3 channels each, at a quarter of the resolution) are local affine coefficients with the photo as guide, the
model behind the guided filter (He et al., PAMI 2013): a shadow's border is where a is near one, however hard it is.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.log_light import EPS, log_gain, log_linear, soft_threshold

Maps = tuple[Tensor, Tensor, Tensor]  # (T, w4, S/4, S/4), (T, w8, S/8, S/8), (T, w16, S/16, S/16)
# Relative distance of illumination latents beyond which a picture is in another light. Measured on 26 real views: at
# most 0.02 for a picture saved again as JPEG or at half its size, 0.1 for a third of a stop, 0.6 for the sun elsewhere.
ALIKE = 0.25
SHARES = 3  # at an illumination latent's end
COEFFICIENTS = (6, 4)  # a and b for three channels, four along a patch


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of the network."""

    tile_size: int = 256
    max_side: int = 512
    reference_side: int = 1024
    widths: tuple[int, int, int] = (48, 96, 192)  # channels at strides 4, 8 and 16
    depths: tuple[int, int, int] = (1, 2, 2)  # convolution blocks of the encoder at each stride
    heads: int = 6
    delighting_depth: int = 4
    queries: int = 4  # tokens that gather the light
    illumination_width: int = 384
    field: int = 8  # side of the coarse maps through which an illumination latent tells where the light is
    survey_width: int = 8  # channels of such a map as the latent gathers it
    field_width: int = 16  # and as it spreads it
    relighting_depths: tuple[int, int, int] = (1, 1, 2)  # modulated blocks at strides 4, 8 and 16
    shading_depths: tuple[int, int, int] = (2, 2, 1)  # blocks that find the tile's own shadows and shading
    mapper_depth: int = 3
    mappers: tuple[str, ...] = ()


class ConvBlock(nn.Module):
    """x + conv(silu(conv(norm(x)))), with the normed x scaled and shifted by an illumination latent where given."""

    def __init__(self, width: int, illumination_width: int = 0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, NORM_EPS)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(illumination_width, 4 * width) if illumination_width else None

    def forward(self, x: Tensor, illumination: Tensor | None = None) -> Tensor:
        """Transform maps (T, C, h, w), modulated by illumination latents (T, 1, L) (FiLM, Perez et al. 2018)."""
        h = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.modulation is None or illumination is None:
            return x + self.conv2(F.silu(self.conv1(h)))
        scale1, shift1, scale2, shift2 = self.modulation(illumination).transpose(1, 2)[..., None].chunk(4, dim=1)
        h = self.conv1(h * (1 + scale1) + shift1)
        return x + self.conv2(F.silu(h) * (1 + scale2) + shift2)


class ModulatedBlocks(nn.ModuleList):
    """Convolution blocks one after the other, all under one illumination latent."""

    def forward(self, x: Tensor, illumination: Tensor | None = None) -> Tensor:
        """Transform maps (T, C, h, w)."""
        for block in self:
            x = block(x, illumination)
        return x


def position_maps(like: Tensor) -> Tensor:
    """Give rows and columns from -1 to 1 as maps (T, 2, h, w)."""
    t, _, h, w = like.shape
    y = torch.linspace(-1, 1, h, device=like.device, dtype=like.dtype)[:, None].expand(h, w)
    x = torch.linspace(-1, 1, w, device=like.device, dtype=like.dtype).expand(h, w)
    return torch.stack((y, x)).expand(t, 2, h, w)


class Encoder(nn.Module):
    """Convolutions from a picture and its log to maps at strides 4, 8 and 16."""

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
        """Give the maps of tiles (T, 3, S, S)."""
        f4 = self.blocks[0](self.stem(torch.cat((picture * 2 - 1, guide / 3 + 0.7), dim=1)))
        f8 = self.blocks[1](self.down8(f4))
        return f4, f8, self.blocks[2](self.down16(f8))


class MapDecoder(nn.Module):
    """Maps at strides 16, 8 and 4, in this order, to affine coefficients of one or more log lights at stride 4."""

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

    def decode(self, f4: Tensor, f8: Tensor, entering: Tensor, illumination: Tensor | None = None) -> Tensor:
        """Give (T, 6 lights, S/4, S/4)."""
        x = self.blocks[2](self.enter(entering), illumination)
        x = F.interpolate(self.up8(x), scale_factor=2, mode="bilinear") + f8
        x = self.blocks[1](x, illumination)
        x = F.interpolate(self.up4(x), scale_factor=2, mode="bilinear") + f4
        return self.leave(self.blocks[0](x, illumination))


class LightDecoder(MapDecoder):
    """The light that an illumination latent puts on intrinsic maps."""

    def __init__(self, config: TinyConfig) -> None:
        light = config.illumination_width
        super().__init__(config, config.relighting_depths, config.field_width + 2, light)
        self.field = nn.Linear(light, config.field_width * config.field**2)
        self.field_size = (config.field_width, config.field, config.field)

    def forward(self, f4: Tensor, f8: Tensor, f16: Tensor, illumination: Tensor) -> Tensor:
        """Give the coefficients (T, 6, S/4, S/4) of the light."""
        field = self.field(illumination[:, 0]).unflatten(1, self.field_size)
        field = F.interpolate(field, f16.shape[2:], mode="bilinear")
        return self.decode(f4, f8, torch.cat((f16, field, position_maps(f16)), dim=1), illumination)


class ShadingDecoder(MapDecoder):
    """What a tile tells of its own light with all its borders: the shadows cast on it, and the rest of its shading."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config, config.shading_depths, 0, lights=2)
        nn.init.zeros_(self.leave.weight)  # at first there is none

    def forward(self, f4: Tensor, f8: Tensor, f16: Tensor) -> tuple[Tensor, Tensor]:
        """Give the coefficients (T, 6, S/4, S/4) of the light that shadows take, which is negative, and of the rest.

        The rest is what the light decoder, which knows only what differs between lights, leaves of the shading.
        """
        shadows, rest = self.decode(f4, f8, f16).chunk(2, dim=1)
        return shadows, rest


class IlluminationMapper(nn.Module):
    """The illumination latent, seeing the intrinsic latents, to that of the shadow-free or albedo picture."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        width = config.widths[2]
        self.rotary = RotaryTable(width // config.heads)
        self.enter = nn.Linear(config.illumination_width, width)
        self.blocks = nn.ModuleList(Block(width, config.heads, 2) for _ in range(config.mapper_depth))
        self.leave = nn.Linear(width, config.illumination_width)
        nn.init.zeros_(self.leave.weight)  # at first nothing is changed

    def forward(self, f16: Tensor, illumination: Tensor) -> Tensor:
        """Give the mapped illumination latent (T, 1, L)."""
        x = torch.cat((f16.flatten(2).transpose(1, 2), self.enter(illumination)), dim=1)
        for block in self.blocks:
            x = block(x, self.rotary(f16.shape[2], f16.shape[3], 1, x))
        return illumination + self.leave(x[:, -1:]).to(illumination)


class Tiny(nn.Module):
    """The embedded network; a `RelightingModel`.

    A token holds all that belongs to its 16 x 16 patch, maps of finer stride unshuffled into channels:
    latents [g 768 | f4 | f8 | f16], intrinsic latents [g | f4 | f8 | f16 | own light 96 | own shadows 96 | rest of its
    shading 96] and relit latents [g | change of light 96 | share of it that is thresholded 1], all light in affine
    coefficients. Tokens are float32 whatever the parameters are: g is the photo. Illumination latents end in `SHARES`.
    """

    stride = 16
    lossless = True

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config, self.tile_size = config, config.tile_size
        self.max_side, self.reference_side = config.max_side, config.reference_side
        w4, w8, w16 = config.widths
        self.encoder = Encoder(config)
        self.queries = nn.Parameter(nn.init.normal_(torch.empty(1, config.queries, w16), std=0.02))
        self.rotary = RotaryTable(w16 // config.heads)
        self.delighting = nn.ModuleList(Block(w16, config.heads, 2) for _ in range(config.delighting_depth))
        self.norm = nn.LayerNorm(w16, NORM_EPS)
        self.survey = nn.Conv2d(w16, config.survey_width, 1)
        gathered = config.queries * w16 + config.survey_width * config.field**2
        self.illumination = nn.Linear(gathered, config.illumination_width)
        self.light = LightDecoder(config)
        self.shading = ShadingDecoder(config)
        self.mappers = nn.ModuleDict({name: IlluminationMapper(config) for name in config.mappers})
        self.maps = [(3, 16), (w4, 4), (w8, 2), (w16, 1)]  # (channels, pixels along a patch) of g, f4, f8, f16
        self.intrinsic_maps = [*self.maps, COEFFICIENTS, COEFFICIENTS, COEFFICIENTS]

    @property
    def mapper_names(self) -> Collection[str]:
        """The illumination mappers that are loaded: `shadow`, `albedo`."""
        return self.mappers.keys()

    def encode(self, tiles: Tensor) -> Tensor:
        """Give the latents (T, N, C) of sRGB-encoded tiles (T, 3, S, S) in [0, 1], S a multiple of 16."""
        guide = log_linear(tiles)
        return self._pack(guide, *self.features(tiles, guide))

    def delight(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents into intrinsic latents (T, N, C + 288) and the illumination latent (T, 1, L)."""
        guide, *maps = self._unpack(latents, self.maps)
        features, light = self.split(*maps)
        intrinsic = self._pack(guide, *features, self.light(*features, light), *self.shading(*features))
        return intrinsic, with_shares(light)

    def features(self, tiles: Tensor, guide: Tensor) -> Maps:
        """Encode tiles and their log to maps f4, f8 and f16."""
        return self.encoder(tiles.to(self.queries.dtype), guide.to(self.queries.dtype))

    def split(self, f4: Tensor, f8: Tensor, f16: Tensor) -> tuple[Maps, Tensor]:
        """Split maps into intrinsic maps and what is seen of the light (T, 1, L - 3)."""
        tokens = f16.flatten(2).transpose(1, 2)  # (T, N, w16)
        x = torch.cat((tokens, self.queries.expand(len(tokens), -1, -1)), dim=1)
        for block in self.delighting:
            x = block(x, self.rotary(f16.shape[2], f16.shape[3], self.config.queries, x))
        tokens, gathered = self.norm(x).split([tokens.shape[1], self.config.queries], dim=1)
        f16 = tokens.transpose(1, 2).unflatten(2, f16.shape[2:])
        surveyed = F.adaptive_avg_pool2d(self.survey(f16), self.config.field)
        illumination = self.illumination(torch.cat((gathered.flatten(1), surveyed.flatten(1)), dim=1))[:, None]
        return (f4, f8, f16), illumination

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Map the illumination latent (T, 1, L) to that of the `shadow`-free or `albedo` picture."""
        f16 = self._unpack(intrinsic, self.intrinsic_maps)[3]
        light = self.mappers[mapper](f16, illumination[..., :-SHARES].to(f16))
        shadow = mapper == "shadow"
        return with_shares(light, shadowed=0.0, shaded=float(shadow), thresholded=float(shadow))

    def adapt_illumination(self, illumination: Tensor, own: Tensor) -> Tensor:
        """Give illumination latents (T, 1, L) for tiles with latents of their own: unlike light has other shadows."""
        light, own = illumination[..., :-SHARES], own[..., :-SHARES]
        away = (light - own).norm(dim=-1, keepdim=True) / own.norm(dim=-1, keepdim=True)
        return with_shares(light, shadowed=torch.exp(-((away / ALIKE) ** 2)))

    def relight(self, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Return relit latents (T, N, 768 + 96 + 1): the photo, its change of light, the share that is thresholded."""
        guide, f4, f8, f16, own, shadows, rest = self._unpack(intrinsic, self.intrinsic_maps)
        light, shares = illumination[..., :-SHARES].to(f16), illumination[..., -SHARES:, None].float()
        shadowed, shaded, core = shares.chunk(SHARES, dim=-2)
        change = self.light(f4, f8, f16, light).float() - own.float()
        change = change + (shadowed - 1) * shadows.float() + (shaded - 1) * rest.float()
        return self._pack(guide, change, core.expand(-1, 1, *f16.shape[2:]))

    def decode(self, latents: Tensor) -> Tensor:
        """Give the sRGB-encoded picture (T, 3, S, S), float32, not clipped."""
        guide, change, core = self._unpack(latents, [self.maps[0], COEFFICIENTS, (1, 1)])
        log_light = log_gain(guide, change.float())
        log_light = torch.lerp(log_light, soft_threshold(log_light), core[..., :1, :1].float())
        return linear_to_srgb((torch.exp(guide) - EPS) * torch.exp(log_light))

    def _pack(self, *maps: Tensor) -> Tensor:
        """Unshuffle maps of strides 1, 4, 8 and 16 into one float32 token per patch."""
        rows = maps[0].shape[2] // self.stride
        patches = [F.pixel_unshuffle(m.float(), m.shape[2] // rows).flatten(2) for m in maps]
        return torch.cat(patches, dim=1).transpose(1, 2)

    def _unpack(self, tokens: Tensor, maps: list[tuple[int, int]]) -> list[Tensor]:
        """Undo `_pack`: the guide in float32, the other maps in the parameters' dtype."""
        rows = math.isqrt(tokens.shape[1])
        patches = tokens.transpose(1, 2).unflatten(2, (rows, rows)).split([c * p * p for c, p in maps], dim=1)
        guide, *features = (F.pixel_shuffle(m, p) for m, (_, p) in zip(patches, maps, strict=True))
        return [guide, *(f.to(self.queries.dtype) for f in features)]


def with_shares(
    light: Tensor, *, shadowed: Tensor | float = 1.0, shaded: float = 1.0, thresholded: float = 0.0
) -> Tensor:
    """Put the `SHARES` behind what is seen of the light (T, 1, L - 3): an illumination latent, float32.

    How much it keeps of the tile's own cast shadows: all in its own light, none where they are mapped away, as much as
    the lights are alike where it comes from elsewhere. How much it keeps of the rest of its shading: none for albedo.
    Whether a small change is none, as it is where shadows are taken away.
    """
    shares = [
        torch.as_tensor(share, dtype=torch.float32, device=light.device) for share in (shadowed, shaded, thresholded)
    ]
    return torch.cat((light.float(), *(share.expand(*light.shape[:2], 1) for share in shares)), dim=-1)
