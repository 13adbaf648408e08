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
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.gain import apply_log_gain, log_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.light_change import channels_last, load_tiles
from relight_cli.relighting.options import TileOptions
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.tiles import TileGrid, stitch_tiles

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
LightPath = Callable[[float], Tensor]
"""From the share of the way in [0, 1] to the illumination latents (T, 1, C) there."""

MOST_LIGHT = 3.0  # stops by which --deflicker and --freeze brighten at most; the steps of 8 bits stay unseen
NOTED = 0.02  # share of a frame above which the limit is noted


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
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Take a picture (H, W, 3) and, to change its light, the illumination latents (T, 1, C) of the target.

        `strength` is the share of the way to the target; with a target no pixel gets more than MOST_LIGHT, and `note`
        is told where that limits the frame. Without a network the picture can only be shown as it is.
        """
        self.picture, self.network, self.tiling, self.detail = picture, network, tiling, detail
        self.target, self.strength, self._note = target, strength, note

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
        if self.target is not None:
            self._limit(stitched)
        if working.shape == self.picture.shape:
            return to_array(apply_log_gain(self.picture, lambda rows, own: stitched[rows]))
        gain = fit_guided(stitched, working)
        return to_array(apply_log_gain(self.picture, lambda rows, own: gain.rows(own, rows.start, len(self.picture))))

    def _limit(self, gain: Picture) -> None:
        """Limit a gain (h, w, 3) to MOST_LIGHT stops."""
        asked = gain.max(-1)
        share = float((asked > MOST_LIGHT).mean())
        if share > NOTED:
            peak = float(np.percentile(asked, 99))
            self._note(
                f"{share:.0%} of it is too dark for this light (up to {peak:.1f} stops); it gets {MOST_LIGHT:g} stops, "
                "as more would show noise."
            )
        np.minimum(gain, np.float32(MOST_LIGHT), out=gain)

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
