"""The options that name a light, and the light that they name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.errors import UnfitOptionError, UsageError

if TYPE_CHECKING:
    from relight_cli.relighting.lights.light import Light

_WORDS = ("sun", "kelvin", "soft", "ambient", "ambient_kelvin")
_PLACE = ("sun_at", "place", "facing", "turbidity")


@dataclass(frozen=True)
class LightOptions:
    """A light in words, or of a place and a time; None where an option is not given."""

    sun: Annotated[
        str | None,
        typer.Option(
            "--sun",
            metavar="WHERE[,ELEVATION]",
            help="Direction of the light: left, right, front, back, front-left ..., top, or an azimuth in degrees (0: "
            "from behind the camera, 90: right); elevation in degrees, 35 by default.",
        ),
    ] = None
    kelvin: Annotated[
        float | None,
        typer.Option(metavar="K", help="Colour temperature of the light; 6500 is white, less is warmer."),
    ] = None
    soft: Annotated[
        float | None,
        typer.Option(metavar="DEGREES", help="Angular radius of the light: 0.27 is the sun, 5 to 30 a window."),
    ] = None
    ambient: Annotated[
        float | None,
        typer.Option(metavar="X", help="Share of ambient light on a surface that faces the light, 0 to 1; 0.3."),
    ] = None
    ambient_kelvin: Annotated[
        float | None,
        typer.Option("--ambient-kelvin", metavar="K", help="Colour temperature of the ambient light; 6500."),
    ] = None
    sun_at: Annotated[
        str | None,
        typer.Option(
            "--sun-at",
            metavar="TIME",
            help="Sun and clear sky at a time, such as 2026-06-21T19:30; in the zone of the place unless an offset "
            "(+02:00) follows.",
        ),
    ] = None
    place: Annotated[
        str | None, typer.Option(metavar="LAT,LON", help="Place of --sun-at in degrees, such as 48.14,11.58.")
    ] = None
    facing: Annotated[
        str | None,
        typer.Option(
            metavar="SW|DEGREES", help="Where the camera looks: a point of the compass, or degrees from north."
        ),
    ] = None
    turbidity: Annotated[
        float | None,
        typer.Option(metavar="T", help="Haze of the sky: 2 (mountain air), 3 (clear; default) to 10 (haze)."),
    ] = None
    rotate: Annotated[
        float, typer.Option(metavar="DEGREES", help="Turn the light: from the front to the right for 90.")
    ] = 0.0
    exposure: Annotated[float, typer.Option(metavar="STOPS", help="Make the light brighter or darker.")] = 0.0

    def given(self, names: tuple[str, ...]) -> list[str]:
        """Return those of the options that the user has given, as on the command line."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


def light_of(name: str | None, options: LightOptions, notify: Callable[[str], None] = lambda note: None) -> "Light":
    """Return the light that a name (see `light_files.load_mix`) or options name, turned and exposed.

    Raises UsageError if not exactly one kind of light is named, and what `load_light` raises.
    """
    from dataclasses import replace

    check_one_source(name, options)
    if name is not None:
        from relight_cli.jobs.light_files import load_mix

        light = load_mix(name, notify)
    elif options.sun_at is not None:
        light = _light_of_place(options, notify)
    else:
        from relight_cli.relighting.lights.words import light_from_words

        words = {name: value for name in _WORDS if (value := getattr(options, name)) is not None}
        light = light_from_words(**words)
    if options.rotate:
        light = light.turned(options.rotate)
    changes = [f"turned by {options.rotate:g} degrees"] if options.rotate else []
    changes += [f"{options.exposure:+g} stops"] if options.exposure else []
    return replace(light, exposure=light.exposure + options.exposure, origin=", ".join([light.origin, *changes]))


def check_one_source(name: str | None, options: LightOptions, *, needs_time: bool = True) -> None:
    """Raise UsageError if the light is named in no way or in several; without `needs_time` a photo may state it."""
    words, place = options.given(_WORDS), options.given(_PLACE)
    ways = [*([name] if name is not None else []), *words[:1], *place[:1]]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} name different lights: give only one.")
    if not ways:
        raise UsageError(
            "no light is named: give a preset, a file, --sun, or --sun-at; 'relight-cli lights list' shows the presets."
        )
    if words and options.sun is None and (idle := options.given(("soft", "ambient"))):
        raise UnfitOptionError(f"{idle[0]} needs a sun: give --sun too, such as --sun left,35.", idle[0])
    if options.sun is None and options.kelvin is not None and options.ambient_kelvin is not None:
        raise UsageError("without --sun, --kelvin and --ambient-kelvin both name the ambient light: give only one.")
    if place and options.sun_at is None and needs_time:
        raise UnfitOptionError(f"{place[0]} needs --sun-at: a date and a time, such as 2026-06-21T19:30.", place[0])
    for value, most, option in ((options.rotate, 360, "--rotate"), (options.exposure, 20, "--exposure")):
        if not abs(value) <= most:
            raise UsageError(f"{option} {value:g} is out of range: give {-most} to {most}.")


def _light_of_place(options: LightOptions, notify: Callable[[str], None]) -> "Light":
    from relight_cli.relighting.lights.clear_sky import CLEAR
    from relight_cli.relighting.lights.place import clock_note, light_of_place, parse_place, parse_time
    from relight_cli.relighting.lights.words import parse_facing

    if options.place is None:
        raise UsageError("--sun-at needs --place: latitude and longitude in degrees, such as 48.14,11.58.")
    if options.facing is None:
        raise UsageError("--sun-at needs --facing: where the camera looks, such as SW, or degrees from north.")
    latitude, longitude = parse_place(options.place)
    time, facing = parse_time(options.sun_at or "", latitude, longitude), parse_facing(options.facing)
    if note := clock_note(time):
        notify(note)
    return light_of_place(time, latitude, longitude, facing, CLEAR if options.turbidity is None else options.turbidity)
