"""The work of the server: jobs in a bounded queue, which one thread does with networks that stay loaded."""

import asyncio
import gc
import queue
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from relight_cli.jobs.memory import release_memory
from relight_cli.jobs.progress import Outcome, RunProgress, progress_shown_by
from relight_cli.serving.errors import ProblemError, problem_of
from relight_cli.serving.options import JobLimits

COLLECT_EVERY = 20  # jobs after which garbage is collected: a fifth of a second with torch loaded
MOST_KEPT = 64  # jobs of which a client may still fetch the result
STUCK = 60.0  # seconds after the time limit when a job that does not stop makes the server unhealthy
Run = Callable[[str, list[str]], None]
"""Runs a command, given its name and its arguments. Raises the errors of the command line."""


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


class Worker:
    """Does the jobs one after the other; the network uses all cores for each."""

    def __init__(
        self,
        run: Run,
        options: JobLimits,
        ended: Callable[[str, State, float], None] = lambda task, state, seconds: None,
        root: Path | None = None,
    ) -> None:
        self._run, self._options, self._ended = run, options, ended
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock, self._admitted, self._count = threading.Lock(), 0, 0
        self.root = root or Path(tempfile.mkdtemp(prefix="relight-serve-"))
        self.kept: dict[str, Job] = {}
        self.running: Job | None = None
        self.is_draining = False
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()

    @property
    def admitted(self) -> int:
        """The jobs that wait or are at work, or whose photo is being sent."""
        return self._admitted

    @property
    def is_stuck(self) -> bool:
        """Whether a job did not stop long after its time limit."""
        job = self.running
        return bool(job and job.is_overdue(STUCK))

    def admit(self, task: str, *, is_kept: bool) -> Job:
        """Return a new job, before its photo is read. Raises a ProblemError if there are too many."""
        self._clear_old()
        if self.is_draining:
            raise ProblemError(503, "the server is shutting down.", headers={"Retry-After": "30"})
        with self._lock:
            is_full = self._admitted > self._options.queue or (is_kept and len(self.kept) >= MOST_KEPT)
            if is_full:
                raise ProblemError(429, "too many photos wait: try again later.", headers={"Retry-After": "5"})
            try:
                folder = Path(tempfile.mkdtemp(dir=self.root))
            except OSError as error:
                raise ProblemError(507, f"the photo cannot be stored ({error.strerror}).") from error
            self._admitted += 1
            job = Job(task, folder)
            if is_kept:
                self.kept[job.id] = job
        return job

    def withdraw(self, job: Job) -> None:
        """Take back a job that was not submitted."""
        self.kept.pop(job.id, None)
        job.clear()
        self._release()

    def submit(self, job: Job) -> None:
        """Let the job be done."""
        self._queue.put(job)

    def drain(self) -> None:
        """Take no more jobs, and cancel those whose result nobody could fetch; what a client waits for is made."""
        self.is_draining = True
        for job in list(self.kept.values()):
            if not job.is_final:
                job.cancel(ProblemError(503, "the server is shutting down."))

    def close(self, seconds: float | None = None) -> None:
        """End the thread when the queue is empty, which may take these seconds, and remove all files."""
        self._queue.put(None)
        self._thread.join(self._options.time_limit if seconds is None else seconds)
        shutil.rmtree(self.root, ignore_errors=True)

    def forget(self, job: Job) -> None:
        """Forget a job that has ended."""
        self.kept.pop(job.id, None)
        job.clear()

    def abandon(self, job: Job, problem: ProblemError) -> None:
        """Stop a job that nobody asks for any more, for this reason, and forget it; its files go when it has ended."""
        job.is_abandoned = True  # before the state is read, so that one of both threads removes the files
        job.cancel(problem)
        self.kept.pop(job.id, None)
        if job.is_final:
            job.clear()

    def _clear_old(self) -> None:
        now = time.monotonic()
        for job in list(self.kept.values()):
            if job.finished is not None and now - job.finished > self._options.keep:
                self.forget(job)

    def _release(self) -> None:
        with self._lock:
            self._admitted -= 1

    def _work(self) -> None:
        while job := self._queue.get():
            began = time.monotonic()
            self.running = job
            state, problem = self._do(job)
            self.running = None
            self._tidy()
            self._release()
            self._ended(job.task, state, time.monotonic() - began)
            job.end(state, problem)
            if state != State.DONE or job.is_abandoned:
                job.clear()

    def _do(self, job: Job) -> tuple[State, ProblemError | None]:
        """Run the command of a job; return how it ended."""
        job.deadline = time.monotonic() + self._options.time_limit
        try:
            job.check()
            job.state = State.RUNNING
            with progress_shown_by(lambda command: JobProgress(command, job)):
                job.work(job) if job.work else self._run(job.task, job.arguments)
            job.check()
            if not (job.result and job.result.is_file()):
                raise ProblemError(500, "the command made no picture: look at the server's own defaults.")
        except Exception as error:  # noqa: BLE001  libraries may raise anything; the next job is done all the same
            found = job.stop or problem_of(error)
            state = State.CANCELLED if job.stop and job.stop.status != 504 else State.FAILED
            return state, ProblemError(found.status, job.plain(str(found)), found.code, found.headers)
        finally:
            job.deadline = None  # what is tidied up afterwards takes no time of the job's
        job.share = 1.0
        return State.DONE, None

    def _tidy(self) -> None:
        """Return the memory of a job."""
        self._count += 1
        if self._count % COLLECT_EVERY == 0:
            gc.collect()
        release_memory()
