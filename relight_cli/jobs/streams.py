"""The standard streams of a command: stdin gives a picture or names, stdout takes a picture and nothing else."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError

_kept: list[BinaryIO] = []  # the real stdout, while `reserve_stdout` holds it


@contextlib.contextmanager
def reserve_stdout() -> Iterator[None]:
    """Keep stdout for `stdout_stream` while the block runs; all other output, of C libraries too, goes to stderr."""
    is_open = sys.stdout is not None and _is_open(1)
    _occupy_closed()
    if not is_open:  # whatever is printed goes nowhere
        yield
        return
    _flush()
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _kept.append(kept)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _kept.remove(kept)
        _flush()
        os.dup2(kept.fileno(), 1)
        with contextlib.suppress(OSError):  # what could not be written has been said by who flushed it
            kept.close()


@contextlib.contextmanager
def separate_stderr() -> Iterator[None]:
    """Give sys.stderr a descriptor beside 2 while the block runs, so that 2 can be kept from libraries for a moment."""
    kept = sys.stderr
    if kept is None or not _is_open(2) or not _is_descriptor_2(kept):
        yield
        return
    own = os.fdopen(os.dup(2), "w", encoding=kept.encoding, errors=kept.errors, buffering=1)
    sys.stderr = own
    try:
        yield
    finally:
        sys.stderr = kept
        with contextlib.suppress(OSError, ValueError):  # of a terminal that is gone
            own.flush()


def stdout_stream() -> BinaryIO:
    """Give the stream that takes a picture. Raises OutputUnwritableError where stdout is closed."""
    if not _kept:
        raise OutputUnwritableError("stdout is closed: name a file with --output.")
    return _kept[-1]


def stdin_stream() -> BinaryIO:
    """Give stdin. Raises PhotoUnreadableError where it is closed."""
    if sys.stdin is None:
        raise PhotoUnreadableError("stdin is closed: name a file.")
    return sys.stdin.buffer


def _occupy_closed() -> None:
    """Open what is closed of the descriptors 0 to 2, so that no file gets one of them and is printed into."""
    for descriptor in range(3):
        if not _is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _is_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):  # a stream without one
        return False


def _flush() -> None:
    """Let what was printed go where it was printed to, the buffers of C libraries included."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # Windows has no such name
        ctypes.CDLL(None).fflush(None)
