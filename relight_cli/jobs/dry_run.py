"""--dry-run: say what a command would read, make and skip, how long it would take and how much memory; do nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from relight_cli.errors import ExitCode, RelightError
from relight_cli.jobs.console import printable
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.streams import write_stdout
from relight_cli.jobs.time_budget import duration

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Job

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Estimate:
    """What the work would cost."""

    seconds: float  # of all photos or frames
    memory: int | None  # bytes of the process at its peak; None if the system does not tell
    measured: str  # what was timed: "two tiles"
    device_memory: int | None = None  # bytes on the GPU; None on a CPU


@dataclass
class DryRun:
    """The plan of a command, which is printed and not carried out."""

    jobs: list["Job"]
    options: CommandOptions
    files: Mapping[str, Path] = field(default_factory=dict)  # what is read besides the photos
    sizes: dict[Path, Size | None] = field(default_factory=dict)  # of the photos to make; None on stdin
    failed: list[RelightError] = field(default_factory=list)

    @property
    def to_make(self) -> list["Job"]:
        """The jobs whose photos would be made."""
        return [job for job in self.jobs if job.source in self.sizes]

    def print_plan(self) -> None:
        """Print a line for each file that would be read, made, replaced or skipped, and read the headers of photos."""
        for name, path in self.files.items():
            print_line("read", f"{path} ({name.replace('_', ' ')})")
        for job in self.jobs:
            self._print_job(job)
        for other in (self.options.report, self.options.compare):
            if other:
                print_line("write", str(other))

    def finish(self, unit: str, model: str = "", cost: Estimate | None = None) -> None:
        """Print the summary. Raises the error of a single photo, or typer.Exit with code 23 if any would fail."""
        skipped = sum(job.skip for job in self.jobs)
        parts = [f"{len(self.to_make)} to make"]
        parts += [f"{skipped} to skip"] if skipped else []
        parts += [f"{len(self.failed)} cannot be read"] if self.failed else []
        print_line("in all", f"{_counted(len(self.jobs), unit)}: {', '.join(parts)}")
        if model and self.to_make:
            print_line("model", model)
        if cost:
            print_cost(cost, len(self.to_make), unit)
        if self.failed and len(self.jobs) == 1 and not self.options.shard:
            raise self.failed[0]
        if self.failed:
            raise typer.Exit(ExitCode.SOME_FAILED)

    def _print_job(self, job: "Job") -> None:
        targets = ", ".join("stdout" if path == STDIO else str(path) for path in (job.target, *job.extras))
        if job.skip:
            print_line("skip", f"{job.source} -> {targets}")
            return
        try:
            self.sizes[job.source] = None if job.source == STDIO else _size(job.source)
        except RelightError as error:
            self.failed.append(error)
            print_line("fail", str(error))
            return
        state = job.found or job.state()
        replaces = job.target != STDIO and state[0] is not None
        print_line("replace" if replaces else "make", f"{job.source} -> {targets}")


def print_line(what: str, text: str) -> None:
    """Print a line of the plan to stdout."""
    write_stdout(f"{what:8} {printable(text)}\n".encode())


def print_cost(cost: Estimate, count: int, unit: str) -> None:
    """Print how long the work takes, and how much memory."""
    each = f"about {duration(cost.seconds / max(1, count))} a {unit}, " if count > 1 else ""
    print_line("time", f"{each}about {duration(cost.seconds)} in all (timed: {cost.measured})")
    parts = [f"{cost.memory / 1e9:.1f} GB"] if cost.memory else []
    parts += [f"{cost.device_memory / 1e9:.1f} GB on the GPU"] if cost.device_memory else []
    print_line("memory", f"about {' and '.join(parts)}" if parts else "not known on this system")


def _size(photo: Path) -> Size:
    from relight_cli.photos.capture_time import read_header

    header = read_header(photo)
    return header.height, header.width


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' * (count != 1)}"
