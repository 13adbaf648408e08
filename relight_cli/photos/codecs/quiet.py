"""Keep the output of libraries that print by themselves off the terminal."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

# Without a handler Python writes the warnings of these libraries to stderr.
for _library in ("imagecodecs", "PIL", "pillow_heif", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what libraries print in the block: to descriptor 2 (LibRaw, libtiff, OpenEXR) or sys.stdout (OpenEXR).

    A descriptor belongs to the whole process, so keep the block small; one runs at a time. Python output of other
    threads passes: on sys.stdout always, on sys.stderr if it has its own descriptor, as on the command line.
    """
    with _one_at_a_time, without_descriptor(), _without_stdout():
        yield


@contextlib.contextmanager
def without_descriptor() -> Iterator[None]:
    """Drop what the process and those that it starts write to descriptor 2; sys.stderr may have its own."""
    kept = None
    with contextlib.suppress(OSError):  # it is closed
        kept = os.dup(2)
    if kept is None:
        yield
        return
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        os.close(devnull)
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
    others = _OtherThreadsOnly(kept)
    sys.stdout = others
    try:
        yield
    finally:
        if sys.stdout is others:  # else other code has replaced it meanwhile
            sys.stdout = kept


class _OtherThreadsOnly:
    """A stream that drops what its creating thread writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
