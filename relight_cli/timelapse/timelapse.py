"""Make the frames of a new sequence from those of a fixed camera, one by one, in one pass."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import resized
from relight_cli.relighting.options import TileOptions, tile_options
from relight_cli.timelapse.blending import Blend
from relight_cli.timelapse.deflickering import smooth_illumination, smoothing_window
from relight_cli.timelapse.keyframe_pair import KeyframePair
from relight_cli.timelapse.light_interpolation import (
    Keyframe,
    LightPath,
    catmull_rom,
    illumination,
)
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequence_proof import SequenceProof
from relight_cli.timelapse.sequencing import Ease, OutputFrame, eased

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
Reader = Callable[[int], Picture | None]
"""From a keyframe's number to its picture; None if it cannot be read. Nearly all calls are in order of numbers."""


@dataclass(frozen=True)
class FrameResult:
    """One frame of the new sequence."""

    picture: Picture  # not clipped
    template: int  # the keyframe whose metadata, profile and bit depth it gets
    untouched: bool  # it is that keyframe, unchanged


def sequence_tiling(model: Model, options: TimelapseOptions) -> TileOptions:
    """Return how the frames of a sequence pass through a network."""
    return tile_options(model, options, model.network.max_side)


def frozen_light(model: Model, reference: Photo, height: int, width: int, options: TimelapseOptions) -> Tensor:
    """Return the illumination latents (T, 1, C) of a reference, resized to the size of the frames."""
    picture = resized(reference.srgb, height, width)
    return illumination(picture, model.network, sequence_tiling(model, options), detail=options.detail)


class Timelapse:
    """A sequence whose frames are made in order of time.

    Only the two keyframes around the wanted frame are held (three with catmull-rom, whose slope needs the next light
    too), and each is encoded once. With `deflicker` a second reader runs ahead for the illumination latents of the
    window, so that each keyframe is encoded twice and memory does not grow with the sequence.
    """

    def __init__(
        self,
        times: list[float],
        read: Reader,
        look_ahead: Reader,
        model: Model | None,
        options: TimelapseOptions,
        frozen: Tensor | None = None,
        proof: SequenceProof | None = None,
        note: Callable[[int, str], None] = lambda number, text: None,
    ) -> None:
        """Take keyframes at rising `times`; `frozen` are the illumination latents (T, 1, C) that every frame gets.

        `proof` chooses the blend of `Mode.AUTO`; by default it reads with `look_ahead`. `note` is told where a
        keyframe, by its number, gets less light than asked for.
        """
        self.times, self.read, self.look_ahead = times, read, look_ahead
        self.network = model.network if model else None
        self.tiling = sequence_tiling(model, options) if model else TileOptions()
        self.options, self.frozen = options, frozen
        self.note = note
        self.proof = proof or SequenceProof(times, look_ahead)
        self._held: dict[int, Keyframe] = {}
        self._lights: dict[int, Tensor] = {}  # in which keyframes are shown, for the slopes of catmull-rom
        self._own: dict[int, Tensor] = {}  # in which keyframes were taken, for the window of deflicker
        self._missing: set[int] = set()
        self._pair: tuple[int, int, KeyframePair] | None = None

    def make(self, wanted: OutputFrame) -> FrameResult | None:
        """Make a frame; return None if there is no readable keyframe on one side of it.

        A keyframe that cannot be read is made like a frame between its neighbours.
        """
        if self._pair and self.times[self._pair[1]] <= wanted.time:  # before the next keyframe is read
            self._release_before({self._pair[1]})
            self._pair = None
        if wanted.keyframe is not None and (keyframe := self._keyframe(wanted.keyframe)):
            self._release_before({wanted.keyframe})
            changed = keyframe.target is not None or self.options.redo_keyframes
            return FrameResult(keyframe.shown if changed else keyframe.picture, wanted.keyframe, untouched=not changed)
        first = self._nearest(bisect_right(self.times, wanted.time) - 1, -1)
        last = self._nearest(bisect_left(self.times, wanted.time), +1)
        if first is None or last is None:
            return None
        share = (wanted.time - self.times[first]) / (self.times[last] - self.times[first])
        pair = self._pair_of(first, last)
        return FrameResult(pair.frame(eased(share, self.options.ease)), first, untouched=False)

    def _nearest(self, number: int, step: int) -> int | None:
        """Return the first readable keyframe from `number` on, in steps of `step`; None if there is none."""
        while 0 <= number < len(self.times):
            if self._keyframe(number):
                return number
            number += step
        return None

    def _pair_of(self, first: int, last: int) -> KeyframePair:
        if self._pair is None or self._pair[:2] != (first, last):
            path = self._path(first, last)
            pair = KeyframePair(self._held[first], self._held[last], path, self.options, self.blend)
            self._pair = (first, last, pair)
            self._release_before({first, last})
        return self._pair[2]

    def blend(self) -> Blend:
        """Return the blend of the frames between keyframes."""
        return self.proof.blend(self.network, self.tiling, self.options, same_light=self.frozen is not None)

    def _path(self, first: int, last: int) -> LightPath:
        if self.options.ease != Ease.CATMULL_ROM:
            return lambda share: torch.lerp(self._light(first), self._light(last), share)
        paths: list[LightPath] = []  # made when first needed, since cross-faded frames need none

        def path(share: float) -> Tensor:
            if not paths:
                before = self._before(first)
                after = self._nearest(last + 1, +1)
                numbers = (first if before is None else before, first, last, last if after is None else after)
                a, b, c, d = ((self._light(number), self.times[number]) for number in numbers)
                paths.append(catmull_rom((a[0], b[0], c[0], d[0]), (a[1], b[1], c[1], d[1])))
            return paths[0](share)

        return path

    def _before(self, first: int) -> int | None:
        """Return the readable keyframe before `first`, without reading it again if its light is known."""
        number = first - 1
        while number in self._missing:
            number -= 1
        return number if number in self._lights else self._nearest(number, -1)

    def _light(self, number: int) -> Tensor:
        if number not in self._lights:
            keyframe = self._keyframe(number)
            assert keyframe is not None
            self._lights[number] = keyframe.light
        return self._lights[number]

    def _keyframe(self, number: int) -> Keyframe | None:
        """Return a keyframe; None if it cannot be read."""
        if number not in self._held and number not in self._missing:
            picture = self.read(number)
            if picture is None:
                self._missing.add(number)
            else:
                self._held[number] = Keyframe(
                    picture,
                    self.network,
                    self.tiling,
                    detail=self.options.detail,
                    target=self._target(number),
                    strength=self.options.strength,
                    note=partial(self.note, number),
                )
        return self._held.get(number)

    def _target(self, number: int) -> Tensor | None:
        if self.frozen is not None or not self.options.deflicker:
            return self.frozen
        window = smoothing_window(number, self.options.deflicker, len(self.times))
        for near in window:
            if near not in self._own and near not in self._missing:
                picture = self.look_ahead(near)
                if picture is None:
                    self._missing.add(near)
                else:
                    assert self.network is not None
                    detail = self.options.detail
                    self._own[near] = illumination(picture, self.network, self.tiling, detail=detail)
        self._own = {near: light for near, light in self._own.items() if near >= window.start}
        return smooth_illumination(
            {near: light for near, light in self._own.items() if near in window}, number, self.options.deflicker
        )

    def _release_before(self, wanted: set[int]) -> None:
        """Release the keyframes before the wanted ones, and all but the last of their lights."""
        least = min(wanted)
        self._held = {number: keyframe for number, keyframe in self._held.items() if number >= least}
        known = sorted(number for number in self._lights if number < least)
        self._lights = {number: light for number, light in self._lights.items() if number not in known[:-1]}
