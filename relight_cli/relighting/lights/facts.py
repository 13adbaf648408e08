"""A light described for people."""

import math

import numpy as np
from numpy.typing import ArrayLike

from relight_cli.relighting.lights.light import LUMINANCE, Light, Sun
from relight_cli.relighting.lights.spectra import temperature_of_colour
from relight_cli.relighting.lights.words import angles_of, name_of

_HARD, _SOFT = 1.0, 8.0  # degrees: shadows of a smaller sun look hard, of a larger one soft
_SIDES = {
    "above": (0.0, 1.0, 0.0),
    "below": (0.0, -1.0, 0.0),
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "front": (0.0, 0.0, 1.0),
    "back": (0.0, 0.0, -1.0),
}


def facts(light: Light) -> list[tuple[str, str]]:
    """Return names and values that describe a light, in reading order."""
    rows = [("origin", light.origin or "unknown"), ("exposure", f"{light.exposure:+.2f} stops")]
    rows += [("sun", _describe(sun)) for sun in light.suns] or [("sun", "none: ambient light only")]
    ambient = {name: light.scaled(1 / light.factor).ambient(side) for name, side in _SIDES.items()}
    strongest = max(float(colour @ LUMINANCE) for colour in ambient.values())
    mean = np.mean([*ambient.values()], axis=0)
    rows.append(("ambient", f"irradiance {mean @ LUMINANCE:.3g}, {_colour(mean)}"))
    shares = ", ".join(f"{name} {colour @ LUMINANCE / strongest:.0%}" for name, colour in ambient.items())
    rows.append(("from", shares))
    return rows


def _describe(sun: Sun) -> str:
    azimuth, elevation = angles_of(sun.direction)
    kind = "hard" if sun.radius < _HARD else "soft" if sun.radius > _SOFT else "slightly soft"
    return (
        f"{name_of(azimuth, elevation)} (azimuth {azimuth:.0f}, elevation {elevation:.0f}), irradiance "
        f"{sun.luminance:.3g}, {_colour(sun.irradiance)}, radius {sun.radius:.3g} degrees: {kind} shadows"
    )


def _colour(rgb: ArrayLike) -> str:
    """Return a colour as #rrggbb of its brightest sRGB, and its temperature if it has one."""
    light = np.asarray(rgb, float)
    if not light.max() > 0:
        return "black"
    share = light / light.max()
    encoded = np.where(share <= 0.0031308, 12.92 * share, 1.055 * np.clip(share, 0.0031308, None) ** (1 / 2.4) - 0.055)
    name = "#" + "".join(f"{math.floor(255 * value + 0.5):02x}" for value in encoded)
    kelvin = temperature_of_colour(light)
    return f"{name}, {round(kelvin, -2):.0f} K" if kelvin else name
