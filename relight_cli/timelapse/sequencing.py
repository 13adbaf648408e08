"""Plan the output frames of a sequence, and find the keyframes that they depend on."""

from bisect import bisect_left, bisect_right
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class Ease(StrEnum):
    """How the light changes from one keyframe to the next."""

    LINEAR = "linear"
    SMOOTH = "smooth"
    CATMULL_ROM = "catmull-rom"


class Mode(StrEnum):
    """What is interpolated: the light or the pixels."""

    AUTO = "auto"
    LATENT = "latent"
    IMAGE = "image"


class Content(StrEnum):
    """Whose objects are shown between two keyframes."""

    BOTH = "both"
    FIRST = "first"


@dataclass(frozen=True)
class OutputFrame:
    """One frame to make."""

    time: float  # on the keyframes' scale
    keyframe: int | None = None  # the number of the keyframe at this time


def keyframe_times(taken: list[float | None]) -> tuple[list[float], bool]:
    """Return strictly rising times of ordered keyframes, and whether they are capture times; else they are numbers."""
    known = [time for time in taken if time is not None]
    if len(known) == len(taken) and all(a < b for a, b in pairwise(known)):
        return [time - known[0] for time in known], True
    return [float(number) for number in range(len(taken))], False


def frames_between(times: list[float], between: int) -> list[OutputFrame]:
    """Return all keyframes, with `between` evenly spaced frames between every two."""
    planned = []
    for number, (here, after) in enumerate(pairwise(times)):
        planned.append(OutputFrame(here, number))
        planned += [OutputFrame(here + (after - here) * k / (between + 1)) for k in range(1, between + 1)]
    return [*planned, OutputFrame(times[-1], len(times) - 1)]


def evenly_spaced(times: list[float], count: int) -> list[OutputFrame]:
    """Return `count` (2 or more) evenly spaced frames from the first keyframe to the last."""
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
    """Return the keyframes that an output frame depends on, with the `missing` ones between, which cannot be read.

    These are the two around it (or the one at its time), for the slopes of catmull-rom also the next on either side,
    and with deflicker all in the `window` of frames around any of these (0: no deflicker).
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
    """Return the share of the way that is done at the share `t` of the time; both in [0, 1]."""
    return t * t * (3 - 2 * t) if ease == Ease.SMOOTH else t
