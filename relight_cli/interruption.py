"""Ctrl-C and SIGTERM: unwind once, finish the files that are begun, and end the process without a crash.

The first signal raises an exception in the main thread, wherever it is. A process that ends while threads are in native
code can crash: when Python is taken down, a thread that returns to it is ended inside of C++, which aborts with
"terminate called without an active exception". An interrupted process therefore does not take Python down: it removes
its temporary files and leaves by `os._exit`. For the same reason it waits for work, never for threads: until Python
3.12 an exception in `Thread.join` marks a running thread as ended (`cores.Pool`).
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from relight_cli.errors import ExitCode

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

TORCHRUN = "TORCHELASTIC_RUN_ID"  # the variable that torchrun gives to its workers
SAME = 1.0  # seconds within which a second signal is the first: `timeout` and shells may send one twice
PATIENCE = 10.0  # seconds after a signal in which the main thread must end, if no file is being written
_TICK = 0.05  # seconds


class Terminated(BaseException):
    """Raised by the handler of SIGTERM, as KeyboardInterrupt is by that of SIGINT."""


INTERRUPTIONS = (KeyboardInterrupt, Terminated)
LastLine = Callable[[str, int], str]
WORDS = {ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}


class _State:
    """What is known about the signals of this process."""

    def __init__(self) -> None:
        self.depth = 0  # of `signals_handled`
        self.number: int | None = None  # the first signal
        self.since = 0.0  # of the first signal
        self.held = 0  # of `signals_held`
        self.is_due = False  # its exception was not raised yet
        self.lost = False  # its exception was raised where Python ignores exceptions
        self.ended: ExitCode | int | None = None  # the exit code, when all work is done
        self.over = threading.Event()  # the watch has nothing left to do
        self.line: LastLine = lambda word, code: f"relight-cli: {word}."


_state = _State()
_is_writing: list[Callable[[], bool]] = []
_before_leaving: list[Callable[[], object]] = []


def watch_writing(is_writing: Callable[[], bool], clean: Callable[[], object]) -> None:
    """Tell how to find out whether a file is being written, and how to remove temporary files before leaving."""
    _is_writing.append(is_writing)
    _before_leaving.append(clean)


def is_interrupted() -> bool:
    """Return whether a signal has come."""
    return _state.number is not None


@contextlib.contextmanager
def signals_handled(line: LastLine | None = None) -> Iterator[None]:
    """Raise KeyboardInterrupt or Terminated once in the block when a signal comes; a later signal leaves at once.

    `line` makes the last line of a run that leaves at once, given "interrupted" or "terminated" and the exit code. For
    the main thread. SIGINT stays ignored where it was, as in background jobs of a shell. SIGHUP, which a terminal or a
    connection sends that is closed, counts as SIGTERM, and stays ignored where it was, as under nohup.
    """
    global _state
    if _state.depth == 0:
        _state = _State()
    _state.depth += 1
    _state.line = line or _state.line
    hook, before = sys.unraisablehook, {}
    handlers = {signal.SIGINT: _handle, signal.SIGTERM: _handle}
    if hasattr(signal, "SIGHUP"):  # not on Windows
        handlers[signal.SIGHUP] = _hang_up
    for number, handler in handlers.items():
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
            before[number] = signal.signal(number, handler)
    sys.unraisablehook = _retrying(hook)
    try:
        yield
    finally:
        _state.depth -= 1
        sys.unraisablehook = hook
        if _state.depth == 0 and _state.ended is None:  # while Python is taken down the handlers stay
            _state.over.set()
            for number, former in before.items():
                signal.signal(number, former)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Raise the exception of a signal that comes in the block at its end: for short work that must not be cut.

    Other threads than the main one are never cut.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    state = _state
    state.held += 1
    try:
        yield
    finally:
        state.held -= 1
        if state.is_due and not state.held:
            state.is_due = False
            raise _exception(state)


def end_process(code: int) -> NoReturn:
    """End the process when all work is done: an interrupted one at once, any other as Python does.

    A worker of torchrun ends at once, too: threads of its process group may still be in native code.
    """
    _state.ended = code
    if is_interrupted() or code in WORDS or TORCHRUN in os.environ:
        leave(code)
    sys.exit(code)


def leave_interrupted() -> NoReturn:
    """Print the last line of an interrupted run and end the process at once."""
    code = ExitCode.TERMINATED if _state.number == signal.SIGTERM else ExitCode.INTERRUPTED
    leave(code, _state.line(WORDS[code], code))


def leave(code: int, last_words: str = "") -> NoReturn:
    """Remove temporary files, print a line and end the process, whatever its threads do."""
    _state.over.set()
    for clean in _before_leaving:
        with contextlib.suppress(Exception):
            clean()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or in use below a signal handler
            stream.flush()
    if last_words:
        with contextlib.suppress(Exception):
            os.write(sys.stderr.fileno(), f"{last_words}\n".encode(errors="backslashreplace"))
    os._exit(code)


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.ended is not None:  # Python is being taken down
        leave(_state.ended)
    if _state.number is None:
        _state.number, _state.since = number, time.monotonic()
        _thread.start_new_thread(_watch, (_state,))  # `threading` has a lock that this thread may hold
    elif _state.lost:
        _state.lost = False
    else:
        if time.monotonic() - _state.since > SAME:
            leave_interrupted()
        return
    if _state.held:
        _state.is_due = True
        return
    raise _exception(_state)


def _hang_up(number: int, frame: FrameType | None) -> None:
    """Do what SIGTERM does now: a server has a handler of its own."""
    signal.raise_signal(signal.SIGTERM)


def _exception(state: _State) -> BaseException:
    return KeyboardInterrupt() if state.number == signal.SIGINT else Terminated()


def _watch(state: _State) -> None:
    """Send a signal again whose exception was ignored; leave if the main thread neither ends nor writes for long."""
    quiet_since = time.monotonic()
    while not state.over.wait(_TICK):
        if state.lost and state.number is not None and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, state.number)
        if any(is_writing() for is_writing in _is_writing):
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > PATIENCE:
            leave_interrupted()


def _retrying(hook: "Callable[[UnraisableHookArgs], object]") -> "Callable[[UnraisableHookArgs], object]":
    """Return a hook that notes when the exception of a signal is ignored, as in a destructor; see `_watch`."""

    def note(ignored: "UnraisableHookArgs") -> None:
        if is_interrupted() and issubclass(ignored.exc_type, INTERRUPTIONS):
            _state.lost = True
        else:
            hook(ignored)

    return note
