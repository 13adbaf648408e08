"""`tiny`, the embedded network: the split of CroCoDiLight, small enough to ship with the package.

Like CroCoDiLight (section 3) it splits a tile into one illumination latent and intrinsic latents. Its decoder
returns no picture but the change of log light between two illumination latents, so that a tile in its own light comes
back exactly and keeps every texture of the photo:

    picture = photo * exp((a_target - a_source) g + b_target - b_source),   g = log(photo + EPS), in linear light

a and b (3 channels each, at a quarter of the resolution) are local affine coefficients with the photo as guide, the
model behind the guided filter (He et al., PAMI 2013): at a shadow's border, hard or soft, a is near one.
"""

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.albedo import AlbedoNetwork
from relight_cli.models.blocks import NORM_EPS, Block, RotaryTable
from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.geometry import GeometryNetwork
from relight_cli.models.interface import WholeViews
from relight_cli.models.log_light import EPS, log_light_change, log_linear, soft_threshold
from relight_cli.models.tiny_layers import (
    COEFFICIENTS,
    SHARES,
    Encoder,
    IlluminationMapper,
    LightDecoder,
    Maps,
    ShadingDecoder,
    TinyConfig,
    with_shares,
)
from relight_cli.models.tiny_views import TinyViews

# Relative distance above which illumination latents count as different light. Measured on 26 real views: at most 0.02
# for a picture saved again as JPEG or at half its size, 0.1 for a third of a stop, 0.6 for the sun elsewhere.
ALIKE = 0.25


class Tiny(nn.Module):
    """The embedded network; a `RelightingModel`.

    A token holds all values of its 16 x 16 patch; maps of finer stride are unshuffled into channels:
    latents [g 768 | f4 | f8 | f16], intrinsic latents [g | f4 | f8 | f16 | own light 96 | own shadows 96 | rest of its
    shading 96] and relit latents [g | change of light 96 | thresholded share 1], all light in affine coefficients.
    Tokens are float32 for any dtype of the parameters, since g is the photo. Illumination latents end in `SHARES`.
    """

    stride = 16
    lossless = True

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config, self.tile_size = config, config.tile_size
        self.view_albedo: AlbedoNetwork | None = None  # of whole views; its weights lie in another file
        self.view_surfaces: GeometryNetwork | None = None  # the same
        self.max_side, self.reference_side = config.max_side, config.reference_side
        w4, w8, w16 = config.widths
        self.encoder = Encoder(config)
        self.queries = nn.Parameter(nn.init.normal_(torch.empty(1, config.queries, w16), std=0.02))
        self.rotary = RotaryTable(w16 // config.heads)
        self.delighting = nn.ModuleList(Block(w16, config.heads, 2) for _ in range(config.delighting_depth))
        self.norm = nn.LayerNorm(w16, NORM_EPS)
        self.survey = nn.Conv2d(w16, config.survey_width, 1)
        self.pool: nn.Module = nn.AdaptiveAvgPool2d(config.field)
        gathered = config.queries * w16 + config.survey_width * config.field**2
        self.illumination = nn.Linear(gathered, config.illumination_width)
        self.light = LightDecoder(config)
        self.shading = ShadingDecoder(config)
        self.mappers = nn.ModuleDict({name: IlluminationMapper(config) for name in config.mappers})
        self.maps = [(3, 16), (w4, 4), (w8, 2), (w16, 1)]  # (channels, pixels along a patch) of g, f4, f8, f16
        self.intrinsic_maps = [*self.maps, COEFFICIENTS, COEFFICIENTS, COEFFICIENTS]

    @property
    def whole_views(self) -> WholeViews:
        """The network as it sees whole pictures."""
        return TinyViews(self, self.view_albedo, self.view_surfaces)

    @property
    def mapper_names(self) -> Collection[str]:
        """Names of the loaded illumination mappers: `shadow`, `albedo`."""
        return self.mappers.keys()

    def encode(self, tiles: Tensor) -> Tensor:
        """Return the latents (T, N, C) of sRGB-encoded tiles (T, 3, S, S) in [0, 1], S a multiple of 16."""
        guide = log_linear(tiles)
        return self._pack(tiles.shape[2] // self.stride, (guide, *self.features(tiles, guide)))

    def delight(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents into intrinsic latents (T, N, C + 288) and the illumination latent (T, 1, L)."""
        features, light = self.split(*self._unpack(latents, self.maps, range(1, 4)))
        maps = (*features, self.light(*features, light), *self.shading(*features))
        return self._pack(math.isqrt(latents.shape[1]), maps, guide=latents), with_shares(light)

    def features(self, tiles: Tensor, guide: Tensor) -> Maps:
        """Encode tiles and their log to maps f4, f8 and f16."""
        return self.encoder(tiles.to(self.queries.dtype), guide.to(self.queries.dtype))

    def split(self, f4: Tensor, f8: Tensor, f16: Tensor) -> tuple[Maps, Tensor]:
        """Split maps into intrinsic maps and the illumination latent without its shares (T, 1, L - 3)."""
        tokens = f16.flatten(2).transpose(1, 2)  # (T, N, w16)
        x = torch.cat((tokens, self.queries.expand(len(tokens), -1, -1)), dim=1)
        for block in self.delighting:
            x = block(x, self.rotary(f16.shape[2], f16.shape[3], self.config.queries, x))
        x = self.norm(x)
        tokens, gathered = x[:, : -self.config.queries], x[:, -self.config.queries :]
        f16 = tokens.transpose(1, 2).reshape(f16.shape)
        surveyed = self.pool(self.survey(f16))
        illumination = self.illumination(torch.cat((gathered.flatten(1), surveyed.flatten(1)), dim=1))[:, None]
        return (f4, f8, f16), illumination

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Map the illumination latent (T, 1, L) to that of the `shadow`-free or `albedo` picture."""
        (f16,) = self._unpack(intrinsic, self.intrinsic_maps, range(3, 4))
        light = self.mappers[mapper](f16, illumination[..., :-SHARES].to(f16))
        shadow = mapper == "shadow"
        return with_shares(light, shadowed=0.0, shaded=float(shadow), thresholded=float(shadow))

    def adapt_illumination(self, illumination: Tensor, own: Tensor) -> Tensor:
        """Return illumination latents (T, 1, L) for tiles with latents `own`; other light keeps less of the shadows."""
        light, own = illumination[..., :-SHARES], own[..., :-SHARES]
        distance = (light - own).norm(dim=-1, keepdim=True) / own.norm(dim=-1, keepdim=True)
        return with_shares(light, shadowed=torch.exp(-((distance / ALIKE) ** 2)))

    def relight(self, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Return relit latents (T, N, 768 + 96 + 1): the photo, its change of light, the thresholded share."""
        f4, f8, f16, own, shadows, rest = self._unpack(intrinsic, self.intrinsic_maps, range(1, 7))
        light, shares = illumination[..., :-SHARES].to(f16), illumination[..., -SHARES:, None].float()
        shadowed, shaded, thresholded = shares.chunk(SHARES, dim=-2)
        change = self.light(f4, f8, f16, light).float() - own.float()
        change = change + (shadowed - 1) * shadows.float() + (shaded - 1) * rest.float()
        return self._pack(f16.shape[2], (change, thresholded.expand(-1, 1, *f16.shape[2:])), guide=intrinsic)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the sRGB-encoded picture (T, 3, S, S), float32, not clipped."""
        guide, change, thresholded = self._unpack(latents, [self.maps[0], COEFFICIENTS, (1, 1)], range(3))
        log_light = log_light_change(guide, change.float())
        log_light = torch.lerp(log_light, soft_threshold(log_light), thresholded[..., :1, :1].float())
        return linear_to_srgb((torch.exp(guide) - EPS) * torch.exp(log_light))

    def _pack(self, rows: int, maps: tuple[Tensor, ...], guide: Tensor | None = None) -> Tensor:
        """Unshuffle maps of strides 1 to 16 into one float32 token for each patch, in `rows` rows.

        They follow the guide of the tokens `guide`, if it is given.
        """
        patches = [F.pixel_unshuffle(m.float(), m.shape[2] // rows).flatten(2) for m in maps]
        if guide is not None:
            channels, side = self.maps[0]
            patches.insert(0, guide.transpose(1, 2)[:, : channels * side**2])
        return torch.cat(patches, dim=1).transpose(1, 2)

    def _unpack(self, tokens: Tensor, maps: list[tuple[int, int]], wanted: range) -> list[Tensor]:
        """Undo `_pack` for the `wanted` maps: map 0, the guide, in float32, the others in the parameters' dtype."""
        rows = math.isqrt(tokens.shape[1])
        patches = tokens.transpose(1, 2).unflatten(2, (rows, rows)).split([c * p * p for c, p in maps], dim=1)
        shuffled = ((index, F.pixel_shuffle(patches[index], maps[index][1])) for index in wanted)
        return [m if index == 0 else m.to(self.queries.dtype) for index, m in shuffled]
