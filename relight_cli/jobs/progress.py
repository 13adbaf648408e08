"""What a run tells about its work while it works: bars on a terminal, lines of JSON, or nothing.

One object belongs to each run; `current()` returns it, so that notes and errors do not tear the bars. It counts files,
also where it shows nothing, since an interrupted run says what is done.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import typer

from relight_cli.jobs.console import print_with, printable
from relight_cli.jobs.resuming import resume_command

RESUME = {"refine-depth": ("--resume", "--skip-existing"), "interpolate-timelapse": ()}
"""The options with which a command makes the rest of an interrupted run; others take --skip-existing."""


class ProgressMode(StrEnum):
    """The values of --progress."""

    AUTO = "auto"
    JSON = "json"


class Options(Protocol):
    """The options of a command that matter here."""

    @property
    def progress(self) -> ProgressMode: ...
    @property
    def quiet(self) -> bool: ...


@dataclass(frozen=True)
class Outcome:
    """What happened to a photo or a frame."""

    source: str | None  # None: a frame between others
    target: str | None  # None if it failed
    status: str  # done, skipped, failed
    seconds: float = 0.0
    error: str | None = None  # class of the error
    message: str | None = None


class RunProgress:
    """The progress of a run; this one counts, and shows nothing."""

    tells_failures = False  # whether `finish_one` says why a photo failed

    def __init__(self, command: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.command, self.clock = command, clock
        self.total, self.unit = 0, "photo"
        self.has_parts = command in RESUME  # a photo's work is kept in parts, so that even one photo is resumed
        self.counts = {"done": 0, "skipped": 0, "failed": 0}
        self.folders: dict[Path, None] = {}  # that files were written to, in order
        self.last: Path | None = None  # file that was written
        self._is_one_file = True
        self._began, self._work_began = clock(), clock()
        self._parts: dict[str, float] = {}  # share of each unfinished photo that is done
        self._lock = threading.RLock()

    @property
    def finished(self) -> int:
        """The number of photos or frames that need no more work."""
        return sum(self.counts.values())

    def stage(self, text: str) -> None:
        """Tell what the run is doing, before and after the work on its photos."""

    def pause(self) -> None:
        """Take the line of text off, before a question on the terminal."""

    def plan(self, total: int, unit: str = "photo") -> None:
        """Tell how many photos (or frames) the run has, with those that are skipped."""
        with self._lock:
            self.total, self.unit, self._work_began = total, unit, self.clock()

    def step(self, name: str, done: int, total: int, unit: str = "tile") -> None:
        """Tell how much of a photo is done."""
        with self._lock:
            self._parts[name] = done / total if total else 0.0

    def finish_one(self, outcome: Outcome) -> None:
        """Tell what happened to a photo or a frame."""
        with self._lock:
            self.counts[outcome.status] += 1
            self._parts.pop(outcome.source or "", None)
            if outcome.status == "done" and outcome.target not in (None, "-"):
                target = Path(outcome.target or "")
                self._is_one_file = self._is_one_file and self.last in (None, target)  # as of a video
                self.last = target
                self.folders[target.parent] = None

    def note(self, text: str) -> None:
        """Print a note, a warning or the error of a photo."""
        typer.echo(printable(text), err=True)

    def traceback(self, text: str) -> None:
        """Print a traceback."""
        typer.echo(text, err=True)

    def fail(self, text: str, error: BaseException | None, code: int) -> None:
        """Print the error that ends the run."""
        self.note(f"relight-cli: {text}")

    def end(self, code: int) -> None:
        """Tell that the run has ended."""

    def last_line(self, word: str, code: int) -> str:
        """Return the last line of a run that leaves at once; it waits for no lock."""
        return f"relight-cli: {printable(self.last_words(word))}"

    def rate(self) -> tuple[float, float] | None:
        """Return photos per minute and the seconds left; None as long as neither is known."""
        with self._lock:
            made = self.counts["done"] + self.counts["failed"] + sum(self._parts.values())
            seconds, left = self.clock() - self._work_began, self.total - self.finished - sum(self._parts.values())
        if made < 0.01 or seconds <= 0:
            return None
        return made / seconds * 60, max(0.0, left) * seconds / made

    def seconds(self) -> float:
        """Return the seconds since the run began."""
        return self.clock() - self._began

    def where(self) -> str:
        """Return which file was written, or to which folders files were."""
        if self.last and self._is_one_file:
            return str(self.last)
        folders = [f"{folder}/" if str(folder) != "." else "this folder" for folder in self.folders]
        return folders[0] if len(folders) == 1 else f"{len(folders)} folders, {folders[0]} the first" if folders else ""

    def resume(self) -> str | None:
        """Return the command that makes the rest; None if nothing is left or nothing was begun."""
        left = self.total - self.finished
        if not left or (self._is_whole and not self.has_parts):
            return None
        return resume_command(sys.argv[1:], RESUME.get(self.command, ("--skip-existing",)))

    def last_words(self, word: str) -> str:
        """Return the line that ends a run which a signal stopped: `word` is "interrupted" or "terminated"."""
        if not self.total:
            return f"{word}."
        rest = self.resume()
        if self._is_whole and (self.total > 1 or not self.finished):
            return f"{word} before the output was written; " + (f"to make it: {rest}" if rest else "run it again.")
        counted = f"{self.finished} of {self.total} {self.unit}s are done"
        return f"{word}: {counted}" + (f"; to make the rest: {rest}" if rest else ".")

    @property
    def _is_whole(self) -> bool:
        """Whether the run makes one output, which exists at its end: a photo or a video."""
        return self.total == 1 or (self.unit == "frame" and not self.has_parts)


_current = RunProgress()
_maker: ContextVar[Callable[[str], RunProgress] | None] = ContextVar("_maker", default=None)


def current() -> RunProgress:
    """Return the progress of the run."""
    return _current


@contextlib.contextmanager
def progress_shown_by(make: Callable[[str], RunProgress]) -> Iterator[None]:
    """Let a command that is run in the block, in this thread, tell its progress to what `make` returns for its name."""
    token = _maker.set(make)
    try:
        yield
    finally:
        _maker.reset(token)
        _use(RunProgress())


def begin_progress(command: str, options: Options) -> None:
    """Begin to show the progress of a command, as its options and the terminal say, or as `progress_shown_by`."""
    if make := _maker.get():
        _use(make(command))
    elif options.progress == ProgressMode.JSON:
        _use(_json(command))
    elif not options.quiet and sys.stderr is not None and sys.stderr.isatty():
        from relight_cli.jobs.progress_bars import BarProgress

        _use(BarProgress(command))
    else:
        _use(RunProgress(command))
    _current.stage("looking at the files")


def forget_progress() -> None:
    """Forget the progress of an earlier run in this process."""
    words = sys.argv[1:]
    asks_for_json = "--progress=json" in words or ("--progress", "json") in pairwise(words)
    _use(_json("") if asks_for_json else RunProgress())


def _json(command: str) -> RunProgress:
    from relight_cli.jobs.progress_events import JsonProgress

    return JsonProgress(command)


def _use(progress: RunProgress) -> None:
    global _current
    _current = progress
    print_with(lambda line: current().note(line), lambda text: current().traceback(text))
