"""Find the inputs of a command: files, folders, globs that the shell did not expand, and lists of names."""

import glob
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.jobs.companions import is_companion, is_named_companion, is_of_system
from relight_cli.jobs.streams import stdin_stream
from relight_cli.photos.formats import SUFFIXES, format_of

STDIO = Path("-")  # stdin or stdout
LIST_PREFIX = "@"  # before the name of a list of names; @- is a list on stdin


@dataclass(frozen=True)
class Source:
    """A photo to read."""

    path: Path
    named: bool  # given by name, not found in a folder or by a glob
    subfolder: Path = Path()  # of `path`, relative to the folder argument; kept under -o


def expand_inputs(photos: list[str], *, recursive: bool, null: bool = False) -> list[Source]:
    """Return the photos that the arguments name, each once, in order.

    A name that exists is that file, even with brackets or a leading @. A name that does not exist is kept and fails
    later, on its own. Files that lie next to photos (`is_companion`) are left out if there is anything else. With
    `null` the names in lists end in NUL, else in a line end. Raises UsageError if a folder or a list is empty or stdin
    has two uses, PhotoUnreadableError if a folder or a list cannot be read.
    """
    if null and not any(name.startswith(LIST_PREFIX) for name in photos):
        raise UsageError("-0 applies to lists of names: give one as @FILE, or as @- on stdin.")
    if "-" in photos and f"{LIST_PREFIX}-" in photos:
        raise UsageError("stdin cannot be both a photo (-) and a list of names (@-): give one of them.")
    found: dict[str, Source] = {}
    for name in photos:
        for source in _expand(name, recursive, null):
            found.setdefault("-" if source.path == STDIO else os.path.abspath(source.path), source)  # noqa: PTH100
    # A shell expands * to companions, too.
    return [source for source in found.values() if not is_named_companion(source.path)] or list(found.values())


def reads_stdin(photos: list[str]) -> bool:
    """Return whether stdin is a photo or a list of names."""
    return "-" in photos or f"{LIST_PREFIX}-" in photos


def file_identity(path: Path) -> object:
    """Return a key that is the same for every link to a file and every spelling of its name."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(path))
    return (status.st_dev, status.st_ino)


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it cannot be read, or not twice (stdin)."""
    if path == STDIO:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if file.seekable() else None
    except OSError:
        return None


def _expand(name: str, recursive: bool, null: bool) -> list[Source]:
    if name == "-" or os.path.isfile(name):  # noqa: PTH113  Path.is_file raises for names that are too long
        return [Source(Path(name), named=True)]
    if os.path.isdir(name):  # noqa: PTH112
        return _photos_in(Path(name), recursive)
    if name.startswith(LIST_PREFIX) and name != LIST_PREFIX:
        names = _read_list(name.removeprefix(LIST_PREFIX), null)
        return [source for listed in names for source in _expand_listed(listed, recursive)]
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207  Path.glob drops ./
    files = [match for match in matches if match.is_file() and not is_companion(match) and not is_of_system(match)]
    return [Source(match, named=False) for match in files] or [Source(Path(name), named=True)]


def _expand_listed(name: str, recursive: bool) -> list[Source]:
    """Return the photos that a name in a list stands for: that file or folder, without globs, @ and -."""
    if os.path.isdir(name):  # noqa: PTH112
        return _photos_in(Path(name), recursive)
    return [Source(Path.cwd() / name if Path(name) == STDIO else Path(name), named=True)]


def _read_list(path: str, null: bool) -> list[str]:
    """Read a list of names, in the bytes of the file system."""
    try:
        data = stdin_stream().read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise PhotoUnreadableError(f"{path}: the list cannot be read ({error.strerror}): check its name.") from error
    where = "stdin" if path == "-" else path
    if not null and b"\0" in data:
        raise UsageError(f"{where}: the names end in NUL, not in line ends: give -0.")
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if not any(names):
        raise UsageError(f"{where}: the list names no photo: name at least one.")
    return [os.fsdecode(name) for name in names if name]


def _photos_in(folder: Path, recursive: bool) -> list[Source]:
    try:
        entries = folder.rglob("*") if recursive else folder.iterdir()
        inside = sorted(
            path
            for path in entries
            if format_of(path) and not (is_companion(path) or is_of_system(path.relative_to(folder))) and path.is_file()
        )
    except OSError as error:
        raise PhotoUnreadableError(f"{folder}: cannot be listed ({error.strerror}): check its permissions.") from error
    if not inside:
        nested = "" if recursive else " (-r also searches nested folders)"
        raise UsageError(f"{folder} contains no photos ({', '.join(SUFFIXES)}){nested}: name another folder.")
    return [Source(photo, named=False, subfolder=photo.parent.relative_to(folder)) for photo in inside]
