"""Temporary files next to outputs: names that identify the writer, and removal of the files that killed runs left."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import socket
import stat
import sys
import time
import uuid
from functools import lru_cache
from pathlib import Path

_NAME = re.compile(r"\.relight-cli-([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.tmp")
_LOCK = re.compile(r"\.relight-cli-[0-9a-f]{16}\.lock")
_LEASE = re.compile(r"\.relight-cli-[0-9a-f]{16}\.claim")
_DAY = 24 * 3600.0
_WITHOUT_LOCKS = {
    getattr(errno, name) for name in ("ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK") if hasattr(errno, name)
}


def temporary_path_for(target: Path) -> Path:
    """Return the path of a hidden file in the target's folder that no one else uses.

    Its name does not contain the target's, which may take all of the 255 bytes that a file system allows.
    """
    return target.with_name(f".relight-cli-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.tmp")


def claim_path_for(target: Path, *, locked: bool) -> Path:
    """Return the path of the hidden file by which a process claims an output; a `locked` one counts while locked."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f".relight-cli-{digest}.{'lock' if locked else 'claim'}")


def is_without_locks(error: OSError) -> bool:
    """Return whether an error of locking a file says that its file system has no locks."""
    return error.errno in _WITHOUT_LOCKS


def remove_leftovers(folder: Path, own: set[Path]) -> None:
    """Remove the temporary files and claims in a folder whose writers have ended; `own` are those of this process.

    A writer on this machine has ended if no process has its number; any other (on Windows every) writer has ended if
    the file has not been written to for a day. Files that cannot be listed or removed stay.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if named := _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    # By name, because a folder has many paths; other threads add a path before they create the file.
                    is_own = any(entry.name == path.name for path in list(own))
                    if not is_own and _is_leftover(entry, named[1], int(named[2])):
                        os.unlink(entry.path)  # noqa: PTH108  it is the name of an entry
            elif _LOCK.fullmatch(entry.name):
                _remove_lock(entry.path)
            elif _LEASE.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY:
                        os.unlink(entry.path)  # noqa: PTH108  as above


def _is_leftover(entry: os.DirEntry[str], machine: str, process: int) -> bool:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return False
    if machine == _machine() and sys.platform != "win32":
        return process == os.getpid() or not _is_alive(process)
    return time.time() - status.st_mtime > _DAY


def _remove_lock(path: str) -> None:
    """Remove a lock file that no process has locked, or that none can lock."""
    from filelock import FileLock

    lock = FileLock(path, fallback_to_soft=False)
    with contextlib.suppress(OSError, NotImplementedError):
        try:
            with lock.acquire(blocking=False):
                if sys.platform != "win32":  # where releasing it removes it
                    os.unlink(path)  # noqa: PTH108  as above
        except OSError as error:
            if is_without_locks(
                error
            ):  # there are none, or none now: it claims nothing; trying to lock it may have made it
                os.unlink(path)  # noqa: PTH108  as above


def _is_alive(process: int) -> bool:
    """Return whether a process has this number. Not for Windows, where os.kill would end it."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return True


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return a hash of host, boot and PID namespace: two processes with the same one see each other's numbers."""
    facts = [socket.gethostname()]
    try:
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # not Linux; two machines that share a folder often have the same name
        facts.append(str(uuid.getnode()))
    return hashlib.sha256("\n".join(facts).encode(errors="surrogateescape")).hexdigest()[:8]
