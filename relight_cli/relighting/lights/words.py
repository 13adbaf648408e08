"""Lights in words: a direction, a temperature, a softness.

Azimuth 0 is behind the camera, so that the light is frontal; 90 is right, 180 behind the subject, -90 left. Elevation
0 is the horizon, 90 above.
"""

import math
import re
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.light import SUN_RADIUS, WIDEST, Light, Sun, Vector, as_rows
from relight_cli.relighting.lights.spectra import colour_of_temperature

AZIMUTHS = {
    "front": 0,
    "front-right": 45,
    "right": 90,
    "back-right": 135,
    "back": 180,
    "back-left": -135,
    "left": -90,
    "front-left": -45,
}
TOP = "top"
ELEVATION = 35.0  # degrees, of a direction without one
NEUTRAL = 6500.0  # kelvin: the white of sRGB
AMBIENT = 0.3  # share of the ambient light on a surface that faces the sun
LEVEL = 0.5  # average irradiance of a well exposed light, see Light.average
_FROM_ABOVE = 0.5  # the ambient radiance is 1 + this x height: three times as much from above as from below


def direction_of(azimuth: float, elevation: float) -> Vector:
    """Return the unit vector (x right, y up, z towards the viewer) of angles in degrees."""
    across, up = math.radians(azimuth), math.radians(elevation)
    return (math.cos(up) * math.sin(across), math.sin(up), math.cos(up) * math.cos(across))


def angles_of(direction: ArrayLike) -> tuple[float, float]:
    """Return azimuth, -180 to 180, and elevation in degrees of a direction; the inverse of `direction_of`."""
    x, y, z = (float(part) for part in np.asarray(direction, float))
    return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(y, math.hypot(x, z)))


def name_of(azimuth: float, elevation: float) -> str:
    """Return the nearest name of a direction."""
    if elevation > 75:
        return TOP
    return min(AZIMUTHS, key=lambda name: abs((azimuth - AZIMUTHS[name] + 180) % 360 - 180))


def parse_sun(text: str) -> tuple[float, float]:
    """Return azimuth and elevation in degrees of "left,35", "left", "top", "-60,35" or "-60". Raises UsageError."""
    where, _, height = (part.strip() for part in text.partition(","))
    name = where.lower()
    swapped = "-".join(reversed(name.split("-")))
    try:
        if name == TOP and not height:
            return 0.0, 90.0
        known = AZIMUTHS.get(name, AZIMUTHS.get(swapped))
        azimuth = float(known) if known is not None else float(where)
        elevation = float(height) if height else ELEVATION
    except ValueError:
        names = ", ".join((*AZIMUTHS, TOP))
        raise UsageError(
            f"--sun {text}: not a direction; give AZIMUTH,ELEVATION in degrees, or one of {names} and an elevation, "
            "such as left,35."
        ) from None
    return _in_range(azimuth, elevation, text)


def _in_range(azimuth: float, elevation: float, text: str) -> tuple[float, float]:
    if not (-360 <= azimuth <= 360 and -90 <= elevation <= 90):
        raise UsageError(f"--sun {text}: out of range; the azimuth is -360 to 360, the elevation -90 to 90 degrees.")
    return azimuth, elevation


def light_from_words(
    sun: str | tuple[float, float] | None = None,
    *,
    kelvin: float = NEUTRAL,
    soft: float = SUN_RADIUS,
    ambient: float = AMBIENT,
    ambient_kelvin: float | None = None,
    exposure: float = 0.0,
) -> Light:
    """Return a well exposed light from a direction and ambient light, brighter above than below.

    `sun` is a text for `parse_sun` or (azimuth, elevation) in degrees; None leaves ambient light only. `kelvin` is the
    temperature of the sun, `ambient_kelvin` that of the ambient light: by default 6500, without a sun `kelvin`.
    `soft` is the angular radius in degrees, `ambient` the share of ambient light, 0 to 1, on an upright surface that
    faces the sun, `exposure` in stops. Raises UsageError for values out of range.
    """
    if not 0 <= ambient <= 1:
        raise UsageError(f"--ambient {ambient:g} is out of range: give 0 (only the sun) to 1 (only ambient light).")
    if not 0 < soft <= WIDEST:
        raise UsageError(f"--soft {soft:g} is out of range: give more than 0 and at most {WIDEST:g} degrees.")
    angles = parse_sun(sun) if isinstance(sun, str) else sun and _in_range(*sun, f"{sun[0]:g},{sun[1]:g}")
    if angles is None:
        ambient = 1.0
    if ambient_kelvin is None:
        ambient_kelvin = kelvin if ambient == 1 else NEUTRAL  # nothing is left of the sun
    even = ambient * colour_of_temperature(ambient_kelvin)
    suns, words = [], []
    if angles is not None and ambient < 1:
        suns.append(Sun(direction_of(*angles), _vector((1 - ambient) * colour_of_temperature(kelvin)), soft))
        words += [f"sun {angles[0]:g},{angles[1]:g}", f"{kelvin:g} K", f"soft {soft:g}"]
    words += [f"ambient {ambient:g}", f"{ambient_kelvin:g} K"] if ambient else []
    light = Light(ambient_harmonics(even), tuple(suns), origin="words: " + ", ".join(words))
    return exposed(light, exposure)


def ambient_harmonics(irradiance: ArrayLike) -> tuple[Vector, ...]:
    """Return harmonics of light from all sides, brighter above, that gives upright surfaces this irradiance (3,)."""
    rows = np.zeros((9, 3))
    even = np.asarray(irradiance, float) / math.pi  # radiance towards the horizon
    rows[0] = even * math.sqrt(4 * math.pi)
    rows[1] = _FROM_ABOVE * even * math.sqrt(4 * math.pi / 3)
    return as_rows(rows)


def exposed(light: Light, exposure: float = 0.0) -> Light:
    """Return the light times what brings its average to LEVEL, with an exposure in stops. Darkness stays dark."""
    average = light.scaled(1 / light.factor).average()
    scaled = light.scaled(LEVEL / average) if average > 1e-6 else light
    return replace(scaled, exposure=exposure)


_COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_POINTS = {"NORTH": "N", "EAST": "E", "SOUTH": "S", "WEST": "W"}


def parse_facing(text: str) -> float:
    """Return degrees clockwise from north, 0 to 360, of "SW", "south-west" or "225". Raises UsageError."""
    word = text.strip().upper()
    for name, letter in _POINTS.items():
        word = word.replace(name, letter)
    short = re.sub(r"[-_ ]", "", word)
    if short in _COMPASS:
        return _COMPASS.index(short) * 22.5
    try:
        degrees = float(text)
    except ValueError:
        degrees = math.nan
    if not -360 <= degrees <= 360:
        raise UsageError(f"--facing {text}: not a direction; give a point of the compass, such as SW, or degrees.")
    return degrees % 360


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
