"""Copies of objects on this machine: temporary, and removed with the process."""

import atexit
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

from relight_cli.interruption import watch_writing

_numbers = count()
_lock = threading.Lock()
_folders: list[Path] = []  # none or one


def _folder() -> Path:
    with _lock:
        if not _folders:
            _folders.append(Path(tempfile.mkdtemp(prefix="relight-cli-")))
        return _folders[0]


@atexit.register
def remove_copies() -> None:
    """Remove all copies of this process."""
    with contextlib.suppress(IndexError):  # without the lock, which an interrupted thread may hold
        while _folders:
            shutil.rmtree(_folders.pop(), ignore_errors=True)


watch_writing(lambda: False, remove_copies)


def new_file(name: str) -> Path:
    """Return the path of an empty temporary file of this name, in a folder of its own."""
    folder = _folder() / str(next(_numbers))
    folder.mkdir()
    file = folder / name[-100:]
    file.touch()
    return file


def remove_file(file: Path) -> None:
    """Remove a file of `new_file`, and its folder."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
        file.parent.rmdir()


class LocalCopy:
    """A copy that is made when it is first needed, by `fetch`; a failure is that of every later need, too."""

    def __init__(self, name: str, fetch: Callable[[Path], None]) -> None:
        self._name, self._fetch, self._lock = name, fetch, threading.Lock()
        self._file: Path | None = None
        self._error: OSError | None = None

    def file(self) -> Path:
        """Return the copy. Raises OSError."""
        with self._lock:
            if self._error:
                raise self._error
            if self._file is None:
                file = new_file(self._name)
                try:
                    self._fetch(file)
                except OSError as error:
                    remove_file(file)
                    self._error = error
                    raise
                self._file = file
            return self._file

    def remove(self) -> None:
        """Remove the copy."""
        with self._lock:
            if self._file:
                remove_file(self._file)
                self._file = None
