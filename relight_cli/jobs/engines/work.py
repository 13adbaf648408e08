"""Where the photos of a command come from, and where its results go: the same few lines for every engine."""

from collections.abc import Callable, Iterator
from typing import Protocol

from relight_cli.jobs.engines.engine_options import Engine
from relight_cli.jobs.engines.handed_jobs import HandedJobs, Made, handed_jobs
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reported_outputs import ReportEntry
from relight_cli.jobs.reports import ModelIdentity, Summary


class Results(Protocol):
    """Takes what happens to each photo."""

    @property
    def is_stopped(self) -> bool: ...
    def add(
        self, job: Job, seconds: float, error: Exception | None = None, facts: ReportEntry | None = None
    ) -> None: ...
    def finish(self) -> None: ...


class HandedResults:
    """Gives results back to the process that handed the photos over."""

    is_stopped = False  # the other process decides

    def __init__(self, handed: HandedJobs, facts_of: Callable[[Job], ReportEntry]) -> None:
        self._handed, self._facts_of = handed, facts_of

    def add(self, job: Job, seconds: float, error: Exception | None = None, facts: ReportEntry | None = None) -> None:
        """Give back what happened to a photo."""
        self._handed.report(Made(job, seconds, error, facts), self._facts_of)

    def finish(self) -> None:
        """Do nothing: the other process counts."""


def made_elsewhere(
    jobs: list[Job], recipe: Recipe, options: CommandOptions, check: Callable[[], object] = lambda: None
) -> bool:
    """Let the engine of the options make the jobs if it is not this process; return whether it did.

    `check` is called before the engine starts. Raises the errors of a batch, see `one_by_one.run_jobs`.
    """
    if getattr(options, "engine", Engine.LOCAL) is Engine.LOCAL:
        return False
    check()
    from relight_cli.jobs.engines.ray_engine import make_on_ray

    make_on_ray(jobs, Summary(jobs, recipe.model, options, recipe.reported_options()))
    return True


def work_of(
    jobs: list[Job],
    model: ModelIdentity,
    options: CommandOptions,
    reported: ReportEntry,
    facts_of: Callable[[Job], ReportEntry],
) -> Iterator[tuple[list[Job], Results]]:
    """Yield jobs to make and where their results go: all at once, or each that another process hands over.

    `reported` is added to the options in the report; `facts_of` tells what is reported about outputs that a job has.
    """
    if handed := handed_jobs():
        results = HandedResults(handed, facts_of)
        yield from ((some, results) for some in handed.batches())
    else:
        yield jobs, Summary(jobs, model, options, reported)
