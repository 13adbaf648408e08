"""Make frames between two frames of one view: the light changes, the objects stay (CroCoDiLight, section 4)."""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.interface import RelightingModel
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import row_bands, to_array
from relight_cli.relighting.gain import apply_log_gain, log_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.light_change import channels_last, load_tiles
from relight_cli.relighting.linear_light import encode_srgb
from relight_cli.relighting.options import TileOptions
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.tiles import TileGrid, stitch_tiles
from relight_cli.timelapse.moving_edges import Change, change_between, enlarged
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Content, Mode

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
LightPath = Callable[[float], Tensor]
"""From the share of the way in [0, 1] to the illumination latents (T, 1, C) there."""

SLIGHT = 0.5  # stops; below this, if no shadow moves, a cross-fade is nearest to the truth (benchmarks/timelapse.py)
MIN_MOVING = 1e-3  # share of a picture that shadows have to pass over to count as moving


class Keyframe:
    """A frame of the sequence that can be shown under other light; it is encoded once, when first needed."""

    def __init__(
        self,
        picture: Picture,
        network: RelightingModel | None,
        tiling: TileOptions,
        *,
        detail: bool = True,
        target: Tensor | None = None,
        strength: float = 1.0,
    ) -> None:
        """Take a picture (H, W, 3) and, to change its light, the illumination latents (T, 1, C) of the target.

        `strength` is the share of the way to the target. Without a network the picture can only be shown as it is.
        """
        self.picture, self.network, self.tiling, self.detail = picture, network, tiling, detail
        self.target, self.strength = target, strength

    @cached_property
    def light(self) -> Tensor:
        """The illumination latents (T, 1, C) that the frame is shown in, on the CPU."""
        own = torch.cat([own for _, _, own in self._encoded])
        return own if self.target is None else torch.lerp(own, self.target, self.strength)

    @cached_property
    def shown(self) -> Picture:
        """The frame under `light`."""
        return self.picture if self.detail and self.target is None else self.under(self.light)

    @torch.inference_mode()
    def under(self, light: Tensor) -> Picture:
        """Return the frame under illumination latents (T, 1, C), not clipped.

        With `detail` the change of light is a gain on the frame's own pixels, as in `light_change.change_light`; the
        network may then see a smaller copy.
        """
        working, grid = self._working
        stitched = stitch_tiles(grid, self._tiles_under(light))
        if not self.detail:
            return stitched
        if working.shape == self.picture.shape:
            return to_array(apply_log_gain(self.picture, lambda rows, own: stitched[rows]))
        gain = fit_guided(stitched, working)
        return to_array(apply_log_gain(self.picture, lambda rows, own: gain.rows(own, rows.start, len(self.picture))))

    def _tiles_under(self, light: Tensor) -> Iterator[Picture]:
        """Yield each tile's log gain, or its picture without `detail`, (S, S, 3)."""
        own = self._reconstructed if self.detail else itertools.repeat(None)

        @torch.inference_mode()
        def under(batch: tuple[tuple[range, Tensor, Tensor], Tensor | None]) -> Picture:
            (indices, intrinsic, _), reconstructed = batch
            tiles = self._decode(intrinsic, light[indices.start : indices.stop])
            return channels_last(tiles if reconstructed is None else log_gain(tiles, reconstructed.to(tiles.device)))

        for tiles in in_order(under, zip(self._encoded, own, strict=False), self.tiling.workers):
            yield from tiles

    @cached_property
    def _working(self) -> tuple[Picture, TileGrid]:
        """The copy that the network sees, and its grid."""
        assert self.network is not None
        return working_copy(self.picture, self.network, self.tiling, detail=self.detail)

    @cached_property
    @torch.inference_mode()
    def _encoded(self) -> list[tuple[range, Tensor, Tensor]]:
        """Indices, intrinsic and illumination latents of tiles, in batches; on the CPU, as there may be hundreds."""
        assert self.network is not None
        return [
            (indices, intrinsic.cpu(), own.cpu())
            for indices, intrinsic, own in delighted(*self._working, self.network, self.tiling)
        ]

    @cached_property
    @torch.inference_mode()
    def _reconstructed(self) -> list[Tensor]:
        """The tiles as the decoder returns them in their own light; every gain is relative to them."""
        assert self.network is not None
        if self.network.lossless:
            return [tiles.cpu() for _, tiles in load_tiles(*self._working, self.tiling)]

        @torch.inference_mode()
        def decode(batch: tuple[range, Tensor, Tensor]) -> Tensor:
            return self._decode(*batch[1:]).cpu()

        return list(in_order(decode, self._encoded, self.tiling.workers))

    def _decode(self, intrinsic: Tensor, light: Tensor) -> Tensor:
        assert self.network is not None
        device = self.tiling.device
        return self.network.decode(self.network.relight(intrinsic.to(device), light.to(intrinsic).to(device)))


def working_copy(
    picture: Picture, network: RelightingModel, tiling: TileOptions, *, detail: bool
) -> tuple[Picture, TileGrid]:
    """Return the copy that the network sees, smaller only with `detail`, and its grid."""
    height, width = fit_within(picture.shape[0], picture.shape[1], tiling.max_side if detail else 0)
    return resized(picture, height, width), TileGrid(height, width, network.tile_size, tiling.overlap)


def delighted(
    picture: Picture, grid: TileGrid, network: RelightingModel, tiling: TileOptions
) -> Iterator[tuple[range, Tensor, Tensor]]:
    """Yield indices, intrinsic and illumination latents of tiles, a batch at a time, on the device."""

    @torch.inference_mode()
    def latents(batch: tuple[range, Tensor]) -> tuple[range, Tensor, Tensor]:
        indices, tiles = batch
        return indices, *network.delight(network.encode(tiles))

    yield from in_order(latents, load_tiles(picture, grid, tiling), tiling.workers)


@torch.inference_mode()
def illumination(picture: Picture, network: RelightingModel, tiling: TileOptions, *, detail: bool = True) -> Tensor:
    """Return the illumination latents (T, 1, C) of a picture's tiles as in `Keyframe`, on the CPU."""
    copy, grid = working_copy(picture, network, tiling, detail=detail)
    return torch.cat([own.cpu() for _, _, own in delighted(copy, grid, network, tiling)])


class KeyframePair:
    """The frames between two keyframes."""

    def __init__(self, first: Keyframe, last: Keyframe, path: LightPath, options: TimelapseOptions) -> None:
        self.first, self.last, self.path, self.options = first, last, path, options

    @cached_property
    def change(self) -> Change:
        """What changes between the keyframes."""
        return change_between(self.first.shown, self.last.shown)

    @property
    def mode(self) -> Mode:
        """What is interpolated, with `auto` resolved.

        `auto` means the light if shadows move or the change is more than slight (slight: 90 % of the pixels change by
        less than SLIGHT), else the pixels, since a cross-fade adds no error of the network.
        """
        if self.options.mode != Mode.AUTO:
            return self.options.mode
        if self.options.content == Content.FIRST:
            return Mode.LATENT
        slight = self.change.largest < SLIGHT and self.change.moving < MIN_MOVING
        return Mode.IMAGE if slight else Mode.LATENT

    def frame(self, share: float) -> Picture:
        """Return the frame at a share of the way, (H, W, 3), not clipped."""
        if self.mode == Mode.IMAGE:
            return (1 - share) * self.first.shown + share * self.last.shown
        light = self.path(share)
        if self.options.content == Content.FIRST:
            return self.first.under(light)
        return self._blended(self.first.under(light), self.last.under(light), share)

    def _blended(self, earlier: Picture, later: Picture, share: float) -> Picture:
        """Blend both keyframes, each under the interpolated light, in linear light, where moving shadows add up.

        Where an edge passes, each pixel has the earlier keyframe's light until it turns, and the later one's after.
        """
        height, width = earlier.shape[:2]
        moving = enlarged(self.change, height, width) if self.change.moving else None
        out = np.empty_like(earlier)
        for rows in row_bands(height, width):
            mixed = _lerp(to_linear(earlier[rows]), to_linear(later[rows]), share)
            if moving is not None:
                turned = ((share - moving.turn[rows]) / moving.width[rows] + 0.5).clip(0, 1)
                first = to_linear(self.first.shown[rows]) * np.float32(2 ** (moving.stops * share))
                last = to_linear(self.last.shown[rows]) * np.float32(2 ** (moving.stops * (share - 1)))
                passed = _lerp(first, last, turned[..., None])
                mixed = _lerp(mixed, passed, moving.moved[rows][..., None])
            out[rows] = encode_srgb(mixed)
        return out


def _lerp(first: Picture, last: Picture, share: Picture | float) -> Picture:
    return first + np.float32(share) * (last - first)


def catmull_rom(lights: tuple[Tensor, Tensor, Tensor, Tensor], times: tuple[float, float, float, float]) -> LightPath:
    """Return the path from the second light to the third, smooth over all keyframes (Catmull and Rom 1974).

    It is a cubic through both; each slope is that of a parabola through three neighbours, for times of any spacing. At
    an end of the sequence, where two times and lights are the same, the slope is that of the straight line.
    """
    gap = times[2] - times[1]
    straight = lights[2] - lights[1]

    def slope(before: Tensor, here: Tensor, after: Tensor, left: float, right: float) -> Tensor:
        if not left or not right:
            return straight
        return gap * ((here - before) * (right / left) + (after - here) * (left / right)) / (left + right)

    start = slope(*lights[:3], times[1] - times[0], gap)
    stop = slope(*lights[1:], gap, times[3] - times[2])

    def path(share: float) -> Tensor:
        s, r = share, 1 - share
        own = r * r * (1 + 2 * s) * lights[1] + s * s * (1 + 2 * r) * lights[2]
        return own + s * r * r * start - s * s * r * stop

    return path
