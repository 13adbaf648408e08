"""The times of a video's frames."""

from bisect import bisect_left
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

    Times that are even except for rounding become those of the rate. Frames whose times are unknown or do not rise are
    placed evenly between their neighbours, and all frames are if these are most. `last` are the seconds of the last
    frame, if they are known.
    """
    even = tuple(number / rate for number in range(len(times)))
    rising = _longest_rise(times)
    if 2 * len(rising) < len(times):
        note = "some frames have no time of their own; all are taken as evenly spaced"
        return VideoTiming(even, 1 / rate, notes=(note,) if any(time is not None for time in times) else ())
    notes: tuple[str, ...] = ()
    if len(rising) < len(times):
        notes = ("some frames have no time of their own; they are placed between their neighbours",)
    own = _filled({number: times[number] or 0.0 for number in rising}, len(times), rate)
    own = tuple(time - own[0] for time in own)
    if all(abs(a - b) <= _MORE_THAN_JITTER * tick for a, b in zip(own, even, strict=True)):
        return VideoTiming(even, 1 / rate, notes=notes)
    return VideoTiming(own, last or 1 / rate, variable=True, notes=notes)


def _longest_rise(times: Sequence[float | None]) -> list[int]:
    """Return the places of the longest strictly rising subsequence."""
    ends: list[float] = []  # the smallest end of a rise of each length
    places: list[int] = []
    before: dict[int, int | None] = {}
    for number, time in enumerate(times):
        if time is None:
            continue
        length = bisect_left(ends, time)
        if ends[length : length + 1] == [time]:  # of frames with one time the first keeps it
            continue
        ends[length : length + 1] = [time]
        places[length : length + 1] = [number]
        before[number] = places[length - 1] if length else None
    rise: list[int] = []
    place = places[-1] if places else None
    while place is not None:
        rise.append(place)
        place = before[place]
    return rise[::-1]


def _filled(known: dict[int, float], count: int, rate: float) -> tuple[float, ...]:
    """Return times of all frames from those of some: between two evenly, before and after all at a rate."""
    numbers = sorted(known)
    first, end = numbers[0], numbers[-1]
    times = [known[first] - (first - number) / rate for number in range(first)]
    for here, after in pairwise(numbers):
        step = (known[after] - known[here]) / (after - here)
        times += [known[here] + step * number for number in range(after - here)]
    return (*times, *(known[end] + (number - end) / rate for number in range(end, count)))


def ticks_of(times: Sequence[float], clock: int) -> dict[int, int]:
    """Return start and duration of frames in ticks of a clock; `times` ends with the end of the last frame.

    A frame is shown for a tick at least.
    """
    ticks = [round(time * clock) for time in times]
    for number in range(1, len(ticks)):
        ticks[number] = max(ticks[number], ticks[number - 1] + 1)
    return {start: end - start for start, end in pairwise(ticks)}
