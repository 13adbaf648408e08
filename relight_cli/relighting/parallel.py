"""Run a network on several batches of tiles at a time, each on one thread of torch.

One batch on all threads waits for the slowest of them in every layer; one batch per thread waits once. A batch is then
computed in the same way on any number of cores and next to any other picture.
"""

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

R = TypeVar("R")
Item = TypeVar("Item")


def in_order(work: Callable[[Item], R], items: Iterable[Item], workers: int) -> Iterator[R]:
    """Yield `work(item)` for every item, in order, computed in threads that all callers share; one more is ahead.

    With one worker the calling thread does the work, on all threads of torch.
    """
    if workers == 1:
        yield from map(work, items)
        return
    started: deque[Future[R]] = deque()
    with _one_thread_each():
        try:
            for item in items:
                started.append(_pool(workers).submit(work, item))
                if len(started) > workers:
                    yield started.popleft().result()
            while started:
                yield started.popleft().result()
        finally:
            for future in started:
                future.cancel()
            wait(started)  # until they release their memory


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "tiles", initializer=torch.set_num_threads, initargs=(1,))


_lock = threading.Lock()
_users: list[int] = []  # for each caller that runs, the threads of torch to restore


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Limit torch, and MKL in all threads, to one thread; the last caller restores the number."""
    with _lock:
        _users.append(_users[0] if _users else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            threads = _users.pop()
            if not _users:
                torch.set_num_threads(threads)
