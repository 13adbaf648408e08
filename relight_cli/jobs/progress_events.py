"""Progress as one JSON object per line on stderr; docs/scripts.md describes the events."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from relight_cli._version import __version__
from relight_cli.jobs.progress import Outcome, RunProgress

SCHEMA = 1  # raised when a field is removed or changes its meaning; new fields and events do not raise it
OFTEN = 0.1  # seconds between two `progress` events of a run, at least


class JsonProgress(RunProgress):
    """Writes an event per line; nothing else goes to stderr."""

    tells_failures = True

    def __init__(self, command: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(command, clock)
        self._last_step = -OFTEN
        if command:
            self._emit("start", schema=SCHEMA, version=__version__, command=command, process=os.getpid())

    def stage(self, text: str) -> None:
        """Emit `stage`."""
        self._emit("stage", stage=text)

    def plan(self, total: int, unit: str = "photo") -> None:
        """Emit `plan`."""
        super().plan(total, unit)
        self._emit("plan", total=total, unit=unit)

    def step(self, name: str, done: int, total: int, unit: str = "tile") -> None:
        """Emit `progress`, not too often."""
        super().step(name, done, total, unit)
        with self._lock:
            if done < total and self.clock() - self._last_step < OFTEN:
                return
            self._last_step = self.clock()
        self._emit("progress", input=name, done=done, total=total, unit=unit, **self._estimate())

    def finish_one(self, outcome: Outcome) -> None:
        """Emit `photo` or `frame`."""
        super().finish_one(outcome)
        self._emit(
            self.unit,
            input=outcome.source,
            output=outcome.target,
            status=outcome.status,
            error=outcome.error,
            message=outcome.message,
            seconds=round(outcome.seconds, 3),
            finished=self.finished,
            total=self.total,
            **self._estimate(),
        )

    def note(self, text: str) -> None:
        """Emit `note`."""
        self._emit("note", message=text)

    def traceback(self, text: str) -> None:
        """Emit `traceback`."""
        self._emit("traceback", text=text)

    def fail(self, text: str, error: BaseException | None, code: int) -> None:
        """Emit `error`."""
        self._emit("error", error=type(error).__name__ if error else None, message=text, exit_code=code)

    def end(self, code: int) -> None:
        """Emit `end`, the last event."""
        self._emit("end", **self._ended(code))

    def last_line(self, word: str, code: int) -> str:
        """Return the last line of a run that leaves at once."""
        return json.dumps({"event": "end", **self._ended(code), "message": self.last_words(word)})

    def _ended(self, code: int) -> dict[str, Any]:
        resume = self.resume() if code in (130, 143) else None
        return {"exit_code": code, **self.counts, "seconds": round(self.seconds(), 3), "resume": resume}

    def _estimate(self) -> dict[str, float | None]:
        rate, left = self.rate() or (None, None)
        return {"per_minute": rate and round(rate, 2), "seconds_left": left and round(left, 1)}

    def _emit(self, event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, **fields}, default=str)
        with self._lock:
            if sys.stderr is not None:
                sys.stderr.write(line + "\n")
                sys.stderr.flush()
