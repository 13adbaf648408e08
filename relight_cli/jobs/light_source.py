"""The light of `relight` that is no photo of the view: one for all photos, or one of each photo's place and time."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import PhotoUnreadableError, UnfitOptionError, UsageError
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.light_files import is_light, light_paths, parse_mix, refuse_video
from relight_cli.jobs.light_options import LightOptions, check_one_source, light_of
from relight_cli.paths import is_file, is_folder
from relight_cli.photos.formats import format_of
from relight_cli.places.objects import ObjectPath, kept, place_of
from relight_cli.places.urls import is_url

if TYPE_CHECKING:
    from relight_cli.photos.capture_place import CaptureFacts
    from relight_cli.relighting.lights.light import Light

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(:\d\d)?(Z|[+-]\d\d:?\d\d)?")
_PLACE = ("sun_at", "place", "facing", "turbidity")
_MAP_SUFFIX = ".exr"  # a photo or a map: a map if it is twice as wide as high


def names_light(name: str | None) -> bool:
    """Return whether --light names a light that is no photo: a preset, a TOML file, a map, a mix, or no file at all."""
    if name is None:
        return True
    path = Path(name)
    if name == str(STDIO):
        return False
    if is_file(name):
        return is_light(name) or (path.suffix.lower() == _MAP_SUFFIX and _is_map(path))
    parts = parse_mix(name)
    if len(parts) > 1 or parts[0][1] != 1:
        return True
    return is_light(name) or not (format_of(path) or is_folder(name))


def place_named(name: str | None) -> Path | None:
    """Return the path that --light may name: of a file, or of an object that is copied when it is read."""
    return None if name is None else kept(place_of(name))


def file_named(place: Path | None, name: str) -> str:
    """Return the name of the local file of a light: `name`, or that of the copy of an object.

    Raises PhotoUnreadableError if an object cannot be read.
    """
    if not isinstance(place, ObjectPath):
        return str(place) if is_url(name) else name
    try:
        return os.fspath(place)
    except OSError as error:
        raise PhotoUnreadableError(
            f"{place}: cannot be read ({error.strerror}); check the name, your credentials and the connection"
        ) from error


def _is_map(path: Path) -> bool:
    """Return whether a picture is twice as wide as high; of an EXR the whole counts, of which it may store a part."""
    from relight_cli.photos.capture_time import read_header
    from relight_cli.photos.codecs.decoding import detect_format
    from relight_cli.photos.codecs.exr import read_display_size
    from relight_cli.places.objects import held

    try:
        header = read_header(path)
    except PhotoUnreadableError:
        return False
    with path.open("rb") as file:
        kind = detect_format(file)
    if kind != "EXR":
        return header.width == 2 * header.height
    with held(path) as copy:  # OpenEXR takes a name
        width, height = read_display_size(copy)
    return width == 2 * height


@dataclass(frozen=True)
class LightSource:
    """What --light and the options of a light say."""

    name: str | None
    options: LightOptions
    date: str | None = None  # of a time only

    def check(self) -> None:
        """Raise UsageError if the light, or the day of its time, is named in no way or in several."""
        if self.name is None and self.options == LightOptions():
            raise UsageError(
                "no light is named: give --light (a reference photo, a preset or a file), --sun or --sun-at; "
                "'relight-cli lights list' shows the presets."
            )
        if self.name is not None:
            for name, _ in parse_mix(self.name):
                refuse_video(name)
        check_one_source(self.name, self.options, needs_time=False)
        time = self.options.sun_at
        if self.date and time and names_day(time.split("..")[0]):
            raise UnfitOptionError(
                f"--date {self.date} and --sun-at {time} both name a day: give only one of them.", "--date"
            )

    @property
    def of_photo(self) -> bool:
        """Whether the light may depend on what a photo states: the place, the direction, the day, or the zone."""
        options = self.options
        if not options.given(_PLACE):
            return False
        if None in (options.place, options.facing, options.sun_at):
            return True
        return _CLOCK.fullmatch((options.sun_at or "").strip()) is not None

    @property
    def files(self) -> dict[str, Path]:
        """The files that the light is read from, in the form of `Recipe.files`."""
        paths = light_paths(self.name) if self.name is not None else []
        return {"light" if number == 1 else f"light_{number}": path for number, path in enumerate(paths, 1)}

    def recorded(self) -> dict[str, object]:
        """Return the identity of the light for `Recipe.more`: its name or words; the hash of a preset."""
        given = {
            field.name: value
            for field in fields(LightOptions)
            if (value := getattr(self.options, field.name)) != field.default
        }
        words: dict[str, object] = {"light_options": given} if given else {}
        if self.date:
            words["date"] = self.date
        if self.name is not None:
            words["light_name"] = ", ".join(f"{Path(name).name}:{weight:g}" for name, weight in parse_mix(self.name))
            words["light_sha256"] = self._sha256()
        return words

    def light(self, photo: str, facts: "CaptureFacts", notify: Callable[[str], None] = lambda note: None) -> "Light":
        """Return the light for a photo called `photo`. Raises UsageError, and what `light_files.load_light` raises.

        `notify` is called with a line on a light that is not quite the one asked for; it names a photo that states it.
        """
        if not self.of_photo:
            return light_of(self.name, self.options, notify)
        options = self.completed(photo, facts, notify)
        is_of_photo = options.sun_at != self.options.sun_at and not self.date
        return light_of(self.name, options, lambda note: notify(f"{photo}: {note}" if is_of_photo else note))

    def completed(
        self, photo: str, facts: "CaptureFacts", notify: Callable[[str], None] = lambda note: None
    ) -> LightOptions:
        """Return the options with place, direction and time, which a photo may state. Raises UsageError in one line.

        `notify` is called with a line if the direction that is taken counts from magnetic north, and if a time by the
        photo's offset from UTC is another one at the place.
        """
        options = self.options
        place, facing = options.place, options.facing
        if place is None:
            if facts.place is None:
                raise UsageError(f"{photo} does not say where it was taken: give --place LATITUDE,LONGITUDE.")
            place = f"{facts.place[0]:.6f},{facts.place[1]:.6f}"
        if facing is None:
            if facts.facing is None:
                raise UsageError(f"{photo} does not say where the camera looked: give --facing, such as SW.")
            facing = f"{facts.facing:.2f}"
            if facts.magnetic:
                notify(
                    f"{photo}: its direction, {facts.facing:.0f} degrees, counts from magnetic north and is taken as "
                    "from true north; if they differ much there, give --facing"
                )
        for text in (options.sun_at or "").split(".."):
            if note := self._zone_note(text, photo, facts, place):
                notify(note)
        return replace(options, place=place, facing=facing, sun_at=self.time(options.sun_at, photo, facts))

    def _zone_note(self, text: str, photo: str, facts: "CaptureFacts", place: str) -> str | None:
        """Return a note on a time of the clock, by the photo's offset from UTC, that the place has at another time.

        The camera may have been taken along from another place, or the offset be that of another season.
        """
        from relight_cli.relighting.lights.place import offset_text, parse_place, parse_time

        clock = _CLOCK.fullmatch(text.strip())
        if clock is None or clock[4] or facts.offset is None:
            return None
        taken = self.time(text, photo, facts)
        offset = offset_text(timedelta(seconds=facts.offset))
        local = offset_text(parse_time(taken.removesuffix(offset), *parse_place(place)).utcoffset())
        if local == offset:
            return None
        return f"{photo}: {text.strip()} has the offset of its EXIF data, {offset}; for that of the place add {local}"

    def time(self, text: str | None, photo: str, facts: "CaptureFacts") -> str:
        """Return a date and a time, with the offset that is given or else that of the photo. Raises UsageError."""
        from relight_cli.relighting.lights.place import check_year, offset_text

        clock = None if text is None else _CLOCK.fullmatch(text.strip())
        if text is not None and clock is None:
            return text
        taken = None if facts.taken is None else datetime.fromtimestamp(facts.taken, UTC).replace(tzinfo=None)
        offset = offset_text(None if facts.offset is None else timedelta(seconds=facts.offset))
        if clock is None:
            if taken is None:
                raise UsageError(f"{photo} does not say when it was taken: give --sun-at, such as 2026-06-21T19:30.")
            _check_taken(taken, photo, "--sun-at, such as 2026-06-21T19:30")
            return taken.isoformat(timespec="seconds") + offset
        hour, minute, second, zone = clock.groups()
        day = _day(self.date) if self.date else taken and taken.date()
        if day is None:
            raise UsageError(f"{photo} does not say the date of --sun-at {text}: give --date, such as 2026-06-21.")
        if self.date:
            check_year(day)
        else:
            _check_taken(day, photo, "--date, such as 2026-06-21")
        if int(hour) == 24 and minute == "00" and second in (None, ":00"):  # the end of a day
            day, hour = day + timedelta(days=1), 0
        return f"{day.isoformat()}T{int(hour):02}:{minute}{second or ''}{zone or offset}"

    def _sha256(self) -> str:
        from relight_cli.relighting.lights.look import to_toml

        return hashlib.sha256(to_toml(light_of(self.name, LightOptions())).encode()).hexdigest()


def _check_taken(day: date, photo: str, remedy: str) -> None:
    """Raise UsageError for the day of a photo that is none of the sun's, as of a camera whose clock is not set."""
    from relight_cli.relighting.lights.place import YEARS

    if not YEARS[0] <= day.year <= YEARS[1]:
        raise UsageError(f"{photo} says that it was taken in {day.year}, for which no sun is known: give {remedy}.")


def names_day(text: str) -> bool:
    """Return whether a time has a date, too."""
    return len(text.strip()) >= len("2026-06-21") and ":" not in text.strip()[:6]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--date {text}: not a date; write YYYY-MM-DD, such as 2026-06-21.") from None
