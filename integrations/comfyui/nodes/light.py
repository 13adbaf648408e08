"""The node Light: a light that belongs to no photo."""

from datetime import datetime
from pathlib import Path

import folder_paths

import relight_cli as rl

from . import inputs

PRESET, SUN, PLACE, MAP, LOOK = "preset", "sun", "place and time", "environment map", "look"
SOURCES = [PRESET, SUN, PLACE, MAP, LOOK]
NO_FILE = "none"
_MAPS = (".hdr", ".exr", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
_LOOKS = (".toml",)


class LightWithoutAPhoto:
    """Make a light from a preset, a direction, a place and a time, an environment map, or a look."""

    CATEGORY, FUNCTION = inputs.CATEGORY, "light"
    DESCRIPTION = "A light for Relight: a preset, a sun, a place and a time, an environment map, or a look."
    RETURN_TYPES, RETURN_NAMES = (inputs.LIGHT,), ("light",)
    OUTPUT_TOOLTIPS = ("The light, for the node Relight.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs."""
        return {
            "required": {
                "source": inputs.choice(SOURCES, PRESET, "Which of the inputs below make the light."),
                "preset": inputs.choice(rl.preset_names(), "golden-hour", "For preset."),
                "sun": inputs.text("left,35", "For sun: a direction (left, front-right ...) or azimuth,elevation."),
                "kelvin": inputs.number(6500, 1000, 25000, 50, "For sun: its colour temperature."),
                "soft": inputs.number(0.27, 0.01, 90, 0.01, "For sun: its radius in degrees; large: soft shadows."),
                "ambient": inputs.number(0.3, 0, 1, 0.05, "For sun: the share of light from all around."),
                "time": inputs.text("2026-06-21T19:30+02:00", "For place and time: date, time, offset from UTC."),
                "latitude": inputs.number(48.14, -90, 90, 0.01, "For place and time, in degrees north."),
                "longitude": inputs.number(11.58, -180, 180, 0.01, "For place and time, in degrees east."),
                "facing": inputs.number(180, -360, 360, 1, "For place and time: where the camera looks, from north."),
                "file": inputs.choice(
                    _files(),
                    NO_FILE,
                    "For environment map (.hdr, .exr, a picture of 2:1) and look (.toml): a file in "
                    "ComfyUI's folder of inputs.",
                ),
            }
        }

    @classmethod
    def IS_CHANGED(cls, source: str, file: str, **others: object) -> object:
        """Return what changes with the file that the light is read from."""
        if source not in (MAP, LOOK) or file == NO_FILE:
            return ""
        try:
            found = Path(_path(file)).stat()
        except OSError:
            return ""
        return f"{found.st_size} {found.st_mtime_ns}"

    def light(
        self,
        source: str,
        preset: str,
        sun: str,
        kelvin: float,
        soft: float,
        ambient: float,
        time: str,
        latitude: float,
        longitude: float,
        facing: float,
        file: str,
    ) -> tuple[rl.Light]:
        """Return the light."""
        if source == PRESET:
            return (rl.load_light(preset),)
        if source == SUN:
            return (rl.light_from_words(sun, kelvin=kelvin, soft=soft, ambient=ambient),)
        if source == PLACE:
            return (rl.light_of_place(_moment(time), latitude, longitude, facing),)
        suffixes = _LOOKS if source == LOOK else _MAPS
        if not file.lower().endswith(suffixes):
            raise rl.UsageError(
                f"{source} is read from a file, not from {file!r}: choose one in {', '.join(suffixes)}."
            )
        return (rl.load_light(_path(file)),)


def _files() -> list[str]:
    names = sorted(path.name for path in Path(folder_paths.get_input_directory()).iterdir())
    return [NO_FILE, *(name for name in names if name.lower().endswith((*_MAPS, *_LOOKS)))]


def _path(name: str) -> str:
    return folder_paths.get_annotated_filepath(name)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise rl.UsageError(f"time {text!r} is not a date, a time and an offset: write it as 2026-06-21T19:30+02:00.")
    return moment
