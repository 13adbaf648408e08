"""Which photos are meant: by their names, in folders, by globs that the shell left alone, and in lists of names."""

import glob
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.jobs.streams import stdin_stream
from relight_cli.photos.formats import SUFFIXES, format_of

STDIO = Path("-")  # stdin or stdout
LISTED = "@"  # before the name of a list of names; @- is a list on stdin


@dataclass(frozen=True)
class Source:
    """A photo to read."""

    path: Path
    named: bool  # by itself, not found in a folder or by a glob
    subfolder: Path = Path()  # its folder, seen from the folder that was named; kept under -o


def expand_inputs(photos: list[str], *, recursive: bool, null: bool = False) -> list[Source]:
    """Give the photos meant, each once, in order.

    A name that exists is that file, whatever brackets are in it or @ before it. One that is nowhere stays, to fail by
    itself. With `null` the names of lists end in NUL, else in a line's end.
    Raises UsageError where nothing is meant or stdin would be two things, PhotoUnreadableError for a folder or a list.
    """
    if null and not any(name.startswith(LISTED) for name in photos):
        raise UsageError("-0 is of lists of names: give one as @FILE, or as @- on stdin.")
    if "-" in photos and f"{LISTED}-" in photos:
        raise UsageError("stdin is one thing: a photo (-) or a list of names (@-).")
    found: dict[str, Source] = {}
    for name in photos:
        for source in _meant(name, recursive, null):
            found.setdefault("-" if source.path == STDIO else os.path.abspath(source.path), source)  # noqa: PTH100
    return list(found.values())


def reads_stdin(photos: list[str]) -> bool:
    """Tell whether stdin is the photo or the list of their names."""
    return "-" in photos or f"{LISTED}-" in photos


def file_identity(path: Path) -> object:
    """Tell which file a name means, whatever links or spellings lead to it."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(path))
    return (status.st_dev, status.st_ino)


def sha256_of(path: Path) -> str | None:
    """Hash a file; None for one that cannot be read now or, like stdin, again."""
    if path == STDIO:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if file.seekable() else None
    except OSError:
        return None


def _meant(name: str, recursive: bool, null: bool) -> list[Source]:
    if name == "-" or os.path.isfile(name):  # noqa: PTH113  Path.is_file raises on names too long
        return [Source(Path(name), named=True)]
    if os.path.isdir(name):  # noqa: PTH112
        return _inside(Path(name), recursive)
    if name.startswith(LISTED) and name != LISTED:
        return [source for listed in _names(name.removeprefix(LISTED), null) for source in _listed(listed, recursive)]
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207  keeps ./
    return [Source(match, named=False) for match in matches if match.is_file()] or [Source(Path(name), named=True)]


def _listed(name: str, recursive: bool) -> list[Source]:
    """Give what a name in a list means: that very file or folder, with no signs in it."""
    if os.path.isdir(name):  # noqa: PTH112
        return _inside(Path(name), recursive)
    return [Source(Path.cwd() / name if Path(name) == STDIO else Path(name), named=True)]


def _names(path: str, null: bool) -> list[str]:
    """Read a list of names, in whatever bytes the file system has for them."""
    try:
        data = stdin_stream().read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise PhotoUnreadableError(f"{path}: the list cannot be read ({error.strerror}): check its name.") from error
    where = "stdin" if path == "-" else path
    if not null and b"\0" in data:
        raise UsageError(f"{where}: the names end in NUL and not in line ends: give -0.")
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if not any(names):
        raise UsageError(f"{where}: the list names no photo: name at least one.")
    return [os.fsdecode(name) for name in names if name]


def _inside(folder: Path, recursive: bool) -> list[Source]:
    try:
        entries = folder.rglob("*") if recursive else folder.iterdir()
        inside = sorted(path for path in entries if format_of(path) and path.is_file())
    except OSError as error:
        raise PhotoUnreadableError(f"{folder}: cannot be listed ({error.strerror}): check its permissions.") from error
    if not inside:
        nested = "" if recursive else " (-r looks into nested folders)"
        raise UsageError(f"{folder} holds no photos ({', '.join(SUFFIXES)}){nested}: name another folder.")
    return [Source(photo, named=False, subfolder=photo.parent.relative_to(folder)) for photo in inside]
