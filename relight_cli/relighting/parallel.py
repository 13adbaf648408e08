"""Run a network on several batches of tiles at a time, each on one thread of torch.

One batch on all threads waits for the slowest of them in every layer; one batch per thread waits once. A batch is then
computed in the same way on any number of cores and next to any other picture.
"""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from relight_cli.cores import in_children, made_ahead

R = TypeVar("R")
Item = TypeVar("Item")


_lock = threading.Lock()
_users: list[int] = []  # for each caller that runs, the threads of torch to restore


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Limit torch, and MKL in all threads, to one thread, so that results do not depend on their number.

    The last caller restores the number.
    """
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


def in_order(work: Callable[[Item], R], items: Iterable[Item], workers: int) -> Iterator[R]:
    """Yield `work(item)` for every item, in order, computed in threads that all callers share; one more is ahead.

    With one worker the calling thread does the work, on all threads of torch.
    """
    if workers == 1:
        yield from map(work, items)
        return
    with on_one_thread():
        yield from made_ahead(_pool(workers), work, items, workers)


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "tiles", initializer=torch.set_num_threads, initargs=(1,))


in_children(_pool.cache_clear)
