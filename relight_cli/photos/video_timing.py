"""The times of a video's frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_MORE_THAN_JITTER = 2  # ticks of the container's clock


@dataclass(frozen=True)
class VideoTiming:
    """When each frame is shown."""

    times: tuple[float, ...]  # strictly rising, in seconds, from 0 on
    last: float  # seconds for which the last frame is shown
    variable: bool = False  # the frames are not evenly spaced
    notes: tuple[str, ...] = ()


def timing_of(times: Sequence[float | None], rate: float, tick: float, last: float | None) -> VideoTiming:
    """Return the times of frames at a nominal `rate`, where the container counts time in ticks.

    Times that are even except for rounding become those of the rate, and so do times that are unknown or do not rise.
    `last` are the seconds of the last frame, if they are known.
    """
    even = tuple(number / rate for number in range(len(times)))
    known = [time for time in times if time is not None]
    if len(known) < len(times) or any(a >= b for a, b in pairwise(known)):
        note = "some frames have no time of their own; they are taken as evenly spaced"
        return VideoTiming(even, 1 / rate, notes=(note,) if known else ())
    own = tuple(time - known[0] for time in known)
    if all(abs(a - b) <= _MORE_THAN_JITTER * tick for a, b in zip(own, even, strict=True)):
        return VideoTiming(even, 1 / rate)
    return VideoTiming(own, last or 1 / rate, variable=True)


def ticks_of(times: Sequence[float], clock: int) -> dict[int, int]:
    """Return start and duration of frames in ticks of a clock; `times` ends with the end of the last frame.

    A frame is shown for a tick at least.
    """
    ticks = [round(time * clock) for time in times]
    for number in range(1, len(ticks)):
        ticks[number] = max(ticks[number], ticks[number - 1] + 1)
    return {start: end - start for start, end in pairwise(ticks)}
