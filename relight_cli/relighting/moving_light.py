"""Changes of light for the pictures of a sequence, stable in time.

The change is estimated for keyframes alone. Each estimate is compared with that of the keyframe before it, carried
along optical flow (Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, compare in the same way): where
the picture is still the same, a small difference is an error of the estimate and is left out, and of a large one a part
is believed. Between two keyframes the change is what both say, carried to the picture, weighted by distance in time and
by how well the picture is explained.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.guided import luma
from relight_cli.relighting.optical_flow import Flow, FlowEstimator, Maps, blurred, carried, inside, joined

Estimate = Callable[[int], Maps]
"""Takes the number of a picture, counted from the first one, and returns its gain (h, w, 3) in stops."""

EVERY = 10  # pictures from keyframe to keyframe
_BELIEVED = 0.3  # share of a large difference from the keyframe before that is believed where the picture is the same
_SMALL = 0.12  # stops; a smaller difference is an error of the estimate
_SAME = 0.04  # luma; difference at which a picture is hardly explained by another one
_LEAST = 1e-3  # weight of a keyframe that does not explain a picture at all
_CUT_LEVELS, _CUT_COLOURS = 0.10, 0.30  # difference in luma after the flow, and of histograms, from which it is a cut
_BINS = 8  # of a histogram, for each channel


@dataclass(frozen=True)
class Keyframe:
    """A picture from which a run may begin: its number and its gain (h, w, 3), stable in time."""

    number: int
    stops: Maps


def stable_gains(
    pictures: Iterable[Maps], estimate: Estimate, every: int = EVERY, start: Maps | None = None
) -> Iterator[tuple[Maps, Keyframe | None]]:
    """Yield the gain (h, w, 3), in stops, of each picture (h, w, 3), sRGB, and with a keyframe what begins there.

    `every` is the number of pictures from keyframe to keyframe. `start` is the gain of the first picture, where it is
    that of a `Keyframe`: the gains are then those of the run that has yielded it. Each picture is taken once, and
    `every` + 2 are in memory.
    """
    span: _Span | None = None
    for number, picture in enumerate(pictures):
        if span is None:
            span = _Span(number, picture, estimate(number) if start is None else start)
            continue
        if span.add(picture):
            if span.length == every:
                yield from span.gains(estimate)
                span = span.next()
            continue
        yield from span.gains(estimate)
        yield span.last()
        span = _Span(number, picture, estimate(number))
    if span is not None:
        yield from span.gains(estimate)
        yield span.last()


class _Span:
    """The pictures from one keyframe up to the next."""

    def __init__(self, number: int, picture: Maps, stops: Maps) -> None:
        self.number, self.pictures, self.stops = number, [picture], stops
        self._end = stops  # the gain of the last picture
        self._back: list[Flow] = []  # from each picture to the one before it
        self._ahead: list[Flow] = []  # from the one before it to each picture
        self._flows = FlowEstimator()

    @property
    def length(self) -> int:
        """The number of pictures after the keyframe."""
        return len(self.pictures) - 1

    def add(self, picture: Maps) -> bool:
        """Add a picture; return False, without it, if it shows another scene."""
        before = self.pictures[-1]
        back = self._flows.flow(picture, before)
        if _is_cut(picture, before, back):
            return False
        self._back.append(back)
        self._ahead.append(self._flows.flow(before, picture))
        self.pictures.append(picture)
        return True

    def gains(self, estimate: Estimate) -> Iterator[tuple[Maps, Keyframe | None]]:
        """Make the last picture a keyframe; yield the gains of all before it."""
        if not self.length:
            return
        from_start = self._from_start()
        self._end = _settled(
            estimate(self.number + self.length), self.stops, self.pictures[-1], self.pictures[0], from_start[-1]
        )
        yield self.stops, Keyframe(self.number, self.stops)
        to_end = self._to_end()
        for number in range(1, self.length):
            yield self._between(number, from_start[number - 1], to_end[number - 1]), None

    def last(self) -> tuple[Maps, Keyframe | None]:
        """Return the gain of the last picture."""
        return self._end, None if self.length else Keyframe(self.number, self.stops)

    def next(self) -> "_Span":
        """Return the span that begins with the last picture."""
        return _Span(self.number + self.length, self.pictures[-1], self._end)

    def _from_start(self) -> list[Flow]:
        """Return the flow from each picture after the keyframe to it."""
        found: list[Flow] = []
        for back in self._back:
            found.append(joined(back, found[-1]) if found else back)
        return found

    def _to_end(self) -> list[Flow]:
        """Return the flow from each picture between the keyframes to the last one."""
        found: list[Flow] = []
        for ahead in self._ahead[:0:-1]:
            found.append(joined(ahead, found[-1]) if found else ahead)
        return found[::-1]

    def _between(self, number: int, to_start: Flow, to_end: Flow) -> Maps:
        picture, share = self.pictures[number], number / self.length
        weights = (1 - share) * (_explained(picture, self.pictures[0], to_start) + _LEAST)
        others = share * (_explained(picture, self.pictures[-1], to_end) + _LEAST)
        part = (others / (weights + others))[..., None].astype(np.float32)
        return np.asarray(carried(self.stops, to_start) * (1 - part) + carried(self._end, to_end) * part, np.float32)


def _settled(found: Maps, before: Maps, picture: Maps, old: Maps, flow: Flow) -> Maps:
    """Return the gain of a keyframe from its estimate and the gain of the keyframe before it."""
    kept = carried(before, flow)
    same = _explained(picture, old, flow)[..., None]
    difference = found - kept
    large = np.sign(difference) * np.maximum(np.abs(difference) - np.float32(_SMALL), 0)
    return kept + (1 - same) * difference + same * np.float32(_BELIEVED) * large


def _explained(picture: Maps, other: Maps, flow: Flow) -> Maps:
    """Return how well (h, w) another picture explains a picture: from 0, not at all, to 1, but for noise."""
    left = blurred(np.abs(luma(picture) - carried(luma(other), flow))[..., 0])
    noise = min(float(np.median(left)), _SAME / 2)
    fit = np.exp(-np.square(np.maximum(left - np.float32(noise), 0) / np.float32(_SAME)))
    return np.asarray(fit * blurred(inside(flow).astype(np.float32)), np.float32)


def _is_cut(picture: Maps, before: Maps, back: Flow) -> bool:
    """Return whether two pictures show different scenes: no flow explains one by the other, nor have they its colours.

    A histogram alone would take two scenes of one place for one, a flow alone a fast pan for a cut.
    """
    left = float(np.abs(luma(picture) - carried(luma(before), back)).mean())
    return left > _CUT_LEVELS and _colour_distance(picture, before) > _CUT_COLOURS


def _colour_distance(picture: Maps, other: Maps) -> float:
    """Return the share of pixels whose colours the other picture does not have."""

    def histogram(colours: Maps) -> NDArray[np.float32]:
        found = cv2.calcHist([colours.clip(0, 1)], [0, 1, 2], None, [_BINS] * 3, [0, 1.0001] * 3)
        return np.asarray(found, np.float32) / np.float32(colours.shape[0] * colours.shape[1])

    return float(np.abs(histogram(picture) - histogram(other)).sum() / 2)
