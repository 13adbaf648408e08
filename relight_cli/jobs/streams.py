"""The standard streams of a command: stdin is a photo or a list of names, stdout is only for a picture."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError

_reserved: list[BinaryIO] = []  # the real stdout, inside `reserve_stdout`


@contextlib.contextmanager
def reserve_stdout() -> Iterator[None]:
    """Reserve stdout for `stdout_stream` while the block runs; send other output, also of C libraries, to stderr."""
    is_open = sys.stdout is not None and _is_open(1)
    _occupy_closed()
    if not is_open:  # output is discarded
        yield
        return
    _flush()
    real = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _reserved.append(real)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _reserved.remove(real)
        _flush()
        os.dup2(real.fileno(), 1)
        with contextlib.suppress(OSError):  # reported where the stream was flushed
            real.close()


@contextlib.contextmanager
def separate_stderr() -> Iterator[None]:
    """Give sys.stderr its own descriptor while the block runs, so that descriptor 2 can be hidden from libraries."""
    original = sys.stderr
    if original is None or not _is_open(2) or not _is_descriptor_2(original):
        yield
        return
    own = os.fdopen(os.dup(2), "w", encoding=original.encoding, errors=original.errors, buffering=1)
    sys.stderr = own
    try:
        yield
    finally:
        sys.stderr = original
        with contextlib.suppress(OSError, ValueError):  # the terminal may be closed
            own.flush()


def stdout_stream() -> BinaryIO:
    """Return the stream for a picture. Raises OutputUnwritableError if stdout is closed."""
    if not _reserved:
        raise OutputUnwritableError("stdout is closed: name a file with --output.")
    return _reserved[-1]


def write_stdout(data: bytes) -> None:
    """Write all of `data` to stdout, which is reserved. Raises OutputUnwritableError, also for a closed pipe."""
    stream = stdout_stream()
    try:
        stream.write(data)
        stream.flush()
    except OSError as error:
        reason = error.strerror or error
        raise OutputUnwritableError(f"standard output: cannot be written ({reason}); check the pipe") from error


def stdin_stream() -> BinaryIO:
    """Return stdin. Raises PhotoUnreadableError if it is closed."""
    if sys.stdin is None:
        raise PhotoUnreadableError("stdin is closed: name a file.")
    if sys.stdin.isatty():
        raise PhotoUnreadableError("stdin is a terminal, which has no photo or list: pipe one into it, or name a file.")
    return sys.stdin.buffer


def _occupy_closed() -> None:
    """Open the null device as each closed descriptor of 0 to 2, so that no opened file receives output."""
    for descriptor in range(3):
        if not _is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
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
    except (OSError, ValueError, AttributeError):  # a stream without a descriptor
        return False


def _flush() -> None:
    """Flush stdout and the buffers of C libraries to the current descriptor 1."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not on Windows
        ctypes.CDLL(None).fflush(None)
