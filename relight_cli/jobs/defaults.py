"""Defaults of the user's own: relight.toml of the project, relight.toml of the user, and the environment.

As in Ruff and uv, the project's file is that of the working folder or else of the nearest folder above it; both files
are merged, the project's is the stronger one. The environment is stronger than files, the command line than all.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relight_cli.errors import UsageError
from relight_cli.jobs.option_tree import CommandPath, OptionName, Tree, is_general, partners
from relight_cli.paths import is_file
from relight_cli.toml_files import read_toml

FILE_NAME = "relight.toml"
NO_CONFIG = "RELIGHT_NO_CONFIG"
# These take a word or a file: a file only if there is one of that name.
_FILE_OR_WORD = ("light", "sky", "input-colour", "model")


@dataclass(frozen=True)
class Setting:
    """The value that an option has by default, and where it is stated."""

    option: OptionName
    value: object
    source: str  # of a message: "relight.toml: max-side"


def config_files() -> list[Path]:
    """Return the files that are read, the weaker one first: the user's, then the project's."""
    return [path for path in (user_file(), project_file()) if path and _is_file(path)]


def user_file() -> Path:
    """Return the user's file in the configuration folder of the system; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("relight-cli", appauthor=False) / FILE_NAME


def project_file() -> Path | None:
    """Return the file of the working folder, or else of the nearest folder above it."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # deleted meanwhile
        return None
    return next((place / FILE_NAME for place in (here, *here.parents) if _is_file(place / FILE_NAME)), None)


def _is_file(path: Path) -> bool:
    """Return whether a path is a file; one in a folder that must not be searched is as good as absent."""
    return is_file(path)


def file_settings(tree: Tree, files: list[Path]) -> dict[CommandPath, dict[str, Setting]]:
    """Return what files state for each command, by the option's name; later files are stronger.

    Raises UsageError, naming file and key, for unknown keys, values of the wrong type, and files that cannot be read.
    """
    merged: dict[CommandPath, dict[str, Setting]] = {path: {} for path in tree}
    for file in files:
        stated = read_toml(file)
        _check(stated, tree, file)
        for path, options in tree.items():
            found = dict(_stated(stated, path, options, file))
            active = [name for name, one in found.items() if is_active(name, one.value)]
            weaker = {name for stronger in active for name in partners(stronger)} - set(found)
            merged[path] = {name: one for name, one in merged[path].items() if name not in weaker} | found
    return merged


def is_active(name: str, value: object) -> bool:
    """Return whether a setting excludes its `partners`: a switch that is off does not, but `detail = false` does."""
    return value is (name != "detail") if isinstance(value, bool) else True


def variable_settings(options: Mapping[str, OptionName]) -> dict[str, Setting]:
    """Return what the environment states for the options of a command, by name."""
    found = {}
    for name, option in options.items():
        if variable := next((one for one in option.variables if os.environ.get(one)), None):
            found[name] = Setting(option, os.environ[variable], variable)
    return found


def default_map(settings: Mapping[CommandPath, Mapping[str, Setting]]) -> dict[str, Any]:
    """Return the settings in the form of `Context.default_map`: by command, then by the name of the parameter."""
    result: dict[str, Any] = {}
    for path, stated in settings.items():
        place = result
        for name in path:
            place = place.setdefault(name, {})
        place.update({setting.option.field: setting.value for setting in stated.values()})
    return result


def _stated(
    stated: Mapping[str, Any], path: CommandPath, options: Mapping[str, OptionName], file: Path
) -> Iterator[tuple[str, Setting]]:
    """Yield what one file states for one command: the table of the command is stronger than the top."""
    own: Any = stated
    for name in path:  # a command may be called like an option, as in [report.merge] and report = "r.jsonl"
        own = _table(own, name)
    table = f"[{'.'.join(path)}] "
    general = {name for name in stated if is_general(path, name) and not isinstance(stated[name], dict)}
    for name, option in options.items():
        if name in own:
            yield name, Setting(option, _value(own[name], option, file), f"{file}: {table}{name}")
        elif name in general and not any(is_active(other, own[other]) for other in partners(name) & set(own)):
            yield name, Setting(option, _value(stated[name], option, file), f"{file}: {name}")


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the table of a name; an empty one if there is none, or a value."""
    found = tables.get(name)
    return found if isinstance(found, dict) else {}


def _value(value: Any, option: OptionName, file: Path) -> object:
    """Return a value; a name of a file counts from the folder of the file that states it."""
    if not isinstance(value, str) or not (option.is_path or option.name in ("output", *_FILE_OR_WORD)):
        return value
    if option.name == "output" and value == "-":
        return value
    expanded = os.path.expanduser(value)  # noqa: PTH111  keeps a slash at the end, which says that it is a folder
    placed = os.path.join(file.parent, expanded)  # noqa: PTH118
    if option.name in _FILE_OR_WORD and not is_file(placed):
        return value
    return expanded if file.parent == Path.cwd() else placed


def _check(stated: Mapping[str, Any], tree: Tree, file: Path) -> None:
    """Raise UsageError for the first key that no command has, or whose value has the wrong type."""
    everywhere: dict[str, OptionName] = {}
    for path, options in tree.items():
        everywhere |= {name: option for name, option in options.items() if is_general(path, name)}
    tables = {path[0] for path in tree}
    for key, value in stated.items():
        if key in tables and isinstance(value, dict):
            _check_table(value, (key,), tree, file)
        else:
            _check_value(key, value, everywhere, f"{file}: ", list(tables))


def _check_table(table: Mapping[str, Any], path: CommandPath, tree: Tree, file: Path) -> None:
    children = {other[len(path)] for other in tree if other[: len(path)] == path and len(other) > len(path)}
    for key, value in table.items():
        if key in children and isinstance(value, dict):
            _check_table(value, (*path, key), tree, file)
        else:
            _check_value(key, value, tree.get(path, {}), f"{file}: [{'.'.join(path)}] ", list(children))


def _check_value(key: str, value: object, options: Mapping[str, OptionName], where: str, tables: list[str]) -> None:
    option = options.get(key)
    if option is None:
        positive = key.removeprefix("no-").replace("_", "-")
        near = [positive] if positive in options else difflib.get_close_matches(positive, [*options, *tables], 1)
        if key.startswith("no-") and positive in options:
            remedy = f"write {positive} = false"
        else:
            remedy = f"did you mean {near[0]}?" if near else "keys are the names of options, as in --help, without --"
        kind = "table" if isinstance(value, dict) else "key"
        raise UsageError(f"{where}unknown {kind} {key}: {remedy.rstrip('?')}{'?' if remedy.endswith('?') else '.'}")
    if not option.kind.fits(value):
        raise UsageError(f"{where}{key} = {shown_value(value)} has the wrong type: write {option.kind}.")


def shown_value(value: object) -> str:
    """Return a value as TOML writes it, nearly."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
