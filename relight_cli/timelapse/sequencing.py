"""Which frames of a sequence are wanted, and the ways from one keyframe to the next."""

from bisect import bisect_left, bisect_right
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class Ease(StrEnum):
    """How the light goes from one keyframe to the next."""

    LINEAR = "linear"
    SMOOTH = "smooth"
    CATMULL_ROM = "catmull-rom"


class Mode(StrEnum):
    """What is interpolated: light or pixels."""

    AUTO = "auto"
    LATENT = "latent"
    IMAGE = "image"


class Content(StrEnum):
    """Whose things are shown between two keyframes."""

    BOTH = "both"
    FIRST = "first"


@dataclass(frozen=True)
class OutputFrame:
    """One frame to make."""

    time: float  # on the keyframes' scale
    keyframe: int | None = None  # the keyframe that lies at this time


def keyframe_times(taken: list[float | None]) -> tuple[list[float], bool]:
    """Give strictly rising times of ordered keyframes: when they were taken, if that is known, else their numbers."""
    known = [time for time in taken if time is not None]
    if len(known) == len(taken) and all(a < b for a, b in pairwise(known)):
        return [time - known[0] for time in known], True
    return [float(number) for number in range(len(taken))], False


def frames_between(times: list[float], between: int) -> list[OutputFrame]:
    """Return all keyframes, with `between` frames at equal distances between any two."""
    planned = []
    for number, (here, after) in enumerate(pairwise(times)):
        planned.append(OutputFrame(here, number))
        planned += [OutputFrame(here + (after - here) * k / (between + 1)) for k in range(1, between + 1)]
    return [*planned, OutputFrame(times[-1], len(times) - 1)]


def evenly_spaced(times: list[float], count: int) -> list[OutputFrame]:
    """Return `count` (2 or more) frames at equal distances from the first keyframe to the last."""
    span, near = times[-1] - times[0], 1e-6
    planned, keyframe = [], 0
    for k in range(count):
        time = times[0] + span * k / (count - 1)
        while keyframe + 1 < len(times) and times[keyframe] < time - near * span:
            keyframe += 1
        hit = abs(times[keyframe] - time) <= near * span
        planned.append(OutputFrame(times[keyframe], keyframe) if hit else OutputFrame(time))
    return planned


def keyframes_needed(
    frame: OutputFrame, times: list[float], ease: Ease, window: int, missing: Container[int] = frozenset()
) -> range:
    """Give the keyframes on which the frame of a frame depends, those `missing`, which cannot be read, among them.

    These are the two around it (or the one there), the next on either side too for the slopes of catmull-rom, and
    those over whose `window` of frames the light of any of them is smoothed (0: not).
    """

    def readable(number: int, step: int) -> int:
        while number in missing:
            number += step
        return number

    first = readable(bisect_right(times, frame.time) - 1, -1)
    last = readable(bisect_left(times, frame.time), +1)
    if first != last and ease == Ease.CATMULL_ROM:
        first, last = readable(first - 1, -1), readable(last + 1, +1)
    return range(max(0, first - window // 2), min(len(times), last + window // 2 + 1))


def eased(t: float, ease: Ease) -> float:
    """Give the share of the way that is done at the share `t` of the time; both in [0, 1]."""
    return t * t * (3 - 2 * t) if ease == Ease.SMOOTH else t
