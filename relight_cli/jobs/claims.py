"""Claims: what this process makes, so that several processes on one folder share the work.

A claim is a lock of the operating system on a hidden file next to the output. It ends with its process, however that
ends. Where the file system has no locks the file itself is the claim: its holder dates it anew every ten seconds, and
one that has not been dated for half a minute is free again. Network file systems and Windows are provided for by
`filelock`.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from relight_cli.errors import OutputUnwritableError
from relight_cli.interruption import watch_writing
from relight_cli.jobs.file_names import make_folder
from relight_cli.photos.leftovers import claim_path_for, is_without_locks
from relight_cli.places.objects import ObjectPath

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL = 0.25  # seconds between looks at what another process has claimed
ATTEMPTS, RETRY_DELAY = 3, 0.01  # seconds between them: whoever sweeps the folder holds each lock for a moment
LEASE = 30.0  # seconds after which a claim without a lock is free, if its holder has not dated it anew
_files: set[Path] = set()  # lock files of this process


class Claims:
    """The claims of one run, by output."""

    def __init__(self) -> None:
        self._tried: dict[Path, BaseFileLock] = {}  # a lease notices by itself that another one is not dated anew
        self._held: dict[Path, BaseFileLock] = {}
        self._without_locks: set[Path] = set()  # folders
        self._empty: dict[Path, tuple[int, float]] = {}  # leases without content: their time, and since when it is seen
        self._lock = threading.Lock()  # a photo is released by the thread that has written it

    def take(self, target: Path) -> bool:
        """Claim an output, and create its folder; return False while another process has claimed it.

        Where no claim can be made it is taken for granted: writing the output will say what is wrong.
        """
        from filelock import Timeout

        if isinstance(target, ObjectPath):  # nothing can be locked: the store refuses a second writer
            return True
        try:
            make_folder(target.parent)
            for number in range(ATTEMPTS):
                if number:
                    time.sleep(RETRY_DELAY)
                with contextlib.suppress(Timeout):
                    self._acquire(target)
                    return True
            if not claim_path_for(target, locked=True).exists():
                TemporaryFile(dir=target.parent).close()  # where no file can be made, filelock says that it is in use
        except (OSError, OutputUnwritableError, NotImplementedError):
            return True
        return False

    def wait(self, target: Path, notify: Callable[[str], None]) -> None:
        """Claim an output; wait for another process that has claimed it."""
        told = False
        while not self.take(target):
            if not told:
                notify(f"{target}: waiting for another process that is making it.")
                told = True
            time.sleep(POLL)

    def release(self, target: Path) -> None:
        """End a claim, if there is one."""
        with self._lock:
            self._release(target)

    def release_all(self) -> None:
        """End all claims; wait for those that another thread is ending."""
        with self._lock:
            for target in list(self._held):
                self._release(target)

    def _release(self, target: Path) -> None:
        lock = self._held.pop(target, None)
        if lock is None:
            return
        path = Path(lock.lock_file)
        with contextlib.suppress(OSError):
            if path in _files and sys.platform != "win32":
                path.unlink()  # while it is locked: whoever waits for this file sees that it is gone
        with contextlib.suppress(OSError):
            lock.release()
        _files.discard(path)

    def _acquire(self, target: Path) -> None:
        """Acquire the lock of an output. Raises Timeout if another process has it, OSError, NotImplementedError."""
        lock = self._tried.pop(target, None) or self._new_lock(target)
        try:
            lock.acquire(blocking=False)
        except OSError as error:
            if not is_without_locks(error) or target.parent in self._without_locks:
                self._tried[target] = lock  # Timeout is an OSError too
                if target.parent in self._without_locks:
                    self._remove_if_empty(Path(lock.lock_file))
                raise
            self._without_locks.add(target.parent)
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()
            self._acquire(target)
            return
        with self._lock:
            self._held[target] = lock
        if target.parent not in self._without_locks:
            _files.add(Path(lock.lock_file))

    def _remove_if_empty(self, lease: Path) -> None:
        """Remove a lease that has had no content for as long as one holds: its process died before it wrote any."""
        with contextlib.suppress(OSError):
            found, now = lease.stat(), time.monotonic()
            if found.st_size:
                self._empty.pop(lease, None)
                return
            dated, since = self._empty.setdefault(lease, (found.st_mtime_ns, now))
            if dated != found.st_mtime_ns:
                self._empty[lease] = found.st_mtime_ns, now
            elif now - since >= LEASE:
                del self._empty[lease]
                lease.unlink()

    def _new_lock(self, target: Path) -> "BaseFileLock":
        from filelock import FileLock, SoftFileLease

        path = claim_path_for(target, locked=target.parent not in self._without_locks)
        if target.parent in self._without_locks:
            return SoftFileLease(path, lease_duration=LEASE, thread_local=False)
        return FileLock(path, thread_local=False, fallback_to_soft=False)


def is_claimed(target: Path) -> bool:
    """Return whether another process is making an output; creates no folder."""
    if not target.parent.is_dir():
        return False
    claims = Claims()
    try:
        return not claims.take(target)
    finally:
        claims.release_all()


def _remove_files() -> None:
    """Remove the lock files of a process that ends at once; its locks end with it."""
    for path in list(_files):
        with contextlib.suppress(OSError):
            path.unlink()


watch_writing(lambda: False, _remove_files)
