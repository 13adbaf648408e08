"""CroCo (Weinzaepfel et al., NeurIPS 2022; v2: ICCV 2023): a masked view is completed with the help of another."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relight_cli.models.blocks import NORM_EPS, Attention, Mlp, Rotary, RotaryTable, plain_attention, rotate
from relight_cli.models.crocodilight import IMAGENET_MEAN, IMAGENET_STD, CroCoDiLightConfig, Encoder

NORM_OF_PATCHES = 1e-6  # added to the variance of a patch, as in MAE (He et al., CVPR 2022)


@dataclass(frozen=True)
class CroCoConfig:
    """Sizes of the network; the defaults are those of CroCo v2 with ViT-L and the base decoder."""

    image_size: int = 448
    patch_size: int = 16
    width: int = 1024
    depth: int = 24
    heads: int = 16
    decoder_width: int = 768
    decoder_depth: int = 12
    decoder_heads: int = 12
    rope_base: float = 100

    def relighting(self) -> CroCoDiLightConfig:
        """Return the sizes of a relighting network on this encoder; those of its other parts are the published ones."""
        return CroCoDiLightConfig(
            tile_size=self.image_size,
            patch_size=self.patch_size,
            width=self.width,
            encoder_depth=self.depth,
            encoder_heads=self.heads,
            rope_base=self.rope_base,
        )


class CrossAttention(nn.Module):
    """Multi-head attention from the tokens of one view to those of the other, with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq, self.projk, self.projv, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, other: Tensor, rotary: Rotary) -> Tensor:
        """Attend from tokens (B, N, C) to tokens (B, M, C) of the other view, both on the whole grid."""
        q, k, v = (
            linear(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear, tokens in ((self.projq, x), (self.projk, other), (self.projv, other))
        )
        q, k = (rotate(y, rotary.cos, rotary.sin) for y in (q, k))
        return self.proj(plain_attention(q, k, v).transpose(1, 2).flatten(2))


class DecoderBlock(nn.Module):
    """Attention within the view, attention to the other view, then the MLP, each on normalised tokens and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3, self.norm_y = (nn.LayerNorm(width, NORM_EPS) for _ in range(4))
        self.attn = Attention(width, heads)
        self.cross_attn = CrossAttention(width, heads)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x: Tensor, other: Tensor, rotary: Rotary) -> Tensor:
        """Transform tokens (B, N, C)."""
        x = x + self.attn.proj(self.attn(self.norm1(x), rotary))
        x = x + self.cross_attn(self.norm2(x), self.norm_y(other), rotary)
        return x + self.mlp.fc2(self.mlp(self.norm3(x)))


class CroCo(nn.Module):
    """The two-view network whose encoder a relighting network is built on."""

    def __init__(self, config: CroCoConfig) -> None:
        super().__init__()
        self.config, self.grid = config, config.image_size // config.patch_size
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.encoder = Encoder(config.relighting())
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.decoder_width))
        self.decoder_embedding = nn.Linear(config.width, config.decoder_width)
        self.decoder = nn.ModuleList(
            DecoderBlock(config.decoder_width, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(config.decoder_width, NORM_EPS)
        self.prediction = nn.Linear(config.decoder_width, 3 * config.patch_size**2)
        self.encoder_rotary = RotaryTable(config.width // config.heads, config.rope_base)
        self.decoder_rotary = RotaryTable(config.decoder_width // config.decoder_heads, config.rope_base)

    def forward(self, view: Tensor, other: Tensor, visible: Tensor) -> Tensor:
        """Return all patches (B, N, 3 P P) of a view, normalised, from a few visible ones and the other view.

        Views are sRGB-encoded (B, 3, S, S) in [0, 1]; `visible` (B, n) are the numbers of the patches that are seen.
        """
        tokens = self._embed(view)
        rotary = self.encoder_rotary(self.grid, self.grid, 0, tokens)
        width = tokens.shape[-1]
        seen = self.encoder(tokens.gather(1, visible[..., None].expand(-1, -1, width)), rotary.of(visible))
        seen, second = self.decoder_embedding(seen), self.decoder_embedding(self.encoder(self._embed(other), rotary))
        place = visible[..., None].expand(-1, -1, seen.shape[-1])
        x = self.mask_token.to(seen).expand(len(seen), self.grid**2, -1).scatter(1, place, seen)
        rotary = self.decoder_rotary(self.grid, self.grid, 0, x)
        for block in self.decoder:
            x = block(x, second, rotary)
        return self.prediction(self.decoder_norm(x))

    def patches(self, view: Tensor) -> Tensor:
        """Return the patches (B, N, 3 P P) of a view (B, 3, S, S), row by row, each as rows of pixels of 3 channels."""
        size = self.config.patch_size
        return view.unflatten(3, (-1, size)).unflatten(2, (-1, size)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def picture(self, patches: Tensor) -> Tensor:
        """Return the view (B, 3, S, S) of patches (B, N, 3 P P): the inverse of `patches`."""
        size = self.config.patch_size
        grid = patches.unflatten(2, (size, size, 3)).unflatten(1, (self.grid, self.grid))
        return grid.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)

    def _embed(self, view: Tensor) -> Tensor:
        mean, std = (view.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        return self.patch_embedding((view - mean) / std).flatten(2).transpose(1, 2).contiguous()


def normalised_patches(patches: Tensor) -> Tensor:
    """Return patches (B, N, P) of mean 0 and variance 1 each, which the network predicts."""
    variance = patches.var(dim=-1, keepdim=True)
    return (patches - patches.mean(dim=-1, keepdim=True)) / (variance + NORM_OF_PATCHES).sqrt()
