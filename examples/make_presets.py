"""Make the presets of `relight-cli lights`, and the sheets of docs/lights.md, anew: python examples/make_presets.py

Skies and suns are those of the clear-sky model; lamps and windows are given by their colour temperature, their size as
seen from the subject and their share of the light. The results are TOML files in the package, which may be edited.
"""

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from relight_cli.jobs.light_files import preset_names, save_light
from relight_cli.relighting.lights.clear_sky import GROUND, sky_radiance, sun_irradiance
from relight_cli.relighting.lights.environment import map_directions
from relight_cli.relighting.lights.harmonics import project, sphere_grid
from relight_cli.relighting.lights.light import Light, Sun, as_rows
from relight_cli.relighting.lights.place import light_of_clear_sky
from relight_cli.relighting.lights.spectra import colour_of_temperature
from relight_cli.relighting.lights.words import NEUTRAL, ambient_harmonics, direction_of, exposed

FOLDER = Path(__file__).parents[1] / "relight_cli" / "relighting" / "lights" / "presets"
FOLDER_OF_PICTURES = Path(__file__).parent
LAMPS = 3200.0  # kelvin: what a camera set to lamps shows as white
WARM = 4200.0  # kelvin: a camera halfway between lamps and daylight, which leaves the mood of lamps and fires
STUDIO = 5500.0  # kelvin of flashes, and the white of a camera set to them


def main() -> None:
    """Write the presets and the sheets."""
    for name, light in presets().items():
        save_light(light, FOLDER / f"{name}.toml", overwrite=True)
    write_sheet("lights_presets", {name: [name] for name in preset_names()}, 5)
    with TemporaryDirectory() as folder:
        sky = Path(folder) / "sky.hdr"
        cv2.imwrite(str(sky), sky_map()[..., ::-1])
        write_sheet("lights_recipes", recipes(sky), 4)


def recipes(sky_map: Path) -> dict[str, list[str]]:
    """Return the arguments of `lights preview` by label."""
    munich = ("--place", "48.14,11.58", "--facing", "SW", "--sun-at")
    hours = ("05:30", "12:00", "19:30", "21:45")
    return {
        "--sun left,35": ["--sun", "left,35"],
        "--sun -60,20 --kelvin 3200": ["--sun", "-60,20", "--kelvin", "3200"],
        "--sun right,30 --soft 25": ["--sun", "right,30", "--soft", "25"],
        "--sun front,60 --ambient 0.7": ["--sun", "front,60", "--ambient", "0.7"],
        **{f"--sun-at ...T{hour}": [*munich, f"2026-06-21T{hour}"] for hour in hours},
        "sky.hdr": [str(sky_map)],
        "sky.hdr --rotate 90": [str(sky_map), "--rotate", "90"],
        "window-left:0.7,candle:0.5": ["window-left:0.7,candle:0.5"],
        "golden-hour --exposure -1": ["golden-hour", "--exposure", "-1"],
    }


def write_sheet(name: str, lights: dict[str, list[str]], columns: int) -> None:
    """Write a sheet of previews, as the command line draws them, with their labels."""
    width, height = 180, 120
    sheet = Image.new("RGB", (columns * width, -(-len(lights) // columns) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    with TemporaryDirectory() as folder:
        for number, (label, arguments) in enumerate(lights.items()):
            path, corner = Path(folder) / f"{number}.png", (number % columns * width, number // columns * height)
            program = (sys.executable, "-m", "relight_cli", "lights", "preview")
            subprocess.run([*program, *arguments, "-o", path], check=True)
            sheet.paste(Image.open(path).resize((width, height), Image.Resampling.BOX), corner)
            place = (corner[0] + 5, corner[1] + 3)
            draw.text(place, label, "white", font, stroke_width=1, stroke_fill=(0, 0, 0))
    sheet.save(FOLDER_OF_PICTURES / f"{name}.jpg", quality=88)


def sky_map() -> NDArray[np.float32]:
    """Return an environment map (256, 512, 3) of a clear afternoon, in klx: sun on the left, 35 degrees high."""
    directions, angles = map_directions(256, 512)
    to_sun = np.array(direction_of(-75, 35))
    flat = directions.reshape(-1, 3)
    up = flat[:, 1] > 0
    radiance = np.full_like(flat, 3.0)
    radiance[up] = sky_radiance(flat[up], to_sun)
    disc = flat @ to_sun > math.cos(math.radians(1.0))
    radiance[disc] = sun_irradiance(35) / angles.ravel()[disc].sum()
    return radiance.reshape(256, 512, 3).astype(np.float32)


def presets() -> dict[str, Light]:
    """Return the presets by name."""
    return {
        "golden-hour": sky(-60, 6, 0, "sun 6 degrees high on the front left, clear sky"),
        "golden-hour-right": sky(60, 6, 0, "sun 6 degrees high on the front right, clear sky"),
        "golden-hour-back": sky(150, 6, -0.4, "sun 6 degrees high behind the subject on the right, clear sky"),
        "sunset-back": sky(-165, 2, -0.8, "sun 2 degrees high behind the subject on the left, clear sky"),
        "blue-hour": sky(165, -5, -1.2, "sun 5 degrees below the horizon behind the subject, clear sky"),
        "noon": sky(-35, 62, 0, "high summer sun on the front left, clear sky"),
        "hazy-morning": sky(70, 15, 0, "sun 15 degrees high on the right, haze (turbidity 9)", turbidity=9, radius=4),
        "overcast": overcast(),
        "forest-shade": forest_shade(),
        "moonlight": moonlight(),
        "window-left": window(-75, "window on the left"),
        "window-right": window(75, "window on the right"),
        "candle": lamps("candle in front on the right, below the face", [(25, -8, 1850, 2, 1)], 0.05, 1900, LAMPS, -1),
        "fireside": lamps("fire in front on the left, at the floor", [(-40, -15, 1950, 12, 1)], 0.1, 2000, LAMPS, -0.7),
        "table-lamp": lamps("shaded bulb on the right, warm room", [(65, 25, 2700, 8, 1)], 0.22, 2700, WARM, -0.3),
        "spotlight": lamps("hard spot from above in front, dark stage", [(-15, 55, 2900, 1.5, 1)], 0.03, 2900, WARM),
        "studio-rembrandt": lamps(
            "softbox high on the front left, weak fill, hair light",
            [(-45, 42, STUDIO, 12, 1), (140, 45, STUDIO, 6, 0.4)],
            0.1,
        ),
        "studio-butterfly": lamps(
            "beauty dish above the camera, reflector below", [(0, 48, STUDIO, 9, 1), (0, -40, STUDIO, 25, 0.22)], 0.1
        ),
        "studio-split": lamps("softbox level on the left, hardly any fill", [(-90, 8, STUDIO, 8, 1)], 0.04),
        "studio-rim": lamps(
            "strip lights behind the subject on both sides",
            [(-140, 20, STUDIO, 8, 1), (140, 20, STUDIO, 8, 1)],
            0.12,
            exposure=-0.7,
        ),
        "neon": neon(),
    }  # fmt: skip


def sky(
    azimuth: float, elevation: float, exposure: float, words: str, turbidity: float = 3, radius: float | None = None
) -> Light:
    """Return the clear-sky model's light, well exposed; `radius` widens the sun as haze does."""
    light = light_of_clear_sky(azimuth, elevation, turbidity)
    suns = tuple(replace(sun, radius=radius or sun.radius) for sun in light.suns)
    return exposed(replace(light, suns=suns, origin=words), exposure)


def lamps(
    words: str,
    sources: list[tuple[float, float, float, float, float]],
    ambient: float,
    kelvin: float = STUDIO,
    white: float = STUDIO,
    exposure: float = 0,
) -> Light:
    """Return lamps (azimuth, elevation, kelvin, radius, strength) in a room with `ambient` next to strength 1.

    `white` is the temperature that the camera is set to.
    """
    suns = tuple(
        Sun(direction_of(azimuth, elevation), rgb(strength * seen(temperature, white)), radius)
        for azimuth, elevation, temperature, radius, strength in sources
    )
    return exposed(Light(ambient_harmonics(ambient * seen(kelvin, white)), suns, origin=words), exposure)


def seen(kelvin: float, white: float) -> NDArray[np.float64]:
    """Return the colour of a light as a camera shows it that is set to another temperature.

    That is a shift in mired (10^6 / kelvin), as of a filter: in sRGB, where candles have no blue, a quotient of colours
    would leave none.
    """
    shifted = 1e6 / (1e6 / kelvin - 1e6 / white + 1e6 / NEUTRAL)
    return colour_of_temperature(shifted) / colour_of_temperature(NEUTRAL)


def window(azimuth: float, words: str) -> Light:
    """Return a window of 1.2 m by 1.5 m at 2 m, in a room that returns an eighth of it, warmer."""
    radius = math.degrees(math.acos(1 - 1.2 * 1.5 / 2**2 / (2 * math.pi)))
    sun = Sun(direction_of(azimuth, 12), rgb(colour_of_temperature(6800)), radius)
    room = ambient_harmonics(0.13 * colour_of_temperature(4800))
    return exposed(Light(room, (sun,), origin=f"{words}, overcast outside, room with warm walls"))


def overcast() -> Light:
    """Return the overcast sky of CIE S 011: luminance (1 + 2 sin elevation) / 3 of the zenith, 6500 K."""
    return exposed(of_sphere(lambda up: (1 + 2 * up) / 3, 6500, "overcast sky, three times as bright above as around"))


def forest_shade() -> Light:
    """Return light through leaves from above: what they let through is green, the gaps between them are sky."""
    leaves = np.array((0.80, 1.0, 0.58))  # half of it sky, half through broad leaves, which let green through
    light = of_sphere(
        lambda up: 0.25 + 0.75 * up**2, 6000, "under broad leaves: green light from above, a soft gap of sun"
    )
    canopy = light.scaled(leaves / (leaves @ (0.2126, 0.7152, 0.0722)))
    gap = Sun(direction_of(-30, 65), rgb(0.35 * colour_of_temperature(5200) * (0.9, 1.0, 0.7)), 8)
    return exposed(replace(canopy, suns=(gap,)), -0.3)


def moonlight() -> Light:
    """Return a full moon (4100 K) over a sky in starlight, in the white balance of lamps, which shows it as blue."""
    moon = seen(4100, LAMPS)
    night = ambient_harmonics(0.12 * moon * (0.8, 1.0, 1.15))
    sun = Sun(direction_of(-130, 38), rgb(moon), 0.26)
    words = "full moon high behind the subject on the left, as a camera set to lamps shows it"
    return exposed(Light(night, (sun,), origin=words), -1.6)


def neon() -> Light:
    """Return a pink tube on the left and a cyan one on the right."""
    tubes = (Sun(direction_of(-80, 12), (1.0, 0.1, 0.45), 14), Sun(direction_of(80, 8), (0.05, 0.6, 0.9), 14))
    room = ambient_harmonics((0.07, 0.05, 0.12))
    return exposed(Light(room, tubes, origin="pink tube on the left, cyan tube on the right, dark street"), -0.4)


def of_sphere(luminance: Callable[[NDArray], NDArray], kelvin: float, words: str) -> Light:
    """Return a sky whose luminance depends on the sine of the elevation, over a ground that reflects it."""
    directions, angles = sphere_grid()
    up = directions[:, 1]
    sky_part = luminance(np.clip(up, 0, 1))
    level = float((np.where(up > 0, sky_part, 0) * np.clip(up, 0, None)) @ angles)
    radiance = np.where(up > 0, sky_part, GROUND / math.pi * level)
    return Light(as_rows(project(radiance[:, None] * colour_of_temperature(kelvin), directions, angles)), origin=words)


def rgb(values: ArrayLike | NDArray) -> tuple[float, float, float]:
    """Return three floats."""
    red, green, blue = (float(value) for value in np.asarray(values, float))
    return (red, green, blue)


if __name__ == "__main__":
    main()
