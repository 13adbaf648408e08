"""The options of every command by name, so that files and the environment can set their defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product
from typing import Any

CommandPath = tuple[str, ...]  # ("deshadow",), ("weights", "fetch")

PHOTO_COMMANDS = ("relight", "deshadow", "albedo", "interpolate-timelapse", "refine-depth")
SHARED = ("weights-dir", "offline", "yes", "quiet", "verbose", "device", "dtype")  # mean the same in other commands
PREFIX = "RELIGHT_"

# Ways to name a light, of which one is given.
_LIGHTS = (
    ("light",),
    ("sun", "kelvin", "soft", "ambient", "ambient-kelvin"),
    ("sun-at", "place", "facing", "turbidity", "date"),
)

# Options of which at most one is given: a stronger source replaces what a weaker one says of the others.
EXCLUSIVE = (
    ("overwrite", "skip-existing"),
    ("overwrite", "resume"),
    ("budget", "max-side"),
    ("budget", "detail"),
    ("max-side", "detail"),
    ("mask-only", "detail"),
    ("mask-only", "strength"),
    ("mask-only", "save-mask"),
    ("mask-only", "layers"),
    ("probability", "detail"),
    ("probability", "strength"),
    ("probability", "threshold"),
    ("between", "frames", "duration"),
    ("deflicker", "freeze"),
    *(pair for one, other in combinations(_LIGHTS, 2) for pair in product(one, other)),
)


class Kind(StrEnum):
    """What the value of an option is in a file."""

    SWITCH = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text in quotes"

    def fits(self, value: object) -> bool:
        """Return whether a value of TOML is of this kind."""
        if self is Kind.SWITCH or isinstance(value, bool):
            return self is Kind.SWITCH and isinstance(value, bool)
        types = {Kind.WHOLE: int, Kind.NUMBER: int | float, Kind.TEXT: str}
        return isinstance(value, types[self])


@dataclass(frozen=True)
class OptionName:
    """An option of a command."""

    name: str  # "max-side"
    field: str  # "max_side", the name of its parameter
    kind: Kind
    is_path: bool
    variables: tuple[str, ...]  # environment variables that set it


Tree = Mapping[CommandPath, Mapping[str, OptionName]]
"""The options of each command by name."""


def option_tree(program: Any) -> Tree:
    """Return the options of all commands of the Typer program."""
    return {path: {o.name: o for o in _options(path, command)} for path, command in _commands(program)}


def is_general(path: CommandPath, name: str) -> bool:
    """Return whether an option is set by a key at the top of a file, and by RELIGHT_NAME."""
    return path[0] in PHOTO_COMMANDS or name in SHARED


def partners(name: str) -> set[str]:
    """Return the options that are not given together with this one."""
    return {other for group in EXCLUSIVE if name in group for other in group} - {name}


def prepare_program(program: Any) -> None:
    """Let the environment set every option, and give every switch a form that turns it off: --no-overwrite."""
    for path, command in _commands(program):
        for parameter in _settable(command):
            name = _long_name(parameter)
            if not parameter.envvar and is_general(path, name):
                parameter.envvar, parameter.show_envvar = variable_of(name), False
            if parameter.is_flag and not parameter.secondary_opts:
                parameter.secondary_opts.append(f"--no-{name}")


def variable_of(name: str) -> str:
    """Return the environment variable of an option: RELIGHT_MAX_SIDE of max-side."""
    return PREFIX + name.upper().replace("-", "_")


def _commands(program: Any, path: CommandPath = ()) -> Iterator[tuple[CommandPath, Any]]:
    for name, command in program.commands.items():
        if getattr(command, "commands", None):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _settable(command: Any) -> Iterator[Any]:
    """Yield the parameters that are options and no actions, such as --help."""
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.is_eager:
            yield parameter


def _options(path: CommandPath, command: Any) -> Iterator[OptionName]:
    for parameter in _settable(command):
        annotation, name = parameter.type_descriptor.annotation, _long_name(parameter)
        given = parameter.envvar or (variable_of(name) if is_general(path, name) else ())
        variables = (given,) if isinstance(given, str) else tuple(given)
        kind = {bool: Kind.SWITCH, int: Kind.WHOLE, float: Kind.NUMBER}.get(annotation, Kind.TEXT)
        yield OptionName(name, parameter.name, kind, parameter.type_descriptor.is_path, variables)


def _long_name(parameter: Any) -> str:
    return next(option for option in parameter.opts if option.startswith("--")).removeprefix("--")
