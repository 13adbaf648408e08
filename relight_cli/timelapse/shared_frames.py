"""Claim the frames of a folder one by one, so that several processes share them."""

import contextlib
import time
from collections.abc import Callable, Iterator

from relight_cli.jobs.claims import POLL, Claims
from relight_cli.jobs.outputs import state_of
from relight_cli.timelapse.writers import Writer


@contextlib.contextmanager
def claimed_video(writer: Writer, notify: Callable[[str], None]) -> Iterator[bool]:
    """Claim a video, but no folder, for the block; wait for a process that makes it, and yield whether one has."""
    claims = Claims()
    try:
        if writer.is_single_file:
            claims.wait(writer.path, notify)
        yield writer.is_single_file and state_of(writer.path) != writer.found[0]
    finally:
        claims.release_all()


class SharedFrames:
    """The frames of one run; those that other processes are making come last. A video is made as a whole."""

    def __init__(
        self, writer: Writer, is_current: Callable[[int], bool], notify: Callable[[str], None], *, overwrite: bool
    ) -> None:
        """Take the writer, and what tells whether an existing frame of a folder is as this run would make it."""
        self._writer, self._is_current, self._notify, self._overwrite = writer, is_current, notify, overwrite
        self._claims = Claims()

    def turns(self, count: int) -> Iterator[tuple[int, bool]]:
        """Yield the number of each frame, claimed, and whether it is to be made; a frame is released after its turn."""
        if self._writer.is_single_file:
            yield from ((number, True) for number in range(count))
            return
        busy: list[int] = []
        try:
            for number in range(count):
                if self._writer.is_made(number):
                    yield number, False
                elif self._claims.take(self._writer.target(number)):
                    yield number, self._is_missing(number)
                    self._claims.release(self._writer.target(number))
                else:
                    busy.append(number)
            if busy:
                self._notify(f"waiting for frames that other processes are making ({len(busy)}).")
            for number in busy:
                while not self._claims.take(self._writer.target(number)):
                    time.sleep(POLL)
                yield number, self._is_missing(number)
                self._claims.release(self._writer.target(number))
        finally:
            self._claims.release_all()

    def _is_missing(self, number: int) -> bool:
        """Return whether a frame is to be made; what has appeared meanwhile is kept, unless it is to be replaced."""
        target = self._writer.target(number)
        state = state_of(target)
        if state is None or state == self._writer.found[number]:
            return True
        if not self._is_current(number):
            if self._overwrite:
                return True
            self._notify(f"{target}: written by another program meanwhile, and left as it is.")
        self._writer.adopt(number)
        return False
