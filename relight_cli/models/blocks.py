"""Pre-norm transformer blocks with two-dimensional rotary position embedding."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-6
_OUTLASTING = torch.inference_mode(mode=False)  # angles are kept: first needed in inference, gradients may pass later


@dataclass(frozen=True)
class Rotary:
    """Cosines and sines of 2-D RoPE for N tokens with heads of width d, in two forms."""

    cos: Tensor  # (N, 2, d / 4), as in the formula; (B, N, 2, d / 4) where pictures have tokens of their own
    sin: Tensor

    @cached_property
    @_OUTLASTING
    def wide_cos(self) -> Tensor:
        """Cosines repeated along a head, (N, 1, d) or (B, N, 1, d)."""
        return _repeated(self.cos)

    @cached_property
    @_OUTLASTING
    def wide_sin(self) -> Tensor:
        """Sines repeated along a head, (N, 1, d) or (B, N, 1, d)."""
        return _repeated(self.sin)

    @cached_property
    @_OUTLASTING
    def partner(self) -> Tensor:
        """The signed permutation (d, d) that puts -v in the place of u, and u in the place of v."""
        eye = torch.eye(4 * self.cos.shape[-1]).unflatten(1, (2, 2, -1))
        return torch.stack((-eye[:, :, 1], eye[:, :, 0]), dim=2).flatten(1).to(self.cos)

    def of(self, tokens: Tensor) -> "Rotary":
        """Return the angles of some tokens (B, n) of each picture, by their numbers."""
        return Rotary(self.cos[tokens], self.sin[tokens])


def _repeated(x: Tensor) -> Tensor:
    """Return (..., N, 2, q) as (..., N, 1, 4 q), each half twice."""
    return x[..., None, :, None, :].expand(*x.shape[:-2], 1, 2, 2, -1).flatten(-3).contiguous()


class RotaryTable:
    """Rotary angles for a grid of tokens and tokens appended at (-1, -1).

    The row rotates the first half of a head's channels, the column the second. A half of width w has w/2
    frequencies base^(-2j/w) (RoFormer; base 100 as in CroCo v2). Computed once per grid, device and dtype.
    """

    def __init__(self, head_width: int, base: float = 100.0) -> None:
        self.head_width, self.base = head_width, base
        self._cache: dict[tuple[int, int, int, torch.device, torch.dtype], Rotary] = {}

    def __call__(self, rows: int, columns: int, appended: int, like: Tensor) -> Rotary:
        """Return the angles of N = rows * columns + appended tokens, on `like`'s device."""
        key = (rows, columns, appended, like.device, like.dtype)
        if key not in self._cache:
            self._cache[key] = self._angles(rows, columns, appended, like)
        return self._cache[key]

    @_OUTLASTING
    def _angles(self, rows: int, columns: int, appended: int, like: Tensor) -> Rotary:
        half = self.head_width // 2
        frequencies = 1 / self.base ** (torch.arange(0, half, 2, dtype=torch.float32) / half)  # (w/2,)
        grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).float()
        positions = torch.cat([grid, torch.full((appended, 2), -1.0)])  # (N, 2)
        angles = positions[:, :, None] * frequencies  # (N, 2, w/2)
        return Rotary(angles.cos().to(like), angles.sin().to(like))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate queries or keys (B, heads, N, d): u' = u cos - v sin, v' = v cos + u sin within each half of d."""
    u, v = x.unflatten(-1, (2, 2, -1)).unbind(-2)  # (B, heads, N, 2, d/4) each
    return torch.stack((u * cos - v * sin, v * cos + u * sin), dim=-2).flatten(-3)


def rotate_joined(x: Tensor, rotary: Rotary) -> Tensor:
    """Rotate queries and keys (B, N, heads, d), next to each other in memory, as `rotate` does.

    It takes two long passes over memory and an exact product with a permutation: three times as fast as `rotate`.
    """
    return torch.addcmul(x * rotary.wide_cos, x @ rotary.partner, rotary.wide_sin)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend with the published order of rounding, which `scaled_dot_product_attention` need not keep.

    A CPU takes one head at a time: its (N, N) scores stay in the cache, which halves the time.
    """
    if q.device.type != "cpu" or q.requires_grad:
        return _attend_to_all(q, k, v)
    out = torch.empty_like(v)
    for b in range(q.shape[0]):
        for head in range(q.shape[1]):
            out[b, head] = _attend_to_all(q[b, head], k[b, head], v[b, head])
    return out


def _attend_to_all(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1) @ v


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions; one linear layer laid out [q | k | v], each head-major.

    Without `fused` it rounds as the published network does.
    """

    def __init__(self, width: int, heads: int, *, fused: bool = True) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Attend over tokens (B, N, C); return the input of `proj`."""
        out = self._attend(x, rotary) if self.fused else self._attend_as_published(x, rotary)
        return out.transpose(1, 2).flatten(2)

    def _attend(self, x: Tensor, rotary: Rotary) -> Tensor:
        both = 2 * x.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        qk = F.linear(x, weight[:both], bias[:both]).unflatten(-1, (2 * self.heads, -1))  # (B, N, 2 heads, d)
        v = F.linear(x, weight[both:], bias[both:]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k = rotate_joined(qk, rotary).transpose(1, 2).chunk(2, dim=1)
        # On a CPU the fused kernel's backward pass takes up to four times as long as plain attention's.
        plain = q.requires_grad and q.device.type == "cpu"
        return (plain_attention if plain else F.scaled_dot_product_attention)(q, k, v)  # (B, heads, N, d)

    def _attend_as_published(self, x: Tensor, rotary: Rotary) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, N, d) each
        return plain_attention(rotate(q, rotary.cos, rotary.sin), rotate(k, rotary.cos, rotary.sin), v)


class Mlp(nn.Module):
    """Two linear layers with exact GELU; the block applies the second and adds its output."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token (..., C) alone; return the input of `fc2`."""
        return F.gelu(self.fc1(x))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, *, fused: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, NORM_EPS)
        self.attn = Attention(width, heads, fused=fused)
        self.norm2 = nn.LayerNorm(width, NORM_EPS)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Transform tokens (B, N, C)."""
        training = torch.is_grad_enabled()  # autocast does not cover in-place sums
        residual = fused_residual if self.attn.fused and not training else published_residual
        x = residual(x, self.attn.proj, self.attn(self.norm1(x), rotary))
        return residual(x, self.mlp.fc2, self.mlp(self.norm2(x)))


def fused_residual(x: Tensor, linear: nn.Linear, hidden: Tensor) -> Tensor:
    """Return x + linear(hidden), added within the matrix product, so that the result is written only once."""
    out = (x + linear.bias).flatten(0, 1)
    return out.addmm_(hidden.flatten(0, 1), linear.weight.t()).view_as(x)


def published_residual(x: Tensor, linear: nn.Linear, hidden: Tensor) -> Tensor:
    """Return x + linear(hidden)."""
    return x + linear(hidden)
