"""`tiny` as graphs of pictures of any size, with nothing in them that a graph of operators cannot say."""

import torch
from torch import Tensor, nn

from relight_cli.models.blocks import Rotary, RotaryTable
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.log_light import EPS, log_light_change, log_linear, soft_threshold
from relight_cli.models.padding import pad_to
from relight_cli.models.tiny import ALIKE, Tiny
from relight_cli.models.tiny_layers import Maps

TASKS = ("deshadow", "albedo", "relight")


class TinyGraph(nn.Module):
    """One task of `tiny`: deshadow, albedo or relight.

    From an sRGB-encoded picture (1, 3, H, W) in [0, 1] to the picture in its new light, (1, 3, H, W), not clipped, and
    the change of the natural logarithm of its linear light (1, 3, H, W), which can be enlarged and put on a larger
    picture: light * exp(change). relight takes a reference (1, 3, h, w) too. H, W, h and w are 1 or more; inside,
    borders are repeated up to multiples of the stride.
    """

    def __init__(self, network: Tiny, task: str) -> None:
        """Take a network over: its pooling, positions and angles become operators for any size."""
        super().__init__()
        if task not in TASKS:
            raise ValueError(f"no task {task}")
        self.network, self.task = network, task
        network.pool = AnySizeMean(network.config.field)
        network.light.positions = _positions
        views = network.view_albedo
        decoders = [views.refining, views.alone] if views else []
        for module in (network, *network.mappers.values(), *decoders):
            table = module.rotary
            assert isinstance(table, RotaryTable)
            object.__setattr__(module, "rotary", _RotaryOfAnySize(table.head_width, table.base))

    def forward(self, picture: Tensor, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the picture in its new light, and the change of its log light."""
        height, width = picture.shape[2:]
        if self.task == "albedo":
            log_light = self.network.whole_views.look(ALBEDO, picture).change(ALBEDO)
            return linear_to_srgb(srgb_to_linear(picture) * torch.exp(log_light)), log_light
        padded = pad_to(picture, self.network.stride)
        guide = log_linear(padded)
        maps, own = self.network.split(*self.network.features(padded, guide))
        shadows, _ = self.network.shading(*maps)
        light = self._target(maps, own, reference)
        change = self.network.light(*maps, light) - self.network.light(*maps, own)
        log_light = log_light_change(guide, change - shadows * (1 - self._shadowed(light, own)))
        if self.task == "deshadow":
            log_light = soft_threshold(log_light)
        lit = linear_to_srgb((torch.exp(guide) - EPS) * torch.exp(log_light))
        return lit[..., :height, :width], log_light[..., :height, :width]

    def _target(self, maps: Maps, own: Tensor, reference: Tensor | None) -> Tensor:
        """Return the illumination latent (1, 1, L) that the picture gets."""
        if reference is None:
            mapped: Tensor = self.network.mappers[SHADOW](maps[2], own)
            return mapped
        padded = pad_to(reference, self.network.stride)
        return self.network.split(*self.network.features(padded, log_linear(padded)))[1]

    def _shadowed(self, light: Tensor, own: Tensor) -> Tensor:
        """Return the share (1, 1, 1, 1) of its own cast shadows that the picture keeps; see `adapt_illumination`."""
        if self.task != "relight":
            return torch.zeros((1, 1, 1, 1), dtype=own.dtype, device=own.device)
        distance = (light - own).norm(dim=-1, keepdim=True) / own.norm(dim=-1, keepdim=True)
        return torch.exp(-((distance / ALIKE) ** 2))[..., None]


class AnySizeMean(nn.Module):
    """The mean in a grid of side x side cells, as `nn.AdaptiveAvgPool2d`, written as two matrix products."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """Return (T, C, side, side) of maps (T, C, h, w)."""
        return self._weights(x.shape[2], x) @ x @ self._weights(x.shape[3], x).transpose(0, 1)

    def _weights(self, length: int, like: Tensor) -> Tensor:
        """Return (side, length): cell i is the mean of floor(i n / side) to ceil((i + 1) n / side) - 1."""
        cells = torch.arange(self.side, device=like.device)[:, None]
        places = torch.arange(length, device=like.device)[None]
        first, end = cells * length // self.side, ((cells + 1) * length + self.side - 1) // self.side
        inside = ((places >= first) & (places < end)).to(like.dtype)
        return inside / inside.sum(dim=1, keepdim=True)


class _RotaryOfAnySize:
    """The angles of `RotaryTable`, made anew for each grid."""

    def __init__(self, head_width: int, base: float) -> None:
        self.head_width, self.base = head_width, base

    def __call__(self, rows: int, columns: int, appended: int, like: Tensor) -> Rotary:
        half = self.head_width // 2
        frequencies = 1 / self.base ** (torch.arange(0, half, 2, dtype=torch.float32, device=like.device) / half)
        y, x = (torch.arange(side, device=like.device).float() for side in (rows, columns))
        grid = torch.stack((y[:, None] + 0 * x, 0 * y[:, None] + x), dim=-1).flatten(0, 1)
        positions = torch.cat((grid, torch.full((appended, 2), -1.0, device=like.device)))
        angles = positions[:, :, None] * frequencies
        return Rotary(angles.cos().to(like), angles.sin().to(like))


def _positions(like: Tensor) -> Tensor:
    """Return `position_maps`, up to rounding, of maps of any size."""
    zeros = torch.zeros_like(like[:, :1])
    y, x = (
        2 * numbers / numbers[-1:].clamp(min=1) - 1
        for numbers in (torch.arange(side, device=like.device).to(like.dtype) for side in like.shape[2:])
    )
    return torch.cat((y[:, None] + zeros, x + zeros), dim=1)
