"""Objects that grow line by line, as reports do: kept here, and written whole now and then and at the end."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from relight_cli.errors import OutputUnwritableError
from relight_cli.places.copies import new_file
from relight_cli.places.objects import ObjectPath, require_writable

OFTEN = 30.0  # seconds between two writes


class _Growing:
    """One object and its lines so far."""

    def __init__(self, path: ObjectPath) -> None:
        """Take what the object holds already. Raises OSError, UsageError."""
        require_writable(path)
        self.path, self.file = path, new_file(path.name)
        self.is_new = not path.exists()
        if not self.is_new:
            path.download(self.file)
        self.written_at, self.has_more = time.monotonic(), self.is_new
        self.lock = threading.Lock()

    def append(self, line: bytes) -> None:
        with self.lock:
            with self.file.open("ab") as file:
                file.write(line)
            self.has_more = True
        if time.monotonic() - self.written_at > OFTEN:
            self.write()

    def file_kept(self) -> Path:
        """Return a copy of the lines so far that stays when the process ends."""
        with tempfile.NamedTemporaryFile(prefix="relight-cli-report-", suffix=".jsonl", delete=False) as kept:
            kept.write(self.file.read_bytes())
        return Path(kept.name)

    def write(self) -> None:
        with self.lock:
            if self.has_more:
                self.path.upload(self.file, overwrite=True)
                self.has_more, self.written_at = False, time.monotonic()


_growing: dict[str, _Growing] = {}


def begin(path: ObjectPath) -> None:
    """Begin to append to an object, after what it holds. Raises OSError, UsageError."""
    if str(path) not in _growing:
        _growing[str(path)] = _Growing(path)


def append(path: ObjectPath, line: bytes) -> None:
    """Append a line. Raises OSError."""
    begin(path)
    _growing[str(path)].append(line)


def copy_of(path: Path) -> Path:
    """Return the file with the lines so far of an object that is appended to; else the path itself."""
    growing = _growing.get(str(path)) if isinstance(path, ObjectPath) else None
    return growing.file if growing else path


@contextlib.contextmanager
def appended_whole() -> Iterator[None]:
    """Write, at the end of the block, what is not written yet. Raises OutputUnwritableError."""
    try:
        yield
    finally:
        while _growing:
            name, growing = _growing.popitem()
            try:
                growing.write()
            except OSError as error:
                message = f"{name}: cannot be written ({error.strerror}); its lines are kept in {growing.file_kept()}"
                raise OutputUnwritableError(message) from error
