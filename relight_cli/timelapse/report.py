"""Report on the inputs of a timelapse, and print which of them failed."""

import time
from collections.abc import Container, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from relight_cli.errors import ExitCode, OutputUnwritableError
from relight_cli.jobs.console import say, show_traceback
from relight_cli.jobs.options import CommandOptions, PhotoCommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.reported_outputs import ReportEntry
from relight_cli.jobs.reports import ModelIdentity, append_record, report_record
from relight_cli.jobs.stopping import rest_of
from relight_cli.models.interface import ModelInfo
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.writers import Writer


class TimelapseReport:
    """Prints each failure once, and reports on every input in order."""

    def __init__(self, options: PhotoCommandOptions) -> None:
        self.options = options
        self.model: ModelIdentity = ModelInfo("none")
        self.failed: dict[Path, Exception] = {}
        self.chosen: dict[str, Any] = {}  # how frames between keyframes are made
        self._printed: set[str] = set()
        self._started = time.monotonic()

    def fail(self, path: Path, error: Exception) -> None:
        """Print that an input, or a frame of it, cannot be used."""
        self.failed.setdefault(path, error)
        if str(error) not in self._printed:
            self._printed.add(str(error))
            say(str(error))
            if self.options.verbose:
                show_traceback(error)

    def append_left_out(self, sequence: Container[Path]) -> None:
        """Append the inputs that failed and are not part of the sequence."""
        for path in [path for path in self.failed if path not in sequence]:
            self.append(path, path)

    def append(self, path: Path, target: Path, *, skipped: bool = False, outputs: Sequence[ReportEntry] = ()) -> None:
        """Append the result of an input to the file of --report, with the files written since the last one."""
        if self.options.report:
            seconds, self._started = time.monotonic() - self._started, time.monotonic()
            record = report_record(Job(path, target, skipped), self.model, seconds, self.failed.get(path))
            written: dict[str, Any] = {"more_outputs": list(outputs)} if outputs else {}
            append_record(self.options.report, record | written | self.chosen | {"options": asdict(self.options)})


def targets_of(planned: list[OutputFrame], writer: Writer) -> dict[int, Path]:
    """Return the output file of each keyframe that is among the planned frames."""
    return {frame.keyframe: writer.target(number) for number, frame in enumerate(planned) if frame.keyframe is not None}


def report_skipped(frames: Frames, planned: list[OutputFrame], writer: Writer, report: TimelapseReport) -> None:
    """Report on a sequence whose files all exist."""
    targets = targets_of(planned, writer)
    sequence = {frames.path(number): targets.get(number, writer.path) for number in range(len(frames.times))}
    report.append_left_out(sequence)
    for path, target in sequence.items():
        report.append(path, target, skipped=path not in report.failed)


def stopped(error: OutputUnwritableError, writer: Writer, options: CommandOptions) -> OutputUnwritableError:
    """Return an error that stopped a run, with the count of what is done and the command that makes the rest."""
    done, total = sum(writer.is_made(number) for number in range(len(writer.targets))), len(writer.targets)
    so_far = f"{writer.path} is not written" if writer.is_single_file else f"{done} of {total} frames are done"
    rest = f" To make the rest: {rest_of(options, add=())}" if done < total else ""
    return OutputUnwritableError(f"{str(error).rstrip('.')}. {so_far}.{rest}")


def finish(report: TimelapseReport, lost: int) -> None:
    """Print how many inputs failed. Raises typer.Exit with exit code 23 if any did."""
    if not report.failed:
        return
    ends = f" {lost} frames at an end could not be made." if lost else ""
    say(f"{len(report.failed)} of the inputs failed; their neighbours replace them.{ends}")
    raise typer.Exit(ExitCode.SOME_FAILED)
