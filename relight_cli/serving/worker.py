"""The worker of the server: a bounded queue of jobs, which one thread does with networks that stay loaded."""

import gc
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from relight_cli.jobs.memory import release_memory
from relight_cli.jobs.progress import progress_shown_by
from relight_cli.serving.errors import ProblemError, problem_of
from relight_cli.serving.jobs import Job, JobProgress, State
from relight_cli.serving.options import JobLimits

COLLECT_EVERY = 20  # jobs after which garbage is collected: a fifth of a second with torch loaded
MOST_KEPT = 64  # jobs of which a client may still fetch the result
STUCK = 60.0  # seconds after the time limit when a job that does not stop makes the server unhealthy
Run = Callable[[str, list[str]], None]
"""Runs a command, given its name and its arguments. Raises the errors of the command line."""


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
