"""Pre-norm transformer blocks with two-dimensional rotary position embedding."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-6


class RotaryTable:
    """Cosines and sines of 2-D RoPE for a grid of tokens and tokens appended at (-1, -1).

    The first half of a head's channels turns with the row, the second with the column. A half of width w has w/2
    frequencies base^(-2j/w) (RoFormer; base 100 as in CroCo v2). Computed once per grid, device and dtype.
    """

    def __init__(self, head_width: int, base: float = 100.0) -> None:
        self.head_width, self.base = head_width, base
        self._cache: dict[tuple[int, int, int, torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def __call__(self, rows: int, columns: int, appended: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Give (cos, sin), each (N, 2, head_width / 4) with N = rows * columns + appended, on `like`'s device."""
        key = (rows, columns, appended, like.device, like.dtype)
        if key not in self._cache:
            half = self.head_width // 2
            frequencies = 1 / self.base ** (torch.arange(0, half, 2, dtype=torch.float32) / half)  # (w/2,)
            grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
            positions = torch.cat([grid, torch.full((appended, 2), -1.0)])  # (N, 2)
            angles = positions[:, :, None] * frequencies  # (N, 2, w/2)
            self._cache[key] = angles.cos().to(like), angles.sin().to(like)
        return self._cache[key]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys (B, heads, N, d): u' = u cos - v sin, v' = v cos + u sin within each half of d."""
    u, v = x.unflatten(-1, (2, 2, -1)).unbind(-2)  # (B, heads, N, 2, d/4) each
    return torch.stack((u * cos - v * sin, v * cos + u * sin), dim=-2).flatten(-3)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend in the published order of rounding, which `scaled_dot_product_attention` need not keep."""
    return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1) @ v


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions; one linear layer laid out [q | k | v], each head-major.

    Not `fused`, it rounds as the published network does.
    """

    def __init__(self, width: int, heads: int, *, fused: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.attend = F.scaled_dot_product_attention if fused else plain_attention
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Attend over tokens (B, N, C)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, N, d) each
        out = self.attend(rotate(q, *rotary), rotate(k, *rotary), v)
        return self.proj(out.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with exact GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token (..., C) alone."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, *, fused: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, NORM_EPS)
        self.attn = Attention(width, heads, fused=fused)
        self.norm2 = nn.LayerNorm(width, NORM_EPS)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Transform tokens (B, N, C)."""
        x = x + self.attn(self.norm1(x), rotary)
        return x + self.mlp(self.norm2(x))
