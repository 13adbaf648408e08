"""Temporary files beside outputs, by a name that tells who writes them, and what of them killed runs left behind."""

import contextlib
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
_DAY = 24 * 3600.0


def temporary_path_for(target: Path) -> Path:
    """Name a hidden file in the target's folder that no one else uses.

    It is short, so that a target whose name fills the 255 bytes of a file system still has a neighbour.
    """
    return target.with_name(f".relight-cli-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.tmp")


def remove_leftovers(folder: Path, own: set[Path]) -> None:
    """Unlink the temporary files in a folder whose writers are gone; `own` are those of this process.

    The writer is gone if it was of this machine and no process has its number, or else (on Windows always) if the file
    has not been written to for a day. What cannot be listed or unlinked stays.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if named := _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    # By their names, for folders have many; other threads add to them before a file is there.
                    is_own = any(entry.name == path.name for path in list(own))
                    if not is_own and _is_left(entry, named[1], int(named[2])):
                        os.unlink(entry.path)  # noqa: PTH108  it is the name of an entry


def _is_left(entry: os.DirEntry[str], machine: str, process: int) -> bool:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return False
    if machine == _machine() and sys.platform != "win32":
        return process == os.getpid() or not _is_alive(process)
    return time.time() - status.st_mtime > _DAY


def _is_alive(process: int) -> bool:
    """Tell whether some process has this number. Not for Windows, where asking would end it."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # of another user
        return True
    return True


@lru_cache(maxsize=1)
def _machine() -> str:
    """Give what two processes share only if they know each other's numbers: host, start of the system, namespace."""
    facts = [socket.gethostname()]
    try:
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # Linux alone tells; elsewhere two machines that share a folder often have one name
        facts.append(str(uuid.getnode()))
    return hashlib.sha256("\n".join(facts).encode(errors="surrogateescape")).hexdigest()[:8]
