"""Choose the blend of `--mode auto` on the sequence itself: leave frames out and make them from their neighbours."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from relight_cli.timelapse.blending import LIGHT, WAYS, Blend, no_blend, within
from relight_cli.timelapse.left_out_frames import left_out_numbers
from relight_cli.timelapse.light_interpolation import Keyframe, Picture
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.proof import LeftOut, left_out, prior_blend, proven_blend

if TYPE_CHECKING:
    from relight_cli.models.interface import RelightingModel
    from relight_cli.relighting.options import TileOptions

SIDE = 512  # pixels; longer side of the copies that are compared


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why."""

    blend: Blend
    frames: int  # that were left out
    gain: float | None  # dB over a cross-fade, a mean over these frames; None for too few of them

    @property
    def shares(self) -> dict[str, float]:
        """The mean weight of each way that is added to the cross-fade; edges have theirs only where they pass."""
        return {way: float(own.mean()) for way, own in zip(WAYS, self.blend.weights, strict=True) if own.any()}

    def __str__(self) -> str:
        """Return one line."""
        added = ", ".join(f"{way} {share:.0%}" for way, share in self.shares.items())
        added = f"a cross-fade with {added}" if added else "a cross-fade"
        if not self.frames:
            return f"auto: {added} (no frame could be left out to check it)."
        left = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        gain = "" if self.gain is None else f"; {self.gain:+.2f} dB over a cross-fade"
        return f"auto, by {left} left out: {added}{gain}."

    def facts(self) -> dict[str, object]:
        """Return what a report says."""
        return {"left_out": self.frames, "gain_db": self.gain, "shares": self.shares}


@dataclass
class SequenceProof:
    """The choice of a sequence, made when it is first needed; it depends on the frames alone."""

    times: list[float]
    read: Callable[[int], Picture | None]
    """From a keyframe's number to its picture; None if it cannot be read. Numbers hardly ever fall."""
    chosen: Callable[[Choice], None] = lambda choice: None
    seconds: float = field(default=0.0, init=False)
    _choice: Choice | None = field(default=None, init=False)

    def blend(
        self, network: "RelightingModel | None", tiling: "TileOptions", options: TimelapseOptions, *, same_light: bool
    ) -> Blend:
        """Return the blend; frames that all have the same light are cross-faded."""
        if same_light:
            return no_blend()
        if self._choice is None:
            began = perf_counter()
            frames = self._frames_left_out(network, tiling, options)
            blend, gain = proven_blend(frames) if frames else (self._unproven_blend(), None)
            self._choice, self.seconds = Choice(blend, len(frames), gain), perf_counter() - began
            self.chosen(self._choice)
        return self._choice.blend

    @property
    def uses_network(self) -> bool:
        """Whether the network makes frames, as far as is known."""
        return self._choice is None or self._choice.blend.uses(LIGHT)

    def _frames_left_out(
        self, network: "RelightingModel | None", tiling: "TileOptions", options: TimelapseOptions
    ) -> list[LeftOut]:
        """Compare frames with what is made from their neighbours; at most three small ones are in memory."""
        side = network.tile_size if network else 0
        tiling = replace(tiling, max_side=min(side, tiling.max_side or side))
        held: dict[int, Keyframe | None] = {}
        found = []
        for number in left_out_numbers(len(self.times)):
            held = {near: keyframe for near, keyframe in held.items() if near >= number - 1}
            for near in (number - 1, number, number + 1):
                if near not in held:
                    held[near] = self._keyframe(near, network, tiling, options)
            found.append(self._left_out(number, held, options))
        return [frame for frame in found if frame]

    def _unproven_blend(self) -> Blend:
        """Return the blend where no frame can be left out: by the first and the last that can be read."""
        numbers = range(len(self.times))
        first, last = (
            next((picture for number in order if (picture := self.read(number)) is not None), None)
            for order in (numbers, reversed(numbers))
        )
        if first is None or last is None:
            return no_blend()
        return prior_blend(within(first, SIDE), within(last, SIDE))

    def _keyframe(
        self, number: int, network: "RelightingModel | None", tiling: "TileOptions", options: TimelapseOptions
    ) -> Keyframe | None:
        """Return a small copy of a frame; None if it cannot be read."""
        picture = self.read(number)
        if picture is None:
            return None
        copy = np.ascontiguousarray(within(picture, SIDE))
        return Keyframe(copy, network, tiling, detail=options.detail)

    def _left_out(self, number: int, held: dict[int, Keyframe | None], options: TimelapseOptions) -> LeftOut | None:
        """Compare one frame; None if it or a neighbour cannot be read."""
        import torch

        from relight_cli.timelapse.keyframe_pair import KeyframePair

        first, middle, last = (held[near] for near in (number - 1, number, number + 1))
        if first is None or middle is None or last is None:
            return None
        before, here, after = self.times[number - 1 : number + 2]
        share = (here - before) / (after - before)
        pair = KeyframePair(first, last, lambda at: torch.lerp(first.light, last.light, at), options)
        return left_out(middle.shown, pair.fade(share), lambda way: pair.difference(way, share))
