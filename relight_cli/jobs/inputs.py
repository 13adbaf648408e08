"""Find the inputs of a command: files, folders, globs that the shell did not expand, and lists of names."""

import glob
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.jobs.companions import is_companion, is_named_companion, is_of_system
from relight_cli.jobs.streams import stdin_stream
from relight_cli.photos.formats import SUFFIXES, format_of
from relight_cli.photos.special_files import require_no_special_file, special_file

STDIO = Path("-")  # stdin or stdout
LIST_PREFIX = "@"  # before the name of a list of names; @- is a list on stdin


@dataclass(frozen=True)
class Source:
    """A photo to read."""

    path: Path
    named: bool  # given by name, not found in a folder or by a glob
    subfolder: Path = Path()  # of `path`, relative to the folder argument; kept under -o


def expand_inputs(
    photos: list[str], *, recursive: bool, null: bool = False, notify: Callable[[str], None] = lambda note: None
) -> list[Source]:
    """Return the photos that the arguments name, each once, in order.

    A name that exists is that file, even with brackets or a leading @. A name that does not exist, and a folder that
    cannot be listed, are kept and fail later, on their own. Folders and lists without photos are left out, with a note.
    Files that lie next to photos (`is_companion`) are left out if there is anything else. With `null` the names in
    lists end in NUL, else in a line end. Raises UsageError if there is no photo at all or stdin has two uses,
    PhotoUnreadableError if a list cannot be read.
    """
    if null and not any(name.startswith(LIST_PREFIX) for name in photos):
        raise UsageError("-0 applies to lists of names: give one as @FILE, or as @- on stdin.")
    if "-" in photos and f"{LIST_PREFIX}-" in photos:
        raise UsageError("stdin cannot be both a photo (-) and a list of names (@-): give one of them.")
    expansion, found = _Expansion(recursive, null), dict[str, Source]()
    for name in photos:
        for source in expansion.expand(name):
            found.setdefault("-" if source.path == STDIO else os.path.abspath(source.path), source)  # noqa: PTH100
    expansion.report_empty(notify, nothing_else=not found)
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
    """Return the SHA-256 of a file; None if it cannot be read, or not twice (stdin, pipes)."""
    if path == STDIO or special_file(path):
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if file.seekable() else None
    except OSError:
        return None


@dataclass
class _Expansion:
    """Turns arguments into photos, and remembers the arguments without photos."""

    recursive: bool
    null: bool
    empty: list[tuple[str, str]] = field(default_factory=list)  # folders and lists, and the reason and remedy

    def expand(self, name: str) -> list[Source]:
        """Return the photos that an argument names."""
        if name == "-" or os.path.isfile(name):  # noqa: PTH113  Path.is_file raises for names that are too long
            return [Source(Path(name), named=True)]
        if os.path.isdir(name):  # noqa: PTH112
            return self._photos_in(Path(name))
        if name.startswith(LIST_PREFIX) and name != LIST_PREFIX:
            names = self._read_list(name.removeprefix(LIST_PREFIX))
            return [source for listed in names for source in self._expand_listed(listed)]
        matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207  Path.glob drops ./
        files = [match for match in matches if match.is_file() and not is_companion(match) and not is_of_system(match)]
        return [Source(match, named=False) for match in files] or [Source(Path(name), named=True)]

    def report_empty(self, notify: Callable[[str], None], *, nothing_else: bool) -> None:
        """Note which arguments have no photo; raise UsageError if there is `nothing_else`."""
        if not self.empty:
            return
        name, reason = self.empty[0]
        if nothing_else:
            raise UsageError(f"{name}{reason}.")
        more = f" and {len(self.empty) - 1} more without photos are" if self.empty[1:] else " has no photos and is"
        notify(f"{name}{more} left out.")

    def _expand_listed(self, name: str) -> list[Source]:
        """Return the photos that a name in a list stands for: that file or folder, without globs, @ and -."""
        if os.path.isdir(name):  # noqa: PTH112
            return self._photos_in(Path(name))
        return [Source(Path.cwd() / name if Path(name) == STDIO else Path(name), named=True)]

    def _read_list(self, path: str) -> list[str]:
        """Read a list of names, in the bytes of the file system."""
        if path != "-":
            require_no_special_file(Path(path))
        try:
            data = stdin_stream().read() if path == "-" else Path(path).read_bytes()
        except OSError as error:
            raise PhotoUnreadableError(
                f"{path}: the list cannot be read ({error.strerror}): check its name."
            ) from error
        where = "stdin" if path == "-" else path
        if not self.null and b"\0" in data:
            raise UsageError(f"{where}: the names end in NUL, not in line ends: give -0.")
        lines = data.split(b"\0") if self.null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
        names = [os.fsdecode(line) for line in lines if line]
        if not names:
            self.empty.append((where, ": the list names no photo: name at least one"))
        return names

    def _photos_in(self, folder: Path) -> list[Source]:
        """Return the photos in a folder, and the folders that cannot be listed, which fail as photos."""
        unlisted: list[OSError] = []
        found = [
            path
            for path in _files_in(folder, self.recursive, unlisted.append)
            if format_of(path) and not (is_companion(path) or is_of_system(path.relative_to(folder))) and path.is_file()
        ]
        if not found and not unlisted:
            nested = "" if self.recursive else " (-r also searches nested folders)"
            reason = f" contains no photos ({', '.join(SUFFIXES)}){nested}: name another folder"
            self.empty.append((str(folder), reason))
        locked = [Source(Path(error.filename or folder), named=True) for error in unlisted]
        return [Source(photo, named=False, subfolder=photo.parent.relative_to(folder)) for photo in found] + locked


def _files_in(folder: Path, recursive: bool, failed: Callable[[OSError], None]) -> list[Path]:
    """Return the files in a folder, sorted; call `failed` for each folder that cannot be listed."""
    found = []
    for place, nested, names in os.walk(folder, onerror=failed):
        if not recursive:
            nested.clear()
        found += [Path(place, name) for name in names]
    return sorted(found)
