"""Hand out the jobs of a run one by one, each claimed, so that no other process makes it meanwhile."""

import time
from collections import deque
from collections.abc import Callable

from relight_cli.jobs.claims import POLL, Claims
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.outputs import Job

Recheck = Callable[[Job], Job]
"""Decides anew about a job whose outputs have changed since it was planned: returns it with `skip` set, or not."""


class SharedJobs:
    """The jobs of a run, in order; those that other processes are making come last.

    Without `recheck` none is claimed.
    """

    def __init__(self, jobs: list[Job], recheck: Recheck | None, notify: Callable[[str], None]) -> None:
        self._fresh, self._busy = deque(jobs), deque[Job]()
        self._recheck, self._notify = recheck, notify
        self._claims = Claims()
        self._states = {job.target: job.found or job.state() for job in jobs if not job.skip}
        self._told = False

    def take(self, *, wait: bool) -> Job | None:
        """Return the next job, claimed, or with `skip` set if another process has made it; None if there is none.

        With `wait`, wait for jobs that other processes are making; else return None if there are no others.
        """
        while self._fresh:
            job = self._fresh.popleft()
            if taken := self._claimed(job):
                return taken
            self._busy.append(job)
        while self._busy:
            for _ in range(len(self._busy)):
                job = self._busy.popleft()
                if taken := self._claimed(job):
                    return taken
                self._busy.append(job)
            if not wait:
                return None
            if not self._told:
                self._notify(f"waiting for photos that other processes are making ({len(self._busy)}).")
                self._told = True
            time.sleep(POLL)
        return None

    def is_as_claimed(self, job: Job) -> bool:
        """Return whether the outputs of a claimed job are as they were when it was claimed."""
        return job.target == STDIO or self._states.get(job.target) == job.state()

    def release(self, job: Job) -> None:
        """End the claim of a job."""
        self._claims.release(job.target)

    def release_all(self) -> None:
        """End all claims."""
        self._claims.release_all()

    def _claimed(self, job: Job) -> Job | None:
        """Return a job claimed, or decided anew; None while another process has claimed it."""
        if self._recheck is None or job.skip or job.target == STDIO:
            return job
        if not self._claims.take(job.target):
            return None
        state = job.state()
        if state == self._states[job.target]:
            return job
        self._states[job.target] = state
        job = self._recheck(job)
        if job.skip:
            self.release(job)
        return job
