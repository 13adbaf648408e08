"""Find the inputs of a command: files, folders, globs that the shell did not expand, and lists of names."""

import codecs
import contextlib
import glob
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from relight_cli.errors import PhotoUnreadableError, UnfitOptionError, UsageError
from relight_cli.jobs.companions import is_companion, is_named_companion, is_of_system
from relight_cli.jobs.objects import find_objects
from relight_cli.jobs.shards import Shard
from relight_cli.jobs.streams import stdin_stream
from relight_cli.paths import is_file, is_folder
from relight_cli.photos.formats import SUFFIXES, format_of
from relight_cli.photos.special_files import require_no_special_file, special_file
from relight_cli.places.objects import ObjectPath, held, place_of
from relight_cli.places.urls import is_url, redact

STDIO = Path("-")  # stdin or stdout
_BLOCK = 1 << 16  # bytes of a list that are read at a time
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # before a list that PowerShell wrote, or an editor as "Unicode"
LIST_PREFIX = "@"  # before the name of a list of names; @- is a list on stdin


@dataclass(frozen=True)
class Source:
    """A photo to read."""

    path: Path
    named: bool  # given by name, not found in a folder or by a glob
    subfolder: Path = Path()  # of `path`, relative to the folder argument; kept under -o


def expand_inputs(
    photos: list[str],
    *,
    recursive: bool | None,
    null: bool = False,
    shard: Shard | None = None,
    notify: Callable[[str], None] = lambda note: None,
) -> list[Source]:
    """Return the photos that the arguments name, each once, in order; of a `shard`, its share alone, perhaps none.

    A name that exists is that file, even with brackets or a leading @. A name that does not exist, and a folder that
    cannot be listed, are kept and fail later, on their own. Folders and lists without photos are left out, with a note.
    Files that lie next to photos (`is_companion`) are left out if there is anything else. With `null` the names in
    lists end in NUL, else in a line end. `recursive` is None where -r does not apply. Raises UsageError if there is no
    photo at all, a name is empty or stdin has two uses, PhotoUnreadableError if a list cannot be read.
    """
    if "" in photos:
        raise UsageError("the name of a photo is empty: name a file or a folder; . is the folder here.")
    if null and not any(name.startswith(LIST_PREFIX) for name in photos):
        raise UnfitOptionError("-0 applies to lists of names: give one as @FILE, or as @- on stdin.", "--null")
    if "-" in photos and f"{LIST_PREFIX}-" in photos:
        raise UsageError("stdin cannot be both a photo (-) and a list of names (@-): give one of them.")
    if shard and "-" in photos:
        raise UsageError("--shard divides a list, but stdin is one photo: name files, or a list with @-.")
    expansion, found = _Expansion(recursive, null, shard), dict[str, Source]()
    for name in photos:
        for source in expansion.expand(name):
            found.setdefault(spelling(source.path), source)
    expansion.report_empty(notify, nothing_else=not expansion.any_photo)
    # A shell expands * to companions, too.
    return [source for source in found.values() if not is_named_companion(source.path)] or list(found.values())


def spelling(path: Path) -> str:
    """Return a name by which a file that is named twice is known, without a look at the disk."""
    if isinstance(path, ObjectPath):
        return path.url.address
    return "-" if path == STDIO else os.path.abspath(path)  # noqa: PTH100


def reads_stdin(photos: list[str]) -> bool:
    """Return whether stdin is a photo or a list of names."""
    return "-" in photos or f"{LIST_PREFIX}-" in photos


def file_identity(path: Path) -> object:
    """Return a key that is the same for every link to a file and every spelling of its name."""
    if isinstance(path, ObjectPath):
        return path.url.address
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
        with held(path) as copy, copy.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if file.seekable() else None
    except OSError:
        return None


@dataclass
class _Expansion:
    """Turns arguments into photos, and remembers the arguments without photos.

    Folders and lists are read as streams, so that a share never holds more than its own photos.
    """

    recursive: bool | None  # None: -r does not apply
    null: bool
    shard: Shard | None = None
    empty: list[tuple[str, str]] = field(default_factory=list)  # folders and lists, and the reason and remedy
    any_photo: bool = False  # in this share or another

    def expand(self, name: str) -> Iterator[Source]:
        """Yield the photos of the share that an argument names."""
        if name == "-" or is_file(name):
            yield from self._shared(name, Source(Path(name), named=True))
        elif is_folder(name):
            yield from self._photos_in(Path(name))
        elif is_url(name):
            yield from self._objects(name)
        elif name.startswith(LIST_PREFIX) and name != LIST_PREFIX:
            yield from self._expand_list(name.removeprefix(LIST_PREFIX))
        else:
            matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207  Path.glob drops ./
            files = [
                one for one in matches if _is_file_or_lost(one) and not is_companion(one) and not is_of_system(one)
            ]
            for source in [Source(match, named=False) for match in files] or [Source(Path(name), named=True)]:
                yield from self._shared(source.path.as_posix() if files else name, source)

    def report_empty(self, notify: Callable[[str], None], *, nothing_else: bool) -> None:
        """Note which arguments have no photo; raise UsageError if there is `nothing_else`."""
        if not self.empty:
            return
        name, reason = self.empty[0]
        if nothing_else:
            raise UsageError(f"{name}{reason}.")
        more = f" and {len(self.empty) - 1} more without photos are" if self.empty[1:] else " has no photos and is"
        notify(f"{name}{more} left out.")

    def _shared(self, name: str, source: Source) -> Iterator[Source]:
        """Yield a photo if the share has its name."""
        self.any_photo = True
        if self.shard is None or self.shard.has(name):
            yield source

    def _expand_list(self, path: str) -> Iterator[Source]:
        """Yield the photos that the names in a list stand for: files and folders, without globs, @ and -."""
        any_name = False
        for name in self._read_list(path):
            any_name = True
            if self.shard and format_of(Path(name)) and not self.shard.has(name):
                self.any_photo = True  # of another share; no look at the disk for each of millions
            elif is_url(name):
                yield from self._objects(name, globs=False)
            elif is_folder(name):
                yield from self._photos_in(Path(name))
            else:
                photo = Path.cwd() / name if Path(name) == STDIO else Path(name)
                yield from self._shared(name, Source(photo, named=True))
        if not any_name:
            self.empty.append((_list_name(path), ": the list names no photo: name at least one"))

    def _read_list(self, path: str) -> Iterator[str]:
        """Yield the names in a list, in the bytes of the file system, without a byte order mark before the first."""
        if path != "-":
            require_no_special_file(place_of(path))
        try:
            with contextlib.nullcontext(stdin_stream()) if path == "-" else place_of(path).open("rb") as file:
                for number, line in enumerate(_split(file, b"\0" if self.null else b"\n")):
                    if number == 0 and line.startswith(_UTF_16):
                        raise UsageError(f"{_list_name(path)}: the list is in UTF-16: save it in UTF-8.")
                    if not self.null and b"\0" in line:
                        raise UsageError(f"{_list_name(path)}: the names end in NUL, not in line ends: give -0.")
                    name = line if self.null else line.removesuffix(b"\r")
                    if name := name if number else name.removeprefix(codecs.BOM_UTF8):
                        yield os.fsdecode(name)
        except OSError as error:
            message = f"{redact(path)}: the list cannot be read ({error.strerror}): check its name."
            raise PhotoUnreadableError(message) from error

    def _objects(self, name: str, *, globs: bool = True) -> Iterator[Source]:
        """Yield the photos that the name of an object, a prefix or a glob stands for. Raises PhotoUnreadableError."""
        place = place_of(name)
        if not isinstance(place, ObjectPath):  # file://
            yield from self.expand(str(place))
            return
        try:
            found = find_objects(place, recursive=bool(self.recursive), globs=globs, shard=self.shard)
            for photo, subfolder, inner in found:
                yield from self._shared(inner or str(photo), Source(photo, named=inner is None, subfolder=subfolder))
            self.any_photo |= found.any_photo
            if not found.any_photo:
                self.empty.append((str(place), f" contains no photos ({', '.join(SUFFIXES)}): name another prefix"))
        except OSError as error:
            raise PhotoUnreadableError(
                f"{place}: cannot be listed ({error.strerror}); check the name, your credentials and the connection"
            ) from error

    def _photos_in(self, folder: Path) -> Iterator[Source]:
        """Yield the photos in a folder, sorted, and the folders that cannot be listed, which fail as photos."""
        unlisted: list[OSError] = []
        found, any_photo = [], False
        for path in _files_in(folder, bool(self.recursive), unlisted.append):
            inner = path.relative_to(folder)
            if not format_of(path) or is_companion(path) or is_of_system(inner) or not _is_file_or_lost(path):
                continue
            any_photo = True
            if self.shard is None or self.shard.has(inner.as_posix()):
                found.append(path)
        self.any_photo |= any_photo or bool(unlisted)
        if not any_photo and not unlisted:
            nested = "" if self.recursive is not False else " (-r also searches nested folders)"
            reason = f" contains no photos ({', '.join(SUFFIXES)}){nested}: name another folder"
            self.empty.append((str(folder), reason))
        for photo in sorted(found):
            yield Source(photo, named=False, subfolder=photo.parent.relative_to(folder))
        for error in unlisted:
            locked = Path(error.filename or folder)
            yield from self._shared(locked.as_posix(), Source(locked, named=True))


def _list_name(path: str) -> str:
    return "stdin" if path == "-" else redact(path)


def _split(file: BinaryIO, end: bytes) -> Iterator[bytes]:
    """Yield what stands between the ends of names, without holding more than one name and a block."""
    rest = b""
    while block := file.read(_BLOCK):
        *lines, rest = (rest + block).split(end)
        yield from lines
    yield rest


def _files_in(folder: Path, recursive: bool, failed: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield the files in a folder, in any order; call `failed` for each folder that cannot be listed."""
    folders = [folder]
    while folders:
        place = folders.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if not _is_folder(entry):
                        yield place / entry.name
                    elif recursive and not entry.is_symlink():
                        folders.append(place / entry.name)
        except OSError as error:
            failed(error)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file_or_lost(path: Path) -> bool:
    """Return whether a path that was found is a file, or leads nowhere or to where nobody may look: that one fails."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()  # else it was removed meanwhile
    except OSError:
        return True
