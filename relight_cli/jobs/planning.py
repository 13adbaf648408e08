"""What a command reads and what it writes, settled and checked before any work starts."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from relight_cli.errors import MissingExtraError, OutputUnwritableError, UsageError
from relight_cli.jobs.inputs import STDIO, Source, expand_inputs, file_identity
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job, Naming, Outputs
from relight_cli.photos.formats import format_of, require_format
from relight_cli.photos.header import made_by_relight_cli

Resolve = Callable[[Job], Job]
"""Tells of a job whose target exists, with --skip-existing, whether it is to be skipped or replaced."""
Notify = Callable[[str], None]


def plan_jobs(
    photos: list[str],
    task: str,
    options: CommandOptions,
    notify: Notify,
    also_read: Iterable[Path] = (),
    outputs: Outputs | None = None,
    resolve_existing: Resolve = lambda job: replace(job, skip=True),
) -> list[Job]:
    """Give a job for every photo meant; `also_read` are other inputs of the command.

    What this tool made is left out, with a note, where a folder or a glob brings it up again, or where it is what
    another photo becomes. Raises UsageError where two outputs would have one name, where an output or the report is an
    input or where -o does not fit the photos; OutputUnwritableError where an output exists and neither --overwrite nor
    --skip-existing is given, or where the report or an output's folder cannot be written.
    """
    if options.overwrite and options.skip_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other: give one of them.")
    sources = expand_inputs(photos, recursive=options.recursive, null=options.null)
    naming = Naming(task, options.output, outputs or Outputs())
    jobs = [
        Job(source.path, target, extras=naming.extras(target)) for source, target in _named(sources, naming, notify)
    ]
    _refuse_clashes(jobs, options, also_read)
    planned = [_resolve(job, resolve_existing) if options.skip_existing else job for job in jobs]
    existing = [
        path for job in planned if not (job.skip or job.replace) for path in _written([job]) if os.path.lexists(path)
    ]
    if existing and not options.overwrite:
        more = f" and {len(existing) - 1} more outputs exist" if existing[1:] else " exists"
        raise OutputUnwritableError(f"{existing[0]}{more}: give --overwrite or --skip-existing, or another --output.")
    require_folders(path.parent for job in planned if not job.skip for path in _written([job]))
    _require_extras([job for job in planned if not job.skip])
    if options.report:
        require_report(options.report)
    return planned


def require_report(report: Path) -> None:
    """Raise OutputUnwritableError where no line can be added to a report."""
    try:
        report.open("a").close()
    except OSError as error:
        said = f"{report}: the report cannot be written ({error.strerror}): name another file."
        raise OutputUnwritableError(said) from error


def require_folders(folders: Iterable[Path]) -> None:
    """Refuse folders that could not be made or written; the missing ones are made only when there is a picture."""
    for folder in dict.fromkeys(folders):
        existing = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path())
        if not os.path.isdir(existing) or not os.access(existing, os.W_OK):  # noqa: PTH112
            raise OutputUnwritableError(f"{existing} is no folder that can be written: choose another --output.")


def _require_extras(jobs: list[Job]) -> None:
    """Raise MissingExtraError where every photo needs an extra; one among others fails by itself."""
    missing = []
    for job in jobs:
        try:
            for path in (job.source, job.target):
                require_format(format_of(path) or "")
        except MissingExtraError as error:
            missing.append(MissingExtraError(f"{path}: {error}"))
    if missing and len(missing) == len(jobs):
        raise missing[0]


def _named(sources: list[Source], naming: Naming, notify: Notify) -> list[tuple[Source, Path]]:
    """Give the photos and what they become, less what this tool made of them earlier."""
    kept = [source for source in sources if source.named or not made_by_relight_cli(source.path)]
    targets = naming.targets(kept)
    made = {
        file_identity(path)
        for source, target in zip(kept, targets, strict=True)
        for path in naming.possible_outputs(target)
        if path not in (source.path, STDIO)
    }

    def is_result(source: Source) -> bool:
        return file_identity(source.path) in made and (not source.named or made_by_relight_cli(source.path))

    pairs = [(source, target) for source, target in zip(kept, targets, strict=True) if not is_result(source)]
    left = {source.path for source, _ in pairs}
    for source in sources:
        if source.path not in left:
            notify(f"{source.path}: left out, relight-cli made it.")
    if not pairs:
        raise UsageError(f"relight-cli made all {len(sources)} of these photos: name the ones to work on themselves.")
    return pairs


def _refuse_clashes(jobs: list[Job], options: CommandOptions, also_read: Iterable[Path]) -> None:
    inputs = {file_identity(path): path for path in [*(job.source for job in jobs), *also_read] if path != STDIO}
    taken: dict[object, Job] = {}
    for job in jobs:
        for target in _written([job]):
            place = file_identity(target)
            if place in inputs:
                raise UsageError(f"{inputs[place]} is an input and would be overwritten: choose another --output.")
            other = taken.setdefault(place, job)
            if other is not job:
                raise UsageError(
                    f"{other.source} and {job.source} would both be written to {target}: run them one at a time."
                )
    if options.report == STDIO:
        raise UsageError("--report needs a file's name: stdout carries nothing but a picture.")
    if options.report and file_identity(options.report) in inputs | taken:
        raise UsageError(f"--report {options.report} is also a photo of this run: name another file.")


def _resolve(job: Job, resolve_existing: Resolve) -> Job:
    """Settle a job of which something is there: a run that was killed has left layers, whose photo comes last."""
    return resolve_existing(job) if any(os.path.lexists(path) for path in _written([job])) else job


def _written(jobs: Iterable[Job]) -> list[Path]:
    return [path for job in jobs for path in (job.target, *job.extras) if path != STDIO]
