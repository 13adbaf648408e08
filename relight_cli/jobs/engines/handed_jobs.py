"""The photos that an engine hands to the command of this process, one by one, in place of those that it would plan.

The command runs in a thread of its own from its first line to its last, so that it loads its networks, its reference
and its mask once. Where it would plan, it gets a sample; where it would run its batch, it waits for photos.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from relight_cli.jobs.engines.calls import Call
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import RunProgress, begin_progress, progress_shown_by
from relight_cli.jobs.reported_outputs import ReportEntry


@dataclass(frozen=True)
class Made:
    """What happened to a photo."""

    job: Job  # `skip`: its outputs were left as they are
    seconds: float
    error: Exception | None = None
    facts: ReportEntry | None = None
    notes: list[str] = field(default_factory=list)


class _Notes(RunProgress):
    """Keeps the notes of a command for the process that hands it photos."""

    tells_failures = True

    def __init__(self, command: str) -> None:
        super().__init__(command)
        self._lines: list[str] = []
        self._guard = threading.Lock()

    def note(self, text: str) -> None:
        """Keep a note."""
        with self._guard:
            self._lines.append(text)

    def traceback(self, text: str) -> None:
        """Show no traceback: it goes with its error."""

    def take(self) -> list[str]:
        """Return the notes since the last call."""
        with self._guard:
            taken, self._lines = self._lines, []
        return taken


class HandedJobs:
    """A command that runs in a thread, and the photos that are handed to it."""

    def __init__(self, call: Call, sample: Job) -> None:
        """Start the command and wait until it is ready for photos; `sample` is one of them. Raises its errors."""
        self.sample, self._call = sample, call
        self._inbox, self._outbox = queue.SimpleQueue[Job | None](), queue.SimpleQueue[Made | BaseException | None]()
        self._again = False
        self._notes = _Notes(call.name)
        self._thread = threading.Thread(target=self._run, name="command", daemon=True)
        self._thread.start()
        first = self._outbox.get()
        if isinstance(first, BaseException):
            raise first
        self.notes = self._notes.take()  # of the start

    def make(self, job: Job, *, again: bool) -> Made:
        """Make a photo; `again` if an earlier attempt died, so that outputs of this recipe are taken as its work."""
        self._again = again
        self._inbox.put(job)
        made = self._outbox.get()
        if isinstance(made, BaseException):
            raise made
        assert made is not None
        return replace(made, notes=self._notes.take())

    def batches(self) -> Iterator[list[Job]]:
        """Yield each photo that is handed over; for the thread of the command."""
        self._outbox.put(None)
        while job := self._inbox.get():
            yield [job]

    def report(self, made: Made, facts_of: Callable[[Job], ReportEntry]) -> None:
        """Take what happened to the photo that was yielded last; for the thread of the command."""
        if self._again and made.job.skip:
            job = replace(made.job, skip=False)
            made = replace(made, job=job, facts=facts_of(job))
        self._outbox.put(made)

    def _run(self) -> None:
        _handed.set(self)
        try:
            with progress_shown_by(lambda command: self._notes):
                begin_progress(self._call.name, self._call.options)
                self._call.run()
            self._outbox.put(RuntimeError(f"{self._call.name} ended before it was asked for photos"))
        except BaseException as error:  # noqa: BLE001  the other thread raises it
            self._outbox.put(error)


_handed: ContextVar[HandedJobs | None] = ContextVar("_handed", default=None)


def handed_jobs() -> HandedJobs | None:
    """Return what hands photos to the command of this thread; None where it plans its own."""
    return _handed.get()
