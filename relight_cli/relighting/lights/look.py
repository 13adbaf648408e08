"""Lights as TOML text that people can read and edit."""

import json
import math
from collections.abc import Iterable
from typing import Any

from relight_cli.errors import LightUnreadableError, UsageError
from relight_cli.relighting.lights.harmonics import NAMES
from relight_cli.relighting.lights.light import SUN_RADIUS, Light, Sun
from relight_cli.toml_files import parse_toml

VERSION = 1
_DIGITS = 7  # significant digits, as many as float32 has
_KEYS = {"version", "origin", "exposure", "fitted", "harmonics", "sky", "sun"}
_SUN_KEYS = {"direction", "irradiance", "radius"}
_MEANINGS = (
    "from all sides",
    "more from above (+) or below (-)",
    "more from the viewer (+) or from behind the subject (-)",
    "more from the right (+) or left (-)",
    *5 * ("finer",),
)


def to_toml(light: Light) -> str:
    """Return a light as commented TOML, its numbers rounded to seven significant digits."""
    import tomlkit

    document = tomlkit.document()
    for line in (
        "A light for relight-cli. Numbers are linear sRGB: red, green, blue.",
        "Axes: x right, y up, z towards the viewer. An irradiance of 1 lets a white surface be just white.",
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    document.add("version", tomlkit.item(VERSION).comment("of this format"))
    document.add("origin", tomlkit.item(_one_line(light.origin)))
    document.add("exposure", tomlkit.item(_rounded([light.exposure])[0]).comment("stops; all light times 2^exposure"))
    if light.fitted:
        document.add("fitted", tomlkit.item(True).comment("to a photo: lit photos follow its brightness"))
    document.add(tomlkit.nl())
    document.add(
        tomlkit.comment("Ambient light: radiance as spherical harmonics of orders 0 to 2. The first row is the")
    )
    document.add(tomlkit.comment("average (times 0.886: the irradiance), the others say where more of it comes from."))
    rows = tomlkit.array()
    peak = max((abs(number) for row in light.harmonics for number in row), default=0.0)
    for row, name, meaning in zip(light.harmonics, NAMES, _MEANINGS, strict=True):
        rows.add_line(_rounded(row, peak), comment=f"{name}: {meaning}")
    rows.add_line(indent="")
    document.add("harmonics", rows)
    if light.sky is not None:
        document.add("sky", tomlkit.item(_rounded(light.sky)).comment("what the sky in a picture shows"))
    suns = tomlkit.aot()
    for sun in light.suns:
        table = tomlkit.table()
        table.add("direction", tomlkit.item(_rounded(sun.direction, 1.0)).comment("towards the light; any length"))
        table.add("irradiance", tomlkit.item(_rounded(sun.irradiance)).comment("on a surface that faces it"))
        table.add("radius", tomlkit.item(_rounded([sun.radius])[0]).comment("degrees; larger has softer shadows"))
        suns.append(table)
    if light.suns:
        document.add("sun", suns)
    return tomlkit.dumps(document)


def from_toml(text: str, name: str) -> Light:
    """Return the light of a TOML text; `name` is the file's, for messages.

    Raises LightUnreadableError, which names the file, the key and the remedy.
    """
    try:
        table = parse_toml(text, name)
    except UsageError as error:
        raise LightUnreadableError(str(error)) from error
    _check_keys(table, _KEYS, name, "")
    version = table.get("version")
    if isinstance(version, bool) or version != VERSION:
        stated = "missing" if version is None else json.dumps(version, default=str)
        raise LightUnreadableError(f"{name}: version is {stated}, not {VERSION}; save the light with this relight-cli")
    harmonics = table.get("harmonics")
    if not isinstance(harmonics, list) or len(harmonics) != len(NAMES):
        raise LightUnreadableError(f"{name}: harmonics: give {len(NAMES)} rows of red, green and blue")
    rows = tuple(_numbers(row, 3, name, f"harmonics, row {number}") for number, row in enumerate(harmonics, 1))
    if min(rows[0]) < 0:
        raise LightUnreadableError(f"{name}: harmonics, row 1: light from all sides cannot be negative; give 0 or more")
    suns = table.get("sun", [])
    if not (isinstance(suns, list) and all(isinstance(sun, dict) for sun in suns)):
        raise LightUnreadableError(f"{name}: sun: write each one as a table below [[sun]]")
    origin = table.get("origin", "")
    if not isinstance(origin, str):
        raise LightUnreadableError(f"{name}: origin: give a text in quotes")
    exposure = _numbers([table.get("exposure", 0.0)], 1, name, "exposure")[0]
    sky = _numbers(table["sky"], 3, name, "sky") if "sky" in table else None
    fitted = table.get("fitted", False)
    if not isinstance(fitted, bool):
        raise LightUnreadableError(f"{name}: fitted: give true or false")
    found = tuple(_sun(sun, name, f"sun {at}") for at, sun in enumerate(suns, 1))
    try:
        return Light(rows, found, exposure, origin, sky, fitted)  # type: ignore[arg-type]
    except UsageError as error:
        raise LightUnreadableError(f"{name}: {error}") from None


def _sun(table: dict[str, Any], name: str, key: str) -> Sun:
    _check_keys(table, _SUN_KEYS, name, f"{key}: ")
    direction = _numbers(table.get("direction"), 3, name, f"{key}: direction")
    irradiance = _numbers(table.get("irradiance"), 3, name, f"{key}: irradiance")
    radius = _numbers([table.get("radius", SUN_RADIUS)], 1, name, f"{key}: radius")[0]
    try:
        return Sun(direction, irradiance, radius)  # type: ignore[arg-type]
    except UsageError as error:
        raise LightUnreadableError(f"{name}: {key}: {error}") from None


def _check_keys(table: dict[str, Any], known: set[str], name: str, where: str) -> None:
    if unknown := sorted(set(table) - known):
        raise LightUnreadableError(f"{name}: {where}{unknown[0]} is not a key; the keys are {', '.join(sorted(known))}")


def _numbers(values: Any, count: int, name: str, key: str) -> tuple[float, ...]:
    def is_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30

    if not (isinstance(values, list) and len(values) == count and all(map(is_number, values))):
        wanted = "a number" if count == 1 else f"{count} numbers in brackets"
        raise LightUnreadableError(f"{name}: {key}: give {wanted}")
    return tuple(float(value) for value in values)


def _rounded(values: Iterable[float], peak: float = 0.0) -> list[float]:
    """Return values with seven significant digits, 0 for what is nothing next to `peak`."""
    return [_significant(value) if abs(value) > peak * 1e-9 else 0.0 for value in values]


def _significant(value: float) -> float:
    return float(f"{value:.{_DIGITS - 1}e}") if math.isfinite(value) else value


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
