"""Decoders that write to the terminal by themselves, kept from it."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what the block's libraries print: by descriptor 2 (LibRaw, libtiff, OpenEXR), by sys.stdout (OpenEXR).

    A descriptor is the whole process's, so the block is to be as small as can be, and one runs at a time. What Python
    prints in other threads comes through: on sys.stdout by its thread, on sys.stderr where that has a descriptor of its
    own, as the command line gives it.
    """
    with _one_at_a_time, _without_descriptor(), _without_stdout():
        yield


@contextlib.contextmanager
def _without_descriptor() -> Iterator[None]:
    kept = None
    with contextlib.suppress(OSError):  # where it is closed
        kept = os.dup(2)
    if kept is None:
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    kept = sys.stdout
    if kept is None:
        yield
        return
    others = _OfOtherThreads(kept)
    sys.stdout = others
    try:
        yield
    finally:
        if sys.stdout is others:  # else somebody has put another in its place meanwhile
            sys.stdout = kept


class _OfOtherThreads:
    """A stream that drops what the thread writes which made it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
