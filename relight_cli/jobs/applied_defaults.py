"""Apply the user's own defaults to a run of the command line, and say where they come from."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.defaults import (
    NO_CONFIG,
    Setting,
    config_files,
    default_map,
    file_settings,
    shown_value,
    variable_settings,
)
from relight_cli.jobs.option_tree import EXCLUSIVE, PREFIX, CommandPath, Tree, is_general, option_tree

_KEY = "relight_cli.defaults"  # in `Context.meta`
_STRENGTH = {"DEFAULT_MAP": 1, "ENVIRONMENT": 2, "COMMANDLINE": 3}  # by the name of typer's parameter source


@dataclass(frozen=True)
class AppliedDefaults:
    """The defaults of a run."""

    tree: Tree
    files: list[Path] = field(default_factory=list)
    settings: Mapping[CommandPath, Mapping[str, Setting]] = field(default_factory=dict)  # of the files
    error: UsageError | None = None  # of the files, where it is reported and not raised


def apply_defaults(context: typer.Context, *, no_config: bool, tolerant: bool) -> None:
    """Read the files and make their settings the defaults of the subcommand.

    Raises UsageError for a wrong file; if `tolerant`, no file counts then.
    """
    tree, files = option_tree(context.command), [] if no_config else config_files()
    try:
        settings = file_settings(tree, files)
    except UsageError as error:
        if not tolerant:
            raise
        context.meta[_KEY] = AppliedDefaults(tree, files, error=error)
        return
    context.default_map = default_map(settings)
    context.meta[_KEY] = AppliedDefaults(tree, files, settings)


def applied_defaults(context: typer.Context) -> AppliedDefaults:
    """Return the defaults of a run."""
    return context.meta.get(_KEY) or AppliedDefaults(option_tree(context.find_root().command))


def origin_of(context: Any, parameter: Any) -> str | None:
    """Return where the value of a parameter is stated, if not on the command line: file and key, or the variable."""
    source = getattr(context.get_parameter_source(parameter.name), "name", None)
    path = tuple(context.command_path.split()[1:])
    if source not in ("ENVIRONMENT", "DEFAULT_MAP"):
        return None
    defaults = applied_defaults(context)
    stated = (
        variable_settings(defaults.tree.get(path, {})) if source == "ENVIRONMENT" else defaults.settings.get(path, {})
    )
    return next((one.source for one in stated.values() if one.option.field == parameter.name), None)


def drop_weaker(context: typer.Context, values: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Reset values that contradict one from a stronger source: `overwrite = true` of a file under --skip-existing.

    `defaults` are those of the command itself, by the name of the parameter.
    """

    def strength(name: str) -> int:
        active = values[name] != defaults[name]
        return _STRENGTH.get(getattr(context.get_parameter_source(name), "name", ""), 0) if active else 0

    for group in EXCLUSIVE:
        names = [name for name in (one.replace("-", "_") for one in group) if name in defaults]
        strongest = max(map(strength, names), default=0)
        for name in names:
            if 0 < strength(name) < strongest:
                values[name] = defaults[name]


def call_with_fitting(
    call: Callable[[dict[str, Any]], None],
    context: typer.Context,
    values: dict[str, Any],
    defaults: Mapping[str, Any],
) -> None:
    """Call with the values of a run, and again without each default of the user's own that has no use in it.

    `defaults` are those of the command itself, by the name of the parameter. Raises UnfitOptionError where the command
    line says what has no use.
    """
    while True:
        try:
            return call(dict(values))
        except UnfitOptionError as error:  # raised before any work
            if not _drop_unfit(context, error.options, values, defaults):
                raise


def _drop_unfit(
    context: typer.Context, options: Sequence[str], values: dict[str, Any], defaults: Mapping[str, Any]
) -> bool:
    """Reset one of some options that a default has set, the weakest, of such the first; return whether there is one."""
    found: list[tuple[int, int, str]] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = getattr(context.get_parameter_source(name), "name", "")
        places = [options.index(one) for one in (*parameter.opts, *parameter.secondary_opts) if one in options]
        if places and source in ("DEFAULT_MAP", "ENVIRONMENT") and values[name] != defaults[name]:
            found.append((_STRENGTH[source], min(places), name))
    if found:
        _, _, name = min(found)
        values[name] = defaults[name]
    return bool(found)


def describe_defaults(context: typer.Context) -> Iterator[tuple[str, str]]:
    """Yield name and text of each line that says which defaults are in force, and where they are stated."""
    defaults = applied_defaults(context)
    for file in defaults.files:
        yield "configuration", str(file)
    if not defaults.files:
        yield "configuration", "none: no relight.toml is in force"
    if defaults.error:
        yield "configuration", f"BROKEN: {defaults.error}"
    lines: dict[str, None] = {}
    for path, options in defaults.tree.items():
        for name, one in {**defaults.settings.get(path, {}), **variable_settings(options)}.items():
            own = f"[{'.'.join(path)}] "
            general = is_general(path, name) and own not in one.source
            source = one.source.replace(own, "").removesuffix(f": {name}")
            value = shown_value(one.value) if one.source not in os.environ else one.value
            lines[f"{'' if general else own}{name} = {value}, from {source}"] = None
    for text in lines:
        yield "default", text
    known = {variable for options in defaults.tree.values() for one in options.values() for variable in one.variables}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known | {NO_CONFIG}:
            yield "environment", f"{variable} sets no option"
