"""Report each photo: a line for each failure, an entry in the report, and a summary at the end."""

import contextlib
import errno
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import typer

from relight_cli._version import __version__
from relight_cli.devices import device_error
from relight_cli.errors import DeviceError, ExitCode, OutputUnwritableError, UsageError
from relight_cli.jobs.console import notifier, say, show_traceback
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import Outcome, current
from relight_cli.jobs.reported_outputs import ReportEntry
from relight_cli.jobs.stopping import is_lasting, rest_of
from relight_cli.places import appending
from relight_cli.places.objects import ObjectPath
from relight_cli.places.urls import redact


class ModelIdentity(Protocol):
    """What a report records about a model."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...


class Summary:
    """Collects the results of all jobs, in order; `reported` is added to the options in the report."""

    def __init__(self, jobs: list[Job], model: ModelIdentity, options: CommandOptions, reported: ReportEntry) -> None:
        self.is_single = len(jobs) == 1 and not options.shard  # a share of one photo is still a part of a batch
        self.model, self.options, self.reported = model, options, reported
        self._count = {"done": 0, "skipped": 0, "failed": 0}
        self._jobs = len(jobs)
        self._stopped_by: Exception | None = None
        self._began = time.monotonic()

    @property
    def is_stopped(self) -> bool:
        """Whether an error would be that of all further jobs too, so that none is to be begun."""
        return self._stopped_by is not None

    def add(self, job: Job, seconds: float, error: Exception | None = None, facts: ReportEntry | None = None) -> None:
        """Count a job, report it and print its error; raise the error of a single job.

        An error that stops the run, of a photo or of the report, is printed by `finish`. Usage errors name the photo.
        """
        lasting = error is not None and is_lasting(error)
        error = error and (device_error(error) or error)
        record = report_record(job, self.model, seconds, error)
        self._count[record["status"]] += 1
        if self.options.report:
            options = {"options": asdict(self.options) | {**self.reported}}
            share = {"share": self.options.shard, "photos": self._jobs} if self.options.shard else {}
            self._append(job, {**record, **(facts or {}), **share, **options}, error)
        told = [record[name] for name in ("input", "output", "status", "seconds", "error", "message")]
        current().finish_one(Outcome(*told))
        if error is None:
            return
        if self.is_single:
            if isinstance(error, UsageError) and job.source != STDIO:
                raise type(error)(_naming(job, error)) from error
            raise error
        if lasting:
            self._stopped_by = self._stopped_by or error
            self._count["failed"] -= 1  # it is made with the rest
            return
        if not current().tells_failures:
            say(_naming(job, error))
        if self.options.verbose:
            show_traceback(error)

    def finish(self) -> None:
        """Print the summary of a batch. Raises typer.Exit with exit code 23 if some jobs failed.

        Raises the error that stopped the run, with the count of what is done and the command that makes the rest.
        """
        if self.is_single:
            return
        if error := self._stopped_by:
            kind = DeviceError if isinstance(error, DeviceError) else OutputUnwritableError
            raise kind(f"{str(error).rstrip('.')}. {self._so_far()}") from error
        failed, total = self._count["failed"], sum(self._count.values())
        parts = [f"{number} {status}" for status, number in self._count.items() if number or status == "done"]
        notify = say if failed else notifier(self.options.quiet)
        notify(f"{total} photos: {', '.join(parts)}, in {time.monotonic() - self._began:.1f} s.")
        if failed:
            raise typer.Exit(ExitCode.SOME_FAILED)

    def _append(self, job: Job, record: dict[str, Any], error: Exception | None) -> None:
        """Append an entry to the report; if that fails, stop, unless the job has an error of its own that does."""
        assert self.options.report is not None
        try:
            append_record(self.options.report, record)
        except OutputUnwritableError as unwritable:
            if self.is_single and error is None:
                raise OutputUnwritableError(f"{unwritable}. {job.target} is written.") from unwritable
            self._stopped_by = self._stopped_by or (error if error and is_lasting(error) else unwritable)

    def _so_far(self) -> str:
        """Return what is done, and how to do the rest."""
        others = "".join(f", {self._count[s]} {s}" for s in ("skipped", "failed") if self._count[s])
        left = self._jobs - sum(self._count.values())
        so_far = f"Stopped: {self._count['done']} of {self._jobs} photos are done{others}, {left} are left."
        return f"{so_far} To make the rest: {rest_of(self.options)}" if left else so_far


def _naming(job: Job, error: Exception) -> str:
    """Return what an error says, after the name of the photo unless it begins with that."""
    message = str(error) or type(error).__name__
    return message if message.startswith(str(job.source)) else f"{job.source}: {message}"


def report_record(job: Job, model: ModelIdentity, seconds: float, error: Exception | None) -> dict[str, Any]:
    """Return what a report records about every input."""
    return {
        "input": str(job.source),
        "output": None if error else str(job.target),
        "status": "failed" if error else "skipped" if job.skip else "done",
        "error": type(error).__name__ if error else None,
        "message": redact(str(error)) if error else None,
        "seconds": round(seconds, 3),
        "model": model.name,
        "revision": model.revision,
        "sha256": model.sha256,
        "version": __version__,
    }


def append_record(report: Path, record: dict[str, Any]) -> None:
    """Append a line to a report in one write, since other runs may append too. Raises OutputUnwritableError.

    A line of which only a part fits is taken back.
    """
    line = json.dumps(record, default=str) + "\n"
    try:
        if isinstance(report, ObjectPath):
            appending.append(report, line.encode("ascii"))
            return
        with report.open("ab", buffering=0) as file:
            written = file.write(line.encode("ascii"))
            if written != len(line):
                with contextlib.suppress(OSError):  # not a regular file
                    os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - (written or 0))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        message = f"{report}: the report cannot be written ({error.strerror}); name another file with --report"
        raise OutputUnwritableError(message) from error
