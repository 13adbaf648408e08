"""A job of the server: what is to be made of a photo, how far it is, and what stops it."""

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from relight_cli.jobs.progress import Outcome, RunProgress
from relight_cli.serving.errors import ProblemError


class State(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass
class Job:
    """A photo to be made. Fields change in the worker's thread; `changed` is waited for in the loop's."""

    task: str
    folder: Path  # its own: uploads and result
    arguments: list[str] = field(default_factory=list)
    result: Path | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = State.QUEUED
    stage: str = ""
    share: float = 0.0  # that is done, 0 to 1
    notes: list[str] = field(default_factory=list)
    problem: ProblemError | None = None
    stop: ProblemError | None = None  # why it is to stop
    is_abandoned: bool = False  # nobody asks for it any more
    work: "Callable[[Job], None] | None" = None  # what is done; None: the command `task` runs with the arguments
    deadline: float | None = None  # while it is at work
    finished: float | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)

    def facts(self) -> dict[str, Any]:
        """Return what a client is told about the job."""
        facts: dict[str, Any] = {"id": self.id, "task": self.task, "state": self.state, "stage": self.stage}
        facts |= {"progress": round(self.share, 4), "notes": self.notes}
        return facts | ({"problem": self.problem.body()} if self.problem else {})

    def check(self) -> None:
        """Raise the ProblemError for which the job is to stop, if any; called between the steps of the work."""
        if self.is_overdue(0.0):
            self.stop = self.stop or ProblemError(504, "the work took longer than the server allows.")
        if self.stop:
            raise self.stop

    def is_overdue(self, seconds: float) -> bool:
        """Return whether the job is still at work so many seconds after its time limit."""
        deadline = self.deadline  # once, since the worker's thread takes it away
        return deadline is not None and time.monotonic() > deadline + seconds

    def tell(self) -> None:
        """Wake those who wait for a change."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._wake)

    def end(self, state: State, problem: ProblemError | None = None) -> None:
        """Set the final state."""
        self.problem, self.finished = problem, time.monotonic()
        self.state = state
        self.tell()

    def cancel(self, problem: ProblemError) -> None:
        """Stop the job: at once if it waits, else before its next step."""
        self.stop = self.stop or problem

    def clear(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def plain(self, text: str) -> str:
        """Return a message without the job's folder."""
        return text.replace(f"{self.folder}/", "").replace(f"{self.folder}\\", "")

    async def wait(self, seconds: float, changed: asyncio.Event | None = None) -> bool:
        """Wait for a change, but not longer than this; return whether there was one.

        `changed` is the event as it was before the job was looked at, if something else was awaited since then.
        """
        try:
            async with asyncio.timeout(seconds):
                return await (changed or self.changed).wait()
        except TimeoutError:
            return False

    def _wake(self) -> None:
        before, self.changed = self.changed, asyncio.Event()
        before.set()


class JobProgress(RunProgress):
    """Tells a job how far its command is, and stops the command where the job is to stop."""

    tells_failures = True

    def __init__(self, command: str, job: Job) -> None:
        super().__init__(command)
        self._job = job

    def stage(self, text: str) -> None:
        """Tell what the run is doing."""
        self._job.check()
        self._job.stage = text
        self._job.tell()

    def step(self, name: str, done: int, total: int, unit: str = "tile") -> None:
        """Tell how much of a photo is done."""
        self._job.check()
        self._tell(f"{done} of {total} {unit}s", done / total if total else 0.0)

    def finish_one(self, outcome: Outcome) -> None:
        """Tell what happened to one of several photos or frames; the failure of a single photo is its command's error.

        A sequence has no other steps than its frames, so it stops here.
        """
        super().finish_one(outcome)
        if self.total < 2:
            return
        if outcome.status == "failed":
            message = outcome.message or outcome.error or ""
            self.note(message if message.startswith(str(outcome.source)) else f"{outcome.source}: {message}")
        self._tell(f"{self.finished} of {self.total} {self.unit}s", 0.0)
        if self.unit == "frame":
            self._job.check()

    def _tell(self, stage: str, part: float) -> None:
        """Tell the stage, and the share that is done: of all photos with a part of the next one."""
        self._job.stage, self._job.share = stage, min(1.0, (self.finished + part) / max(1, self.total))
        self._job.tell()

    def note(self, text: str) -> None:
        """Keep a note for the client."""
        self._job.notes.append(self._job.plain(text))

    def traceback(self, text: str) -> None:
        """Show no traceback to a client."""
