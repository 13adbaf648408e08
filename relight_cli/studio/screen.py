"""What is on the screen, and the command line that it stands for."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from relight_cli.errors import UsageError
from relight_cli.jobs.option_types import Dtype
from relight_cli.jobs.repeated_command import quoted_for_shell
from relight_cli.studio.options import StudioOptions

RELIGHT, DESHADOW, ALBEDO, DEPTH, TIMELAPSE = "relight", "deshadow", "albedo", "refine-depth", "interpolate-timelapse"
TASKS = (RELIGHT, DESHADOW, ALBEDO, DEPTH, TIMELAPSE)
MAP_SUFFIXES = (".hdr", ".exr")
EXTRA_MAPS = ("preview", "normals", "uncertainty", "initial")
DEPTH_MODELS = ("tiny", "small", "base", "large")


class LightKind(StrEnum):
    """The ways to choose a light."""

    PRESET = "Preset"
    SUN = "Sun"
    REFERENCE = "Reference photo"
    MAP = "Environment map"
    LOOK = "Saved look"


class MaskKind(StrEnum):
    """Where a photo may change."""

    NONE = "Everywhere"
    PAINTED = "Where I paint"
    FILE = "By a mask file"


class Change(StrEnum):
    """What a timelapse gets."""

    BETWEEN = "Frames between"
    DEFLICKER = "Less flicker"


class Result(StrEnum):
    """What a timelapse is written as."""

    FRAMES = "Frames"
    VIDEO = "Video"


@dataclass(frozen=True)
class Given:
    """A file of the screen, as a word of the command line."""

    path: Path  # that is read here
    shown: str  # as the user would name it


Word: TypeAlias = str | Given


@dataclass(frozen=True)
class Screen:
    """The values of the controls, in the order of the page."""

    task: str = RELIGHT
    light: str = LightKind.PRESET
    preset: str = "golden-hour"
    azimuth: float = -60.0
    elevation: float = 35.0
    kelvin: float = 5000.0
    soft: float = 0.27
    ambient: float = 0.3
    look: str | None = None
    rotate: float = 0.0
    exposure: float = 0.0
    strength: float = 1.0
    mask: str = MaskKind.NONE
    invert: bool = False
    depth_model: str = "tiny"
    steps: float = 0
    ensemble: float = 3
    fast: bool = False
    maps: tuple[str, ...] | list[str] = ()
    change: str = Change.BETWEEN
    between: float = 3
    window: float = 5
    mode: str = "auto"
    result: str = Result.FRAMES

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Screen":
        """Return a screen of values as the browser sends them. Raises UsageError for what is no number or no task."""
        chosen = dict(zip((one.name for one in fields(cls)), values, strict=True))
        numbers = [one.name for one in fields(cls) if one.type in (float, "float")]
        for name in numbers:
            value = chosen[name]
            if not isinstance(value, float | int) or not math.isfinite(value):
                raise UsageError(f"{name.replace('_', ' ')}: give a number.")
        if chosen["task"] not in TASKS:
            raise UsageError("Choose a task.")
        return cls(**{**chosen, "maps": tuple(chosen["maps"] or ())})

    @property
    def changes_light(self) -> bool:
        """Whether the task makes a photo of each photo, in whole or by a mask."""
        return self.task in (RELIGHT, DESHADOW, ALBEDO)


@dataclass(frozen=True)
class Files:
    """The files that are on the screen."""

    photos: tuple[Given, ...] = ()
    reference: Given | None = None
    map: Given | None = None
    mask: Given | None = None


def task_words(screen: Screen, files: Files, looks: Path) -> list[Word]:
    """Return the words of the command after its name. Raises UsageError where something is missing on the screen."""
    if not files.photos:
        raise UsageError("Drop a photo on the page.")
    words: list[Word] = []
    if screen.task == RELIGHT:
        words += light_words(screen, files, looks)
    if screen.changes_light:
        words += _stated(strength=(screen.strength, 1.0))
        words += _mask_words(screen, files)
    if screen.task == DEPTH:
        words += _depth_words(screen)
    if screen.task == TIMELAPSE:
        words += _timelapse_words(screen, files)
    return [*files.photos, *words]


def light_words(screen: Screen, files: Files, looks: Path) -> list[Word]:
    """Return the words that name the light. Raises UsageError where none is chosen."""
    turned = _stated(rotate=(screen.rotate, 0.0), exposure=(screen.exposure, 0.0))
    if screen.light == LightKind.PRESET:
        return ["--light", screen.preset, *turned]
    if screen.light == LightKind.SUN:
        words: list[Word] = ["--sun", f"{screen.azimuth:g},{screen.elevation:g}", "--kelvin", f"{screen.kelvin:g}"]
        words += _stated(soft=(screen.soft, 0.27), ambient=(screen.ambient, 0.3))
        return [*words, *_stated(exposure=(screen.exposure, 0.0))]
    if screen.light == LightKind.REFERENCE:
        return ["--light", _required(files.reference, "Drop a reference photo: its light is put on the photo.")]
    if screen.light == LightKind.MAP:
        given = _required(files.map, "Drop an environment map: a .hdr or .exr picture, twice as wide as high.")
        if given.path.suffix.lower() not in MAP_SUFFIXES:
            raise UsageError(f"{given.shown}: an environment map is a .hdr or .exr picture, twice as wide as high.")
        return ["--light", given, *turned]
    if not screen.look:
        raise UsageError("There is no saved look yet: choose a light and save it under a name.")
    path = look_path(looks, screen.look)
    return ["--light", Given(path, str(path)), *turned]


def look_path(looks: Path, name: str) -> Path:
    """Return the file of a look. Raises UsageError for a name that is none."""
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable() or set(name) & set('/\\:*?"<>|') or name.startswith("."):
        raise UsageError("A look's name is a few letters: no dot at its start, and none of / \\ : * ? \" < > |.")
    return looks / f"{name}.toml"


def command_line(screen: Screen, files: Files, options: StudioOptions) -> str:
    """Return the command line that makes what is on the screen, quoted for the shell. Raises UsageError."""
    words = ["relight-cli", screen.task, *map(_shown, task_words(screen, files, options.looks_folder))]
    if screen.task != DEPTH and options.model != "auto":
        words += ["--model", options.model]
    words += ["--device", options.device] if options.device != "auto" else []
    words += ["--dtype", options.dtype.value] if options.dtype != Dtype.AUTO else []
    words += ["--weights-dir", str(options.weights_dir)] if options.weights_dir else []
    if screen.task == TIMELAPSE and screen.result == Result.VIDEO:
        words += ["-o", _name("timelapse.mp4")]
    return quoted_for_shell(words)


def arguments(screen: Screen, words: Iterable[Word], output: str, options: StudioOptions) -> list[str]:
    """Return the arguments with which the command runs here."""
    server = [f"--output={output}", f"--max-pixels={options.max_pixels}", "--offline"]
    server += [f"--device={options.device}", f"--dtype={options.dtype.value}"]
    server += [f"--model={options.model}"] if screen.task != DEPTH else []
    server += [f"--weights-dir={options.weights_dir}"] if options.weights_dir else []
    return [*server, *(str(word.path) if isinstance(word, Given) else word for word in words)]


def _name(name: str) -> str:
    """Return the name of a file in this folder so that it is neither an option nor a list."""
    return f"./{name}" if name[:1] in ("-", "@") else name


def _shown(word: Word) -> str:
    return _name(word.shown) if isinstance(word, Given) else word


def _stated(**numbers: tuple[float, float]) -> list[Word]:
    """Return options with a number that is not their default."""
    words: list[Word] = []
    for name, (value, default) in numbers.items():
        words += [f"--{name}", f"{value:g}"] if value != default else []
    return words


def _required(given: Given | None, otherwise: str) -> Given:
    if given is None:
        raise UsageError(otherwise)
    return given


def _mask_words(screen: Screen, files: Files) -> list[Word]:
    if screen.mask == MaskKind.NONE:
        return []
    paint = screen.mask == MaskKind.PAINTED
    mask = _required(files.mask, "Paint on the photo where it may change." if paint else "Drop a mask file.")
    return ["--mask", mask, *(["--invert-mask"] if screen.invert else [])]


def _depth_words(screen: Screen) -> list[Word]:
    words: list[Word] = ["--depth-model", screen.depth_model, "--steps", f"{screen.steps:g}"]
    if screen.steps:
        words += ["--ensemble", f"{screen.ensemble:g}", *(["--fast"] if screen.fast else [])]
    return [*words, *(f"--{name}" for name in EXTRA_MAPS if name in screen.maps)]


def _timelapse_words(screen: Screen, files: Files) -> list[Word]:
    if len(files.photos) < 2:
        raise UsageError("A timelapse needs two photos or more, from a camera that does not move: drop them together.")
    if screen.change == Change.DEFLICKER:
        return ["--deflicker", f"{screen.window:g}"]
    return ["--between", f"{screen.between:g}", *(["--mode", screen.mode] if screen.mode != "auto" else [])]
