"""Run the jobs of one command, one after the other; one that fails does not stop the others."""

from collections.abc import Callable

from relight_cli.jobs.compare_page import ComparePage
from relight_cli.jobs.console import notifier
from relight_cli.jobs.engines.work import Results, work_of
from relight_cli.jobs.in_flight import InFlight
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reports import ModelIdentity, ReportEntry
from relight_cli.jobs.shared_jobs import Recheck, SharedJobs


def run_jobs(
    jobs: list[Job],
    make: Callable[[Job], ReportEntry],
    model: ModelIdentity,
    options: CommandOptions,
    reported: ReportEntry,
    recheck: Recheck | None = None,
    page: ComparePage | None = None,
) -> None:
    """Run each job that is not skipped, one after the other, and print errors.

    `reported` is added to the options in the report. The error of a single job is raised. Of several jobs, the others
    continue and the command ends with exit code 23. With `recheck`, which decides anew about a job that another process
    may have made meanwhile, jobs are claimed. `make` keeps for the `page` what it shows of a job.
    """
    for some, results in work_of(jobs, model, options, reported, lambda job: {}):
        current().plan(len(some))
        shared = SharedJobs(some, recheck, notifier(options.quiet))
        try:
            while not results.is_stopped and (job := shared.take(wait=True)):
                _run_job(job, make, shared, results, page)
        finally:
            shared.release_all()
        results.finish()


def _run_job(
    job: Job, make: Callable[[Job], ReportEntry], shared: SharedJobs, results: Results, page: ComparePage | None
) -> None:
    in_flight, error, facts = InFlight(job), None, None
    try:
        facts = None if job.skip else in_flight.timed(make, job)
    except Exception as raised:  # noqa: BLE001  libraries may raise anything; the other photos continue
        error = raised
    shared.release(job)
    if page:
        page.report(job, error=error)
    results.add(job, in_flight.seconds, error, facts)


def report_skipped(jobs: list[Job], recipe: Recipe, page: ComparePage | None) -> None:
    """Report jobs that are all skipped."""
    run_jobs(jobs, lambda job: {}, recipe.model, recipe.options, recipe.reported_options(), page=page)
