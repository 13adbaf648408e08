"""Work on all cores: for functions of NumPy, OpenCV and lcms2, which release Python's lock."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

from relight_cli.interruption import signals_held

Item = TypeVar("Item")
R = TypeVar("R")
P = ParamSpec("P")

_limit = 0  # cores; 0: all that the system allows
_thread = threading.local()  # `busy` in the threads of the pool


class Pool(ThreadPoolExecutor):
    """Threads whose end is waited for through their work, which an interruption cannot cut short.

    ThreadPoolExecutor joins its threads. Until Python 3.12, an exception that a signal handler raises in `Thread.join`
    marks a running thread as ended, so that nothing waits for it any more.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads, name)
        self._unfinished: set[Future[Any]] = set()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Start `fn` in a thread when one is free."""
        with signals_held():  # work that has started is waited for
            future = super().submit(fn, *args, **kwargs)
            self._unfinished.add(future)
            future.add_done_callback(self._unfinished.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work; wait for what was started, or else finish it in the background."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            wait_for(list(self._unfinished))


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if _limit:
        return _limit
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cores(count: int) -> None:
    """Use so many cores from now on, for a process that shares a machine; before torch is imported."""
    global _limit
    _limit = count
    os.environ["OMP_NUM_THREADS"] = str(count)
    import cv2

    cv2.setNumThreads(count)


def in_parallel(make: Callable[[Item], R], items: Sequence[Item]) -> Iterator[R]:
    """Yield `make(item)` for each item, in order, made on all cores; a few are made ahead.

    The calling thread does all the work where there is too little of it to share, and inside of another such call.
    """
    threads = available_cores()
    if threads < 2 or len(items) < 2 * threads or getattr(_thread, "busy", False):
        yield from map(make, items)
        return
    yield from made_ahead(_pool(threads), make, items, 2 * threads)


def made_ahead(pool: Executor, make: Callable[[Item], R], items: Iterable[Item], ahead: int) -> Iterator[R]:
    """Yield `make(item)` for each item, in order, made in the threads of a pool, up to `ahead` of them in advance."""
    started = deque[Future[R]]()
    try:
        for item in items:
            started.append(pool.submit(make, item))
            if len(started) > ahead:
                yield started.popleft().result()
        while started:
            yield started.popleft().result()
    finally:
        for future in started:
            future.cancel()
        wait_for(started)  # until they release their memory


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "bands", initializer=setattr, initargs=(_thread, "busy", True))


def in_children(forget: Callable[[], object]) -> None:
    """Call a function in every child process that is forked, which has none of the threads."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


in_children(_pool.cache_clear)
