"""The page of --compare: each photo before and after, added when it is reported."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import typer

from relight_cli._version import __version__
from relight_cli.errors import OutputUnwritableError
from relight_cli.interruption import INTERRUPTIONS, signals_held
from relight_cli.jobs.console import printable
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.repeated_command import command_line
from relight_cli.pages.page import Page, is_untouched_page
from relight_cli.pages.views import Chart, End, Entry, Frame, Head, Keyframe, Pair
from relight_cli.photos.atomic_files import atomic_file

PROGRAM = f"relight-cli {__version__}"


@dataclass(frozen=True)
class Shown:
    """What a page shows of a photo."""

    entry: Entry
    pair: Pair | None = None


@dataclass
class ComparePage:
    """A page that is being written."""

    page: Page
    jobs: list[Job]
    count: dict[str, int] = field(default_factory=dict)  # photos by status
    charts: list[Chart] = field(default_factory=list)  # at the end of a sequence
    notes: list[str] = field(default_factory=list)
    unit: str = "photo"
    expected: int = 0  # photos or frames
    show_skipped: "Callable[[Job], Shown] | None" = None  # reads what a skipped job shows
    kept: dict[Path, Shown] = field(default_factory=dict)  # what jobs show that are not reported yet, by target

    def entry(self, job: Job, status: str = "done", note: str = "") -> Entry:
        """Return the entry of a job without its thumbnail."""
        number = next(n for n, one in enumerate(self.jobs, 1) if one.target == job.target and one.source == job.source)
        name = "standard input" if job.source == STDIO else printable(job.source.name)
        return Entry(number, name, status, printable(note))

    def skipped(self, job: Job) -> Shown:
        """Return what the page shows of a skipped job."""
        if self.show_skipped:
            return self.show_skipped(job)
        return Shown(self.entry(job, "skipped", f"{job.target.name} was left as it is"))

    def keep(self, job: Job, show: Callable[[], Shown]) -> None:
        """Keep for the report what a job shows, whose files are written."""
        self.kept[job.target] = self.shown(job, show)

    def shown(self, job: Job, show: Callable[[], Shown]) -> Shown:
        """Return what a job shows, or why it cannot be shown: that must not fail a job whose files are written."""
        try:
            return show()
        except Exception as error:  # noqa: BLE001  libraries may raise anything
            status = "skipped" if job.skip else "done"
            return Shown(self.entry(job, status, f"It cannot be shown here ({str(error) or type(error).__name__})."))

    def report(self, job: Job, shown: Shown | None = None, error: Exception | None = None) -> None:
        """Add a job that is done, skipped or failed; without `shown`, show what was kept for it."""
        shown = shown or self.kept.pop(job.target, None)
        if error is not None:
            shown = Shown(self.entry(job, "failed", str(error) or type(error).__name__))
        elif shown is None:
            shown = self.skipped(job) if job.skip else Shown(self.entry(job))
        with signals_held():  # a piece is whole
            self.page.add(shown.entry)
            if shown.pair:
                self.page.add(shown.pair)
            self.tally(shown.entry.status)

    def add(self, view: Frame | Keyframe) -> None:
        """Add a frame of a sequence."""
        with signals_held():
            self.page.add(view)

    def end(self, stopped: BaseException | None) -> None:
        """Add the end, which says whether all is there."""
        total = sum(self.count.values())
        parts = [f"{number} {status}" for status, number in self.count.items()]
        summary = f"{total} {self.unit}s: {', '.join(parts)}."
        if self.expected == 1:
            summary = "" if "done" in self.count else "Left as it was."
        if stopped is not None:
            how = "interrupted" if isinstance(stopped, INTERRUPTIONS) else "stopped by an error"
            left = self.expected - total
            summary += f" The run was {how}" + (f"; {left} more are not on this page." if left > 0 else ".")
        self.page.end(End(summary, stopped is None, self.charts, self.notes))

    def tally(self, status: str) -> None:
        """Count a photo or frame."""
        self.count[status] = self.count.get(status, 0) + 1


@contextlib.contextmanager
def compare_page(
    options: CommandOptions, jobs: list[Job], title: str, facts: list[tuple[str, str]], *, time_unit: str = ""
) -> Iterator[ComparePage | None]:
    """Yield the page of --compare, or None without it; write it at the end of the block, whole or not at all.

    If the block raises, the page shows what is done until then, and says so; without anything done there is none.
    Raises OutputUnwritableError.
    """
    path = options.compare
    if path is None:
        yield None
        return
    stopped: BaseException | None = None
    make_folder(path.parent)
    head = Head(title, command_line(), PROGRAM, facts, time_unit)
    try:
        with _new_file(path, options) as file:
            page = ComparePage(Page(file, head), jobs, expected=len(jobs))
            try:
                yield page
            except BaseException as error:
                stopped = error
                if not page.count.keys() & {"done", "skipped"}:
                    raise
            page.end(None if isinstance(stopped, typer.Exit) else stopped)
    except OutputUnwritableError:
        if stopped is None:
            raise
    if stopped is not None:
        raise stopped


def page_facts(recipe: Recipe) -> list[tuple[str, str]]:
    """Return how all results of a run are made, for its page."""
    files = [(name.replace("_", " ").capitalize(), printable(str(path))) for name, path in recipe.files.items()]
    return [("Task", recipe.task), ("Model", recipe.model.name), *files]


def photos_title(jobs: list[Job], task: str) -> str:
    """Return the title of the page of a command that makes photos."""
    if len(jobs) == 1:
        return f"{printable(jobs[0].source.name) if jobs[0].source != STDIO else 'Standard input'}, {task}"
    return f"{len(jobs)} photos, {task}"


@contextlib.contextmanager
def _new_file(path: Path, options: CommandOptions) -> Iterator[BinaryIO]:
    """Yield a file that becomes the page; another that appears meanwhile is replaced only if it is such a page."""
    with atomic_file(path, overwrite=True) as temporary:
        with temporary.open("wb") as file:
            yield file
        if os.path.lexists(path) and not (options.overwrite or is_untouched_page(path)):
            raise FileExistsError(path)
