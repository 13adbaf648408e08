"""The light of a place at a time: where the sun stands, and what sun and sky give."""

import math
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.clear_sky import (
    CLEAR,
    DISC,
    GROUND,
    check_turbidity,
    sky_radiance,
    sun_irradiance,
)
from relight_cli.relighting.lights.harmonics import project, sphere_grid
from relight_cli.relighting.lights.light import Light, Sun, Vector, as_rows
from relight_cli.relighting.lights.words import LEVEL, direction_of

KILOLUX = 0.01  # irradiance of 1 klx: 1 is the full sun of noon
YEARS = (1800, 2200)  # for which astral's formulas hold
ADAPTATION = 0.85  # share of the stops between day and dusk that a camera's exposure makes up for


def sun_position(time: datetime, latitude: float, longitude: float) -> tuple[float, float]:
    """Return azimuth (degrees clockwise from north) and elevation of the sun, lifted by the air's refraction.

    `time` has a time zone; latitude is positive in the north, longitude in the east, in degrees. Raises UsageError.
    """
    from astral import Observer
    from astral.sun import azimuth, elevation

    if time.tzinfo is None:
        raise UsageError(f"{time.isoformat()}: the time has no zone; add an offset from UTC, such as +02:00.")
    check_year(time)
    check_place(latitude, longitude)
    observer, at = Observer(latitude, longitude), time.astimezone(UTC)
    return float(azimuth(observer, at)), float(elevation(observer, at))


def check_year(day: date) -> None:
    """Raise UsageError for a day, or a time, of which the sun is not known."""
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise UsageError(
            f"{day.isoformat()}: the sun is known for the years {YEARS[0]} to {YEARS[1]}; give one of them."
        )


def check_place(latitude: float, longitude: float) -> None:
    """Raise UsageError for a place that is not on the earth."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise UsageError(
            f"--place {latitude:g},{longitude:g}: not on the earth; give LATITUDE,LONGITUDE, -90 to 90 and -180 to 180."
        )


def parse_place(text: str) -> tuple[float, float]:
    """Return latitude and longitude of "48.14,11.58". Raises UsageError."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--place {text}: not a place; give LATITUDE,LONGITUDE in degrees, such as 48.14,11.58."
        ) from None
    check_place(latitude, longitude)
    return latitude, longitude


def parse_time(text: str, latitude: float, longitude: float) -> datetime:
    """Return the time of "2026-06-21T19:30+02:00"; without an offset it is the civil time of the place.

    Of a time that the clocks show twice the first is taken; one that they skip is read by the clock before the change:
    `clock_note` says so. Raises UsageError.
    """
    try:
        time = None if _is_date(text.strip()) else datetime.fromisoformat(text.strip())
    except ValueError:
        time = None
    if time is None:
        raise UsageError(
            f"--sun-at {text}: not a date and a time; write 2026-06-21T19:30, with an offset from UTC, such as +02:00, "
            "where the time is not that of the place."
        )
    check_year(time)
    return time if time.tzinfo else time.replace(tzinfo=zone_of(latitude, longitude))


def _is_date(text: str) -> bool:
    """Return whether a text is a date without a time, which `datetime` takes for midnight."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def clock_note(time: datetime) -> str | None:
    """Return a note on a time in the zone of a place if the clocks there skip it, or show it twice."""
    if time.tzinfo is None or time.utcoffset() == time.replace(fold=1 - time.fold).utcoffset():
        return None
    shown = time.astimezone(UTC).astimezone(time.tzinfo)
    clock, zone = time.replace(tzinfo=None).isoformat(timespec="minutes"), f"the clocks of {time.tzinfo}"
    if shown.replace(tzinfo=None) != time.replace(tzinfo=None):
        taken = shown.isoformat(timespec="minutes")
        return f"{clock}: {zone} skip this time, and {taken} is taken; if another is meant, add its offset to --sun-at"
    taken, second = (offset_text(time.replace(fold=fold).utcoffset()) for fold in (0, 1))
    return f"{clock}: {zone} show this time twice, and the first is taken ({taken}); for the second add {second}"


def offset_text(offset: timedelta | None) -> str:
    """Return an offset from UTC as in ISO 8601, with seconds if it has some; "" for none."""
    if offset is None:
        return ""
    minutes, seconds = divmod(round(abs(offset.total_seconds())), 60)
    text = f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text


def zone_of(latitude: float, longitude: float) -> tzinfo:
    """Return the time zone of a place, from the map of zones that tzfpy carries; at sea that of the longitude.

    Raises UsageError if this machine knows no rules for the zone.
    """
    import tzfpy

    name = tzfpy.get_tz(longitude, latitude) or "Etc/UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise UsageError(
            f"the time zone {name} is not on this machine: add an offset from UTC to the time, or pip install tzdata."
        ) from None


def light_of_place(time: datetime, latitude: float, longitude: float, facing: float, turbidity: float = CLEAR) -> Light:
    """Return the clear-sky light of a place at a time for a camera that looks level towards `facing`.

    `time` has a time zone, `facing` is in degrees clockwise from north. In the harmonics and suns, irradiance 1 is 100
    klx; the exposure is a camera's, which leaves dusk and night darker than day. Raises UsageError.
    """
    azimuth, elevation = sun_position(time, latitude, longitude)
    light = light_of_clear_sky(180 - (azimuth - facing), elevation, turbidity)
    origin = (
        f"{time.isoformat(timespec='minutes')} at {latitude:g},{longitude:g} facing {facing:g}: sun at azimuth "
        f"{azimuth:.1f}, elevation {elevation:.1f}, turbidity {turbidity:g}"
    )
    return Light(light.harmonics, light.suns, light.exposure, origin)


def light_of_clear_sky(azimuth: float, elevation: float, turbidity: float = CLEAR) -> Light:
    """Return the clear-sky light of a sun at an azimuth from the viewer's axis (see `words`) and an elevation."""
    check_turbidity(turbidity)
    to_sun = direction_of(azimuth, elevation)
    direct = KILOLUX * sun_irradiance(elevation, turbidity)
    suns = (Sun(to_sun, _vector(direct), DISC),) if direct.max() > 0 else ()
    directions, angles = sphere_grid()
    up = directions[:, 1] > 0
    radiance = np.empty_like(directions)
    radiance[up] = KILOLUX * sky_radiance(directions[up], to_sun, turbidity)
    level = (radiance[up] * (directions[up, 1] * angles[up])[:, None]).sum(axis=0)
    level += direct * max(0.0, math.sin(math.radians(elevation)))
    radiance[~up] = GROUND / math.pi * level
    light = Light(as_rows(project(radiance, directions, angles)), suns)
    stops = math.log2(LEVEL / max(light.average(), 1e-12))
    noon = math.log2(LEVEL / _NOON)
    exposure = noon + ADAPTATION * (stops - noon)
    return Light(
        light.harmonics, light.suns, exposure, f"clear sky, sun {azimuth:g},{elevation:g}, turbidity {turbidity:g}"
    )


_NOON = 0.45  # average irradiance of a sphere in a clear noon's light: where a camera's exposure gives LEVEL


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
