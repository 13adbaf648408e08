"""Make frames between two keyframes: a cross-fade, mixed light, or a blend that has proven itself on the sequence."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.rows import row_bands
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.linear_light import encode_srgb
from relight_cli.timelapse.blending import (
    EDGES,
    FADE,
    LIGHT,
    OTHER_EDGES,
    Blend,
    enlarged_rows,
    fade_in_stops,
    keep_between,
)
from relight_cli.timelapse.light_interpolation import Keyframe, LightPath, Picture
from relight_cli.timelapse.moving_edges import Change, change_between, enlarged
from relight_cli.timelapse.moving_things import nearer_share, things_between
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.proof import prior_blend
from relight_cli.timelapse.sequencing import Content, Mode

Map = NDArray[np.float32]


class KeyframePair:
    """The frames between two keyframes."""

    def __init__(
        self,
        first: Keyframe,
        last: Keyframe,
        path: LightPath,
        options: TimelapseOptions,
        blend: Callable[[], Blend] | None = None,
    ) -> None:
        """Take two keyframes, the path of the light between them, and what returns the blend of `auto`.

        Without the latter it is that of two frames of which nothing else is known.
        """
        self.first, self.last, self.path, self.options = first, last, path, options
        self._blend = blend or (lambda: prior_blend(first.shown, last.shown))

    @cached_property
    def change(self) -> Change:
        """What changes between the keyframes."""
        return change_between(self.first.shown, self.last.shown)

    def frame(self, share: float) -> Picture:
        """Return the frame at a share of the way, (H, W, 3), not clipped."""
        if self.options.content == Content.FIRST:
            return self.first.under(self.path(share))
        if self.options.mode == Mode.IMAGE:
            return (1 - share) * self.first.shown + share * self.last.shown
        if self.options.mode == Mode.LATENT:
            moving = enlarged(self.change, *self.first.shown.shape[:2]) if self.change.moving else None
            return self._relit(share, moving)
        blend = self._blend()
        made = blend.apply(self.fade(share), lambda way: self.difference(way, share))
        passed = blend.strongest(EDGES, self.change.sure) + blend.strongest(OTHER_EDGES, self.change.unsure)
        return keep_between(made, self.first.shown, self.last.shown, passed)

    def fade(self, share: float) -> Picture:
        """Return the cross-fade, in which moving things are those of the nearer keyframe."""
        first, last = self.first.shown, self.last.shown
        out = np.empty_like(first)
        for rows in row_bands(*first.shape[:2]):
            shares = nearer_share(self._things_in(rows), share)
            out[rows] = _lerp(first[rows], last[rows], shares[..., None])
        return out

    def difference(self, way: str, share: float) -> Picture:
        """Return what a way to make the frame adds to `fade`, (H, W, 3); nothing where things move."""
        out = self._made(way, share)
        out -= self.fade(share)
        for rows in row_bands(*out.shape[:2]):
            out[rows] *= 1 - self._things_in(rows)[..., None]
        return np.nan_to_num(out, copy=False, posinf=0, neginf=0)

    def _made(self, way: str, share: float) -> Picture:
        """Return the frame that is made in one way alone."""
        first, last = self.first.shown, self.last.shown
        if way == FADE:
            return fade_in_stops(first, last, share)
        if way == LIGHT:
            return self._relit(share, None)
        moved = self.change.sure if way == EDGES else self.change.unsure
        moving = enlarged(replace(self.change, moved=moved), *first.shape[:2])
        out = self.fade(share)
        for rows in row_bands(*out.shape[:2]):
            passed = encode_srgb(self._passed(rows, share, moving))
            out[rows] = _lerp(out[rows], passed, moving.moved[rows][..., None])
        return out

    @cached_property
    def _things(self) -> Map:
        return things_between(self.first.shown, self.last.shown, self.change.moved)

    def _things_in(self, rows: slice) -> Map:
        return enlarged_rows(self._things, rows, *self.first.shown.shape[:2])

    def _relit(self, share: float, moving: Change | None) -> Picture:
        """Blend both keyframes, each under the interpolated light, in linear light, where moving shadows add up."""
        light = self.path(share)
        earlier, later = self.first.under(light), self.last.under(light)
        out = np.empty_like(earlier)
        for rows in row_bands(*out.shape[:2]):
            mixed = _lerp(to_linear(earlier[rows]), to_linear(later[rows]), share)
            if moving is not None:
                mixed = _lerp(mixed, self._passed(rows, share, moving), moving.moved[rows][..., None])
            out[rows] = encode_srgb(mixed)
        return out

    def _passed(self, rows: slice, share: float, moving: Change) -> Picture:
        """Return the linear light of rows over which an edge passes.

        Each pixel has the earlier keyframe's light until it turns, and the later one's after.
        """
        turned = ((share - moving.turn[rows]) / moving.width[rows] + 0.5).clip(0, 1)
        first = to_linear(self.first.shown[rows]) * np.float32(2 ** (moving.stops * share))
        last = to_linear(self.last.shown[rows]) * np.float32(2 ** (moving.stops * (share - 1)))
        return _lerp(first, last, turned[..., None])


def _lerp(first: Picture, last: Picture, share: Picture | float) -> Picture:
    return first + np.float32(share) * (last - first)
