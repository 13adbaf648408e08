"""What failed of a timelapse, and what its report says."""

import time
import traceback
from collections.abc import Container, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from relight_cli.errors import ExitCode
from relight_cli.jobs.console import say
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.reported_outputs import Facts
from relight_cli.jobs.reports import ModelIdentity, append_record, report_record
from relight_cli.models.interface import ModelInfo
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.writers import Writer


class TimelapseReport:
    """Says what failed, once, and reports on every input in its turn."""

    def __init__(self, options: PhotoCommandOptions) -> None:
        self.options = options
        self.model: ModelIdentity = ModelInfo("none")
        self.failed: dict[Path, Exception] = {}
        self._told: set[str] = set()
        self._began = time.monotonic()

    def fail(self, path: Path, error: Exception) -> None:
        """Say that an input, or a frame of it, cannot be used."""
        self.failed.setdefault(path, error)
        if str(error) not in self._told:
            self._told.add(str(error))
            say(str(error))
            if self.options.verbose:
                traceback.print_exception(error)

    def report_left_out(self, sequence: Container[Path]) -> None:
        """Report on the inputs that failed before there was a sequence."""
        for path in [path for path in self.failed if path not in sequence]:
            self.report(path, path)

    def report(self, path: Path, target: Path, *, skipped: bool = False, outputs: Sequence[Facts] = ()) -> None:
        """Append what became of an input, where a report is wanted, and the files that were written meanwhile."""
        if self.options.report:
            seconds, self._began = time.monotonic() - self._began, time.monotonic()
            record = report_record(Job(path, target, skipped), self.model, seconds, self.failed.get(path))
            written = {"more_outputs": list(outputs)} if outputs else {}
            append_record(self.options.report, record | written | {"options": asdict(self.options)})


def targets_of(planned: list[OutputFrame], writer: Writer) -> dict[int, Path]:
    """Tell which file each keyframe goes to, of those that do."""
    return {m.keyframe: writer.target(number) for number, m in enumerate(planned) if m.keyframe is not None}


def report_skipped(frames: Frames, planned: list[OutputFrame], writer: Writer, log: TimelapseReport) -> None:
    """Report on a sequence of which every file is there."""
    targets = targets_of(planned, writer)
    sequence = {frames.path(number): targets.get(number, writer.path) for number in range(len(frames.times))}
    log.report_left_out(sequence)
    for path, target in sequence.items():
        log.report(path, target, skipped=path not in log.failed)


def finish(log: TimelapseReport, lost: int) -> None:
    """Say how many inputs failed. Raises typer.Exit with exit code 23 if any did."""
    if not log.failed:
        return
    ends = f" {lost} frames at an end could not be made." if lost else ""
    say(f"{len(log.failed)} of the inputs failed; frames beside them stand in.{ends}")
    raise typer.Exit(ExitCode.SOME_FAILED)
