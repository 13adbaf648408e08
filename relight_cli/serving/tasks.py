"""The tasks of the server: which options of the commands a client may give, and the command line that they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relight_cli.jobs.light_files import preset_names
from relight_cli.photos.formats import SUFFIXES, output_suffix
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.options import ServeOptions

_READING = {"page", "input-colour"}
_CHANGE = _READING | {
    *("detail", "strength", "tile-overlap", "tile-batch", "max-side", "budget", "invert-mask"),
    *("quality", "effort", "strip"),
}
_LIGHT = {
    *("light", "sun", "kelvin", "soft", "ambient", "ambient-kelvin", "sun-at", "place", "facing", "turbidity"),
    *("rotate", "exposure", "date", "reference", "keep-exposure"),
}
_DEPTH = {
    *("ensemble", "steps", "seed", "prompt", "caption", "depth-model", "fast", "early-stop", "sky", "max-side"),
    *("run-batch", "format"),
}
FORMAT = "format"  # of the answer; an option of refine-depth, and for the others what -o ends in
PRESET_ONLY = f"light: a client names a preset ({', '.join(preset_names()[:3])} ...) or uploads a file as 'light'"


@dataclass(frozen=True)
class Task:
    """A command that clients may run."""

    name: str  # the command's
    options: frozenset[str]  # that a client may give, without the dashes; all others belong to the server
    files: frozenset[str]  # options whose file a client may upload


TASKS = {
    task.name: task
    for task in (
        Task("relight", frozenset(_CHANGE | _LIGHT), frozenset({"light", "mask", "depth"})),
        Task(
            "deshadow",
            frozenset(_CHANGE | {"tile-colour", "threshold", "mask-only", "probability"}),
            frozenset({"mask"}),
        ),
        Task("albedo", frozenset(_CHANGE | {"tile-colour"}), frozenset({"mask"})),
        Task("refine-depth", frozenset(_READING | _DEPTH), frozenset({"sky"})),
    )
}


def parameters_of(command: Any) -> dict[str, Any]:
    """Return the options of a Typer command by name."""
    options = (one for one in command.params if one.param_type_name == "option")
    return {next(name for name in one.opts if name.startswith("--")).removeprefix("--"): one for one in options}


def check_values(task: Task, values: Mapping[str, str]) -> None:
    """Raise a ProblemError for an option that is unknown, not for clients, or names a file."""
    for name, value in values.items():
        if name not in task.options | {FORMAT}:
            raise ProblemError(400, f"{name} is no option of {task.name} here: see /openapi.json for those that are.")
        if "\0" in value or len(value) > 1000:
            raise ProblemError(400, f"{name}: the value is too long, or no text.")
    if "light" in values and not _is_preset(values["light"]):
        raise ProblemError(400, f"{PRESET_ONLY}.")
    if ".." in values.get("sun-at", ""):
        raise ProblemError(
            400, "sun-at: a moving sun is a timelapse, and an answer is one picture; give a single time."
        )
    for name, words in (("input-colour", ("linear", "srgb")), ("sky", ("auto", "off"))):
        if values.get(name, words[0]) not in words:
            raise ProblemError(400, f"{name}: a client gives {' or '.join(words)}, and names no file.")
    if task.name != "refine-depth" and FORMAT in values and f".{values[FORMAT].lower()}" not in SUFFIXES:
        raise ProblemError(400, f"format: {values[FORMAT]!r} cannot be written: give one of {', '.join(_formats())}.")


def _formats() -> list[str]:
    return [suffix[1:] for suffix in SUFFIXES]


def _is_preset(light: str) -> bool:
    """Return whether a light is a preset, or a mix of presets with weights."""
    names = [piece.partition(":")[0] for piece in light.split(",")]
    return all(name in preset_names() for name in names)


def result_path(task: Task, photo: Path, values: Mapping[str, str], command: Any) -> Path:
    """Return the file that a task writes next to the photo."""
    if task.name == "refine-depth":
        kinds = [kind.value for kind in parameters_of(command)[FORMAT].type_descriptor.annotation]
        kind = values.get(FORMAT, kinds[0]).lower()
        if kind not in kinds:
            raise ProblemError(400, f"format: {kind!r} is no format of a map: give one of {', '.join(kinds)}.")
        return photo.with_name(f"result.{kind}")
    if FORMAT in values:
        return photo.with_name(f"result.{values[FORMAT].lower()}")
    is_mask = values.get("mask-only", "false").lower() == "true"
    return photo.with_name(f"result{'.png' if is_mask else output_suffix(photo).lower()}")


def command_line(
    command: Any, files: Mapping[str, Path], values: Mapping[str, str], result: Path, options: ServeOptions
) -> list[str]:
    """Return the arguments of a command; `files` by part, with the photo as "photo". Raises a ProblemError."""
    known = parameters_of(command)
    words = [f"--output={result}", f"--max-pixels={options.max_pixels}", "--offline"]
    words += [f"--device={options.device}", f"--dtype={options.dtype}"]
    if "model" in known:
        words.append(f"--model={options.model}")
    if options.weights_dir:
        words.append(f"--weights-dir={options.weights_dir}")
    for name, value in values.items():
        if name == FORMAT:
            continue
        words.append(_switch(name, value, known[name]) if known[name].is_flag else f"--{name}={value}")
    words += [f"--{name}={path}" for name, path in files.items() if name != "photo"]
    return [*words, "--", str(files["photo"])]


def _switch(name: str, value: str, parameter: Any) -> str:
    """Return a switch as it is turned on or off."""
    if value.lower() not in ("true", "false"):
        raise ProblemError(400, f"{name}: {value!r} is neither true nor false.")
    if value.lower() == "true":
        return f"--{name}"
    return next(iter(parameter.secondary_opts), f"--no-{name}")
