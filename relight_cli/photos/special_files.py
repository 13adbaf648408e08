"""Refuse pipes, sockets and devices where a file is read: opening or reading one may wait for ever."""

import stat
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError
from relight_cli.places.objects import ObjectPath

_KINDS = {
    stat.S_IFIFO: ("a pipe", "name - and redirect it: - < PIPE"),
    stat.S_IFSOCK: ("a socket", "name a file"),
    stat.S_IFCHR: ("a device", "name a file"),
    stat.S_IFBLK: ("a device", "name a file"),
}
_DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")  # as in `relight-cli deshadow <(curl ...)`


def require_no_special_file(path: Path) -> None:
    """Raise PhotoUnreadableError for a pipe, a socket or a device; a pipe that the shell opened is read."""
    if reason := special_file(path):
        kind, remedy = reason
        raise PhotoUnreadableError(f"{path}: is {kind}, not a file; {remedy}")


def is_open_pipe(path: Path) -> bool:
    """Return whether a path is a pipe that the shell opened, which can be read once."""
    try:
        return str(path).startswith(_DESCRIPTORS) and stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def special_file(path: Path) -> tuple[str, str] | None:
    """Return what a path is, and the remedy, if it is a pipe, a socket or a device; else None."""
    if isinstance(path, ObjectPath):
        return None
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):  # reported where it is opened
        return None
    return None if is_open_pipe(path) else _KINDS.get(kind)
