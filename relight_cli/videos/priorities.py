"""Keep the priorities of threads: SVT-AV1 makes its own, and the one that opens it, real-time threads where it may.

It may as root, as in a container. A real-time thread does not yield to others, nor do the processes that it starts.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def ordinary_priorities() -> Iterator[None]:
    """Give threads that become real-time threads in the block their ordinary priority back; a decorator, too."""
    if not _THREADS.is_dir() or os.geteuid() != 0:  # only Linux lists them, only root may
        yield
        return
    before = _real_time()
    try:
        yield
    finally:
        for thread in _real_time() - before:
            with contextlib.suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time() -> set[int]:
    """Return the numbers of this process's real-time threads."""
    found = set()
    for thread in (int(entry.name) for entry in _THREADS.iterdir()):
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(thread)
    return found
