"""TOML files of the user: one way to read them, one message for what is wrong."""

from typing import TYPE_CHECKING, Any

from relight_cli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: "Path") -> dict[str, Any]:
    """Return the tables of a file in UTF-8, with or without a byte order mark. Raises UsageError."""
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}): check the path and its permissions.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not TOML ({error}): correct it.") from error


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return the tables of a text; `name` is its file's, for messages. Raises UsageError."""
    import tomllib

    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{name}: is not TOML ({error}): correct it.") from error
    _refuse_null(tables, f"{name}: ")
    return tables


def _refuse_null(value: object, where: str) -> None:
    """Raise UsageError for a text with a null character, which no name of a file can have."""
    if isinstance(value, str) and "\0" in value:
        raise UsageError(f"{where} has a null character: take it out.")
    items = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
    for key, one in items:
        _refuse_null(one, f"{where}{'.' * (not where.endswith(' '))}{key}")
