"""Batches of tiles in several threads."""

import os
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relight_cli.relighting.parallel import in_order


@given(st.lists(st.integers()), st.integers(1, 4))
def test_results_come_in_order(items: list[int], workers: int) -> None:
    assert list(in_order(lambda item: (item, item), items, workers)) == [(item, item) for item in items]


def test_each_batch_has_one_thread_of_torch_and_the_caller_has_its_own_again() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone = list(in_order(lambda item: torch.get_num_threads(), range(3), 1))
        together = list(in_order(lambda item: torch.get_num_threads(), range(3), 3))
        assert (alone, together, torch.get_num_threads()) == ([2] * 3, [1] * 3, 2)
    finally:
        torch.set_num_threads(before)


def test_work_is_started_as_it_is_needed() -> None:
    taken: list[int] = []

    def items() -> object:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(lambda item: item, items(), 2)  # type: ignore[arg-type]
    assert [next(results), len(taken)] == [0, 3]
    results.close()


def test_an_error_waits_for_the_others_and_stops() -> None:
    running = threading.Semaphore(0)
    ended: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise MemoryError
        running.acquire(timeout=0.2)
        ended.append(item)

    with pytest.raises(MemoryError):
        list(in_order(work, range(50), 2))
    count = len(ended)
    running.release(50)
    assert count == len(ended) < 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    program = """
import os, sys, threading
from relight_cli.relighting.parallel import in_order
barrier = threading.Barrier(2)
list(in_order(lambda item: barrier.wait(), range(2), 2))
child = os.fork()
if not child:
    import signal
    signal.alarm(5)
    os._exit(list(in_order(abs, [-1, -2], 2)) != [1, 2])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
