"""Progress as bars on a terminal: one for the run, and one for each photo that takes a while."""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from relight_cli.errors import ExitCode
from relight_cli.jobs.console import printable
from relight_cli.jobs.progress import Outcome, RunProgress
from relight_cli.jobs.time_budget import duration

if TYPE_CHECKING:
    from tqdm import tqdm as Bar

WHILE = 0.5  # seconds after which a photo of a batch gets a bar of its own
_BATCH = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total}{postfix}"
_PHOTO = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit}{postfix}"
_TEXT = "{desc}"


class BarProgress(RunProgress):
    """Shows bars on stderr, and at the end what was written where."""

    def __init__(self, command: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(command, clock)
        tqdm.monitor_interval = 0  # no thread of its own
        tqdm.set_lock(threading.RLock())  # its own lock serves several processes, and on macOS starts one
        self._text: Bar | None = None
        self._batch: Bar | None = None
        self._photos: dict[str, Bar] = {}
        self._since: dict[str, float] = {}  # when a photo was begun

    def stage(self, text: str) -> None:
        """Show a line of text until the first bar."""
        with self._lock:
            shown = printable(f"{self.command}: {text} ...")
            if self._text is None:
                self._text = tqdm(desc=shown, bar_format=_TEXT, **_shape())
            self._text.set_description_str(shown)

    def pause(self) -> None:
        """Take the line of text off."""
        self._take_off_text()

    def plan(self, total: int, unit: str = "photo") -> None:
        """Show the bar of the run, if it has several photos."""
        super().plan(total, unit)
        with self._lock:
            self._take_off_text()
            if total > 1 and self._batch is None:
                self._batch = self._bar(self.command, total, unit, _BATCH)
            self._refresh_batch()

    def step(self, name: str, done: int, total: int, unit: str = "tile") -> None:
        """Show the bar of a photo when it takes a while; it is the only one of a single photo."""
        super().step(name, done, total, unit)
        with self._lock:
            began = self._since.setdefault(name, self.clock())
            shown = self._photos.get(name)
            if shown is None and (self._batch is None or (total > 1 and self.clock() - began > WHILE)):
                self._take_off_text()
                short = printable(name.replace("\\", "/").rpartition("/")[2])
                shown = self._photos[name] = self._bar(short, total, f"{unit}s" if total != 1 else unit, _PHOTO)
            if shown is not None:
                shown.total, shown.n = total, done
                shown.set_postfix_str(self._left(done == total and unit == "tile"), refresh=False)
                shown.refresh()
            self._refresh_batch()

    def finish_one(self, outcome: Outcome) -> None:
        """Take the photo's bar off and advance that of the run."""
        super().finish_one(outcome)
        with self._lock:
            self._since.pop(outcome.source or "", None)
            if shown := self._photos.pop(outcome.source or "", None):
                shown.close()
            self._refresh_batch()

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        with self._lock:
            tqdm.write(printable(text), file=sys.stderr)

    def fail(self, text: str, error: BaseException | None, code: int) -> None:
        """Take the bars off and print the error that ends the run."""
        self._take_off()
        super().fail(text, error, code)

    def end(self, code: int) -> None:
        """Take the bars off; print which file was written, or to which folders."""
        self._take_off()
        if code not in (0, ExitCode.SOME_FAILED) or not (where := self.where()):
            return
        if self.counts["done"] > 1:
            where = f"{self.counts['done']} {self.unit}s in {where}"
        self.note(f"{where}: written in {self.seconds():.1f} s.")

    def last_line(self, word: str, code: int) -> str:
        """Return the last line of a run that leaves at once, below the bars."""
        return f"\n{super().last_line(word, code)}"

    def _bar(self, label: str, total: int, unit: str, form: str) -> "Bar":
        return tqdm(desc=label, total=total, unit=unit, mininterval=0, miniters=1, bar_format=form, **_shape())

    def _left(self, is_computed: bool) -> str:
        """Return the time left of a single photo, or that it is being written."""
        if self._batch is not None:
            return ""
        estimate = self.rate()
        return "writing" if is_computed else f"{duration(estimate[1])} left" if estimate else ""

    def _refresh_batch(self) -> None:
        if self._batch is None:
            return
        self._batch.n = self.finished
        if estimate := self.rate():
            per_minute, left = estimate
            count = f"{per_minute:.0f}" if per_minute >= 10 else f"{per_minute:.1f}"
            self._batch.set_postfix_str(f"{count} {self.unit}s/min, {duration(left)} left", refresh=False)
        self._batch.refresh()

    def _take_off_text(self) -> None:
        if self._text is not None:
            self._text.close()
            self._text = None

    def _take_off(self) -> None:
        with self._lock:
            self._take_off_text()
            for shown in (*self._photos.values(), *([self._batch] if self._batch else [])):
                shown.close()
            self._photos.clear()
            self._batch = None


def _shape() -> dict[str, Any]:
    """Return the width of bars: the terminal's, also when it changes, or that of any other where it says none."""
    try:
        known = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        known = 0
    return {"leave": False, "dynamic_ncols": True} if known else {"leave": False, "ncols": 80}
