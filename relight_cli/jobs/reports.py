"""Report each photo: a line for each failure, an entry in the report, and a summary at the end."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import typer

from relight_cli._version import __version__
from relight_cli.devices import device_error
from relight_cli.errors import ExitCode
from relight_cli.jobs.console import notifier, say, show_traceback
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import Outcome, current
from relight_cli.jobs.reported_outputs import ReportEntry


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
        self.is_single, self.model, self.options, self.reported = len(jobs) == 1, model, options, reported
        self._count = {"done": 0, "skipped": 0, "failed": 0}
        self._began = time.monotonic()

    def add(self, job: Job, seconds: float, error: Exception | None = None, facts: ReportEntry | None = None) -> None:
        """Count a job, report it and print its error; raise the error of a single job."""
        error = error and (device_error(error) or error)
        record = report_record(job, self.model, seconds, error)
        self._count[record["status"]] += 1
        if self.options.report:
            options = {"options": asdict(self.options) | {**self.reported}}
            append_record(self.options.report, {**record, **(facts or {}), **options})
        told = [record[name] for name in ("input", "output", "status", "seconds", "error", "message")]
        current().finish_one(Outcome(*told))
        if error is None:
            return
        if self.is_single:
            raise error
        message = str(error) or type(error).__name__
        if not current().tells_failures:
            say(message if message.startswith(str(job.source)) else f"{job.source}: {message}")
        if self.options.verbose:
            show_traceback(error)

    def finish(self) -> None:
        """Print the summary of a batch. Raises typer.Exit with exit code 23 if some jobs failed."""
        if self.is_single:
            return
        failed, total = self._count["failed"], sum(self._count.values())
        parts = [f"{number} {status}" for status, number in self._count.items() if number or status == "done"]
        notify = say if failed else notifier(self.options.quiet)
        notify(f"{total} photos: {', '.join(parts)}, in {time.monotonic() - self._began:.1f} s.")
        if failed:
            raise typer.Exit(ExitCode.SOME_FAILED)


def report_record(job: Job, model: ModelIdentity, seconds: float, error: Exception | None) -> dict[str, Any]:
    """Return what a report records about every input."""
    return {
        "input": str(job.source),
        "output": None if error else str(job.target),
        "status": "failed" if error else "skipped" if job.skip else "done",
        "error": type(error).__name__ if error else None,
        "message": str(error) if error else None,
        "seconds": round(seconds, 3),
        "model": model.name,
        "revision": model.revision,
        "sha256": model.sha256,
        "version": __version__,
    }


def append_record(report: Path, record: dict[str, Any]) -> None:
    """Append a line to a report in one write, since other runs may append too; print a line that cannot be written."""
    line = json.dumps(record, default=str) + "\n"
    try:
        with report.open("ab", buffering=0) as file:
            written = file.write(line.encode("ascii"))
        if written != len(line):
            raise OSError(0, os.strerror(28))  # no space left
    except OSError as error:
        say(f"{report}: a line of the report cannot be written ({error.strerror}): {line.rstrip()}")
