"""The times and the lights of a moving sun."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import UsageError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.light_options import LightOptions, light_of
from relight_cli.jobs.light_source import LightSource, names_day
from relight_cli.jobs.relight_options import RelightCommandOptions

if TYPE_CHECKING:
    from relight_cli.relighting.lights.light import Light


def sun_lights(source: LightSource, options: RelightCommandOptions, photo: Path, count: int) -> "Iterator[Light]":
    """Yield the light of each frame of a timelapse of a photo, after the notes on its place. Raises UsageError."""
    from relight_cli.photos.capture_place import read_facts

    notify = notifier(options.quiet)
    completed = source.completed(str(photo), read_facts(photo), notify)
    for time in sun_times(source, completed, photo, count, notify):
        yield light_of(None, replace(completed, sun_at=time.isoformat()))


def sun_times(
    source: LightSource,
    options: LightOptions,
    photo: Path,
    count: int,
    notify: Callable[[str], None] = lambda note: None,
) -> list[datetime]:
    """Return evenly spaced times of a range, FROM..TO, as --sun-at takes each; TO by the clock may be the next day.

    The steps are even also where the clocks are changed in between. `options` have a place; `notify` is called with a
    line on a time that the clocks skip or show twice. Raises UsageError.
    """
    from relight_cli.photos.capture_place import read_facts
    from relight_cli.relighting.lights.place import clock_note, parse_place, parse_time

    assert options.place is not None
    assert options.sun_at is not None
    latitude, longitude = parse_place(options.place)
    texts = options.sun_at.split("..")
    if len(texts) != 2 or not all(text.strip() for text in texts):
        raise UsageError(f"--sun-at {options.sun_at}: not a range; write FROM..TO, such as 06:00..21:00.")
    facts = read_facts(photo)
    first = parse_time(source.time(texts[0], str(photo), facts), latitude, longitude)
    same_day = source if source.date or names_day(texts[1]) else replace(source, date=first.date().isoformat())
    last = parse_time(same_day.time(texts[1], str(photo), facts), latitude, longitude)
    begin = first.astimezone(UTC)  # differences and sums of local times would be those of the clock
    if last.astimezone(UTC) <= begin and not names_day(texts[1]):
        last += timedelta(days=1)  # the same time by the clock
    for note in filter(None, map(clock_note, (first, last))):
        notify(note)
    length = last.astimezone(UTC) - begin
    if length <= timedelta():
        raise UsageError(f"--sun-at {options.sun_at}: the range ends before it begins; swap the times.")
    return [(begin + length * (number / (count - 1))).astimezone(first.tzinfo) for number in range(count)]
