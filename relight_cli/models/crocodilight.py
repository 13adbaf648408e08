"""CroCoDiLight (ICLR 2026, https://openreview.net/forum?id=GKvb3HCyNk): relighting in a CroCo encoder's latents."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Block, Rotary, RotaryTable
from relight_cli.models.dpt import DPTHead

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class CroCoDiLightConfig:
    """Sizes of the network; the defaults are the published ones."""

    tile_size: int = 448
    patch_size: int = 16
    width: int = 1024
    encoder_depth: int = 24
    encoder_heads: int = 16
    encoder_mlp_ratio: float = 4
    delighting_depth: int = 8
    relighting_depth: int = 8
    decoder_depth: int = 12
    heads: int = 16  # of everything after the encoder, like mlp_ratio
    mlp_ratio: float = 2
    decoder_taps: tuple[int, int, int, int] = (1, 4, 9, 11)  # decoder blocks whose output feeds the DPT head
    dpt_widths: tuple[int, int, int, int] = (96, 192, 384, 768)
    dpt_features: int = 256
    dpt_output_widths: tuple[int, int] = (128, 32)
    rope_base: float = 100
    fused_attention: bool = True  # False: the published order of rounding


class BlockStack(nn.Module):
    """A sequence of transformer blocks."""

    def __init__(self, config: CroCoDiLightConfig, depth: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config.width, heads, mlp_ratio, fused=config.fused_attention) for _ in range(depth)
        )

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Transform tokens (T, N, C)."""
        for block in self.blocks:
            x = block(x, rotary)
        return x


class Encoder(BlockStack):
    """The CroCo v2 encoder (Weinzaepfel et al., ICCV 2023), after the patch embedding."""

    def __init__(self, config: CroCoDiLightConfig) -> None:
        super().__init__(config, config.encoder_depth, config.encoder_heads, config.encoder_mlp_ratio)
        self.norm = nn.LayerNorm(config.width, NORM_EPS)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return the latents (T, N, C) of embedded patches."""
        return self.norm(super().forward(x, rotary))


class DelightingTransformer(BlockStack):
    """The transformer that gathers the light in a query appended to the tokens (section 3.2)."""

    def __init__(self, config: CroCoDiLightConfig) -> None:
        super().__init__(config, config.delighting_depth, config.heads, config.mlp_ratio)
        self.query = nn.Parameter(torch.zeros(1, 1, config.width))

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return (T, N + 1, C): intrinsic latents, then the illumination latent."""
        return super().forward(torch.cat((x, self.query.expand(len(x), -1, -1)), dim=1), rotary)


class SingleViewDecoder(BlockStack):
    """The decoder from latents to four token maps for the DPT head."""

    def __init__(self, config: CroCoDiLightConfig) -> None:
        super().__init__(config, config.decoder_depth, config.heads, config.mlp_ratio)
        self.embedding = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, NORM_EPS)
        self.taps = config.decoder_taps

    def tapped(self, x: Tensor, rotary: Rotary) -> list[Tensor]:
        """Return the tokens (T, N, C) after each tapped block; the last ones are normalised."""
        x, out = self.embedding(x), []
        for i, block in enumerate(self.blocks):
            x = block(x, rotary)
            if i in self.taps:
                out.append(x)
        return [*out[:-1], self.norm(out[-1])]


class CroCoDiLight(nn.Module):
    """The published network; a `RelightingModel` whose illumination latents are (T, 1, C) like its tokens."""

    lossless = False
    whole_views = None
    max_side = reference_side = 0  # the network was trained on full-size pixels

    def __init__(self, config: CroCoDiLightConfig) -> None:
        super().__init__()
        self.config, self.tile_size = config, config.tile_size
        self.grid = config.tile_size // config.patch_size
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.encoder = Encoder(config)
        self.delighting = DelightingTransformer(config)
        self.relighting = BlockStack(config, config.relighting_depth, config.heads, config.mlp_ratio)
        self.mappers = nn.ModuleDict()  # illumination mappers by name, each a BlockStack from a file of its own
        self.decoder = SingleViewDecoder(config)
        self.head = DPTHead(config.width, config.dpt_widths, config.dpt_features, config.dpt_output_widths)
        self.encoder_rotary = RotaryTable(config.width // config.encoder_heads, config.rope_base)
        self.rotary = RotaryTable(config.width // config.heads, config.rope_base)

    @property
    def mapper_names(self) -> Collection[str]:
        """Names of the loaded illumination mappers: `shadow`, `albedo`."""
        return self.mappers.keys()

    def encode(self, tiles: Tensor) -> Tensor:
        """Return the latents (T, N, C) of sRGB-encoded tiles (T, 3, S, S) in [0, 1]."""
        mean, std = (tiles.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        x = self.patch_embedding(((tiles - mean) / std).to(self.patch_embedding.weight.dtype))
        x = x.flatten(2).transpose(1, 2).contiguous()  # all later tensors keep this memory layout
        return self.encoder(x, self.encoder_rotary(self.grid, self.grid, 0, x))

    def delight(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents (T, N, C) into intrinsic latents (T, N, C) and the illumination latent (T, 1, C)."""
        x = self.delighting(latents, self._positions(1, latents))
        return x[:, :-1], x[:, -1:]

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Map the illumination latent (T, 1, C) with the `shadow` or `albedo` illumination mapper."""
        return self._join(self.mappers[mapper], intrinsic, illumination)[:, -1:]

    def adapt_illumination(self, illumination: Tensor, own: Tensor) -> Tensor:
        """Return illumination latents (T, 1, C) unchanged: they suit any tile."""
        return illumination

    def relight(self, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Combine intrinsic latents and an illumination latent into the latents (T, N, C) of the relit picture."""
        return self._join(self.relighting, intrinsic, illumination)[:, :-1]

    def decode(self, latents: Tensor) -> Tensor:
        """Return the sRGB-encoded picture (T, 3, S, S), float32, nominally [0, 1], not clipped."""
        maps = self.decoder.tapped(latents, self._positions(0, latents))
        picture = self.head([m.transpose(1, 2).unflatten(2, (self.grid, self.grid)) for m in maps]).float()
        mean, std = (picture.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        return picture * std + mean

    def _join(self, stack: nn.Module, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        x = torch.cat((intrinsic, illumination.to(intrinsic)), dim=1)
        return stack(x, self._positions(1, x))

    def _positions(self, appended: int, like: Tensor) -> Rotary:
        return self.rotary(self.grid, self.grid, appended, like)
