"""Plan what a command reads and writes, and check it before any work starts."""

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from relight_cli.errors import MissingExtraError, OutputUnwritableError, UsageError
from relight_cli.jobs.compare_options import check_compare
from relight_cli.jobs.engines.engine_options import check_for_ray
from relight_cli.jobs.engines.handed_jobs import handed_jobs
from relight_cli.jobs.file_names import require_short_name
from relight_cli.jobs.inputs import STDIO, Source, expand_inputs, file_identity
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job, Naming, Outputs
from relight_cli.jobs.report_file import begin_report, check_report
from relight_cli.jobs.shards import check_sharded_output, parse_shard, refuse_unmarked_outputs
from relight_cli.paths import is_folder
from relight_cli.photos.formats import format_of, require_format
from relight_cli.photos.header import made_by_relight_cli
from relight_cli.places.objects import ObjectPath, exists, require_bucket, require_writable, surveyed
from relight_cli.places.urls import is_url

Resolve = Callable[[Job], Job]
"""Returns a job whose files exist with `skip` or `may_replace` set, for --skip-existing."""
Notify = Callable[[str], None]
_LIKE_OURS = re.compile(r"_(relit|deshadowed|albedo|depth)(_[a-z]+)?$")  # stems of default names


def plan_jobs(
    photos: list[str],
    task: str,
    options: CommandOptions,
    notify: Notify,
    also_read: Iterable[Path] = (),
    outputs: Outputs | None = None,
    resolve_existing: Resolve = lambda job: replace(job, skip=True),
) -> list[Job]:
    """Return a job for every photo; `also_read` are other inputs of the command. Those handed over are planned already.

    Photos that this tool made are left out, with a note, if they come from a folder or a glob or are the output of
    another photo. Raises UsageError if two outputs have the same name, if an output or the report is an input, or if
    -o does not fit the photos; OutputUnwritableError if an output exists and neither --overwrite nor --skip-existing
    is given, or if the report or a folder for outputs cannot be written.
    """
    if handed := handed_jobs():
        return [handed.sample]
    check_for_ray(options, [*photos, *also_read])
    if options.overwrite and options.skip_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other: give only one of them.")
    shard = parse_shard(options.shard)
    check_sharded_output(options)
    sources = expand_inputs(photos, recursive=options.recursive, null=options.null, shard=shard, notify=notify)
    naming = Naming(task, options.output, outputs or Outputs(), is_share=shard is not None)
    pairs = _with_targets(sources, naming, notify)
    refuse_unmarked_outputs(options, pairs)
    several = len(pairs) > 1
    jobs = [Job(source.path, target, extras=naming.extras(source, target, several=several)) for source, target in pairs]
    if not jobs:
        notify(f"share {shard} has no photos.")
    _refuse_clashes(jobs, options, also_read)
    require_writable_places(jobs)
    with outputs_surveyed(_written(jobs)):
        jobs = [replace(job, found=job.state()) for job in jobs]
        planned = [_resolve(job, resolve_existing) if options.skip_existing else job for job in jobs]
        left = _written(job for job in planned if not (job.skip or job.may_replace))
        existing = [path for path in left if exists(path)]
    # With --skip-existing an output that another process has made since is looked at again when its photo's turn comes.
    if existing and not (options.overwrite or options.skip_existing):
        more = f" and {len(existing) - 1} more outputs exist" if existing[1:] else " exists"
        raise OutputUnwritableError(f"{existing[0]}{more}: give --overwrite or --skip-existing, or another --output.")
    require_folders(path.parent for job in planned if not job.skip for path in _written([job]))
    require_folders([options.compare.parent] if options.compare else [])
    for path in _written(job for job in planned if not job.skip):
        require_short_name(path)
    _require_pip_extras([job for job in planned if not job.skip])
    if options.report:
        require_report(options.report, create=not options.dry_run)
    return planned


def require_writable_places(jobs: Iterable[Job]) -> None:
    """Raise UsageError, MissingExtraError or OutputUnwritableError for outputs in a bucket that takes none."""
    for path in {path.parts[:2]: path for path in _written(jobs) if isinstance(path, ObjectPath)}.values():
        require_writable(path)
        require_bucket(path)


@contextlib.contextmanager
def outputs_surveyed(outputs: Iterable[Path]) -> Iterator[None]:
    """Look up outputs in buckets all at a time. Raises OutputUnwritableError."""
    try:
        with surveyed(outputs):
            yield
    except OSError as error:
        if not is_url(str(error.filename)):
            raise
        message = f"{error.filename}: the output cannot be looked up ({error.strerror}): check --output."
        raise OutputUnwritableError(message) from error


def require_report(report: Path, *, create: bool = True) -> None:
    """Begin a report, with the errors of `begin_report`; else raise them for its folder alone."""
    if create:
        begin_report(report)
    else:
        require_folders([report.parent])


def require_folders(folders: Iterable[Path]) -> None:
    """Raise OutputUnwritableError for folders that cannot be written or created; create none yet."""
    for folder in dict.fromkeys(folders):
        if isinstance(folder, ObjectPath):
            continue
        existing = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path())
        if not is_folder(existing) or not os.access(existing, os.W_OK):
            raise OutputUnwritableError(f"{existing} is not a writable folder: choose another --output.")
        for place in (folder, *folder.parents):
            if place == existing:
                break
            require_short_name(place)


def _require_pip_extras(jobs: list[Job]) -> None:
    """Raise MissingExtraError if every photo needs a missing pip extra; one among others fails on its own."""
    missing = []
    for job in jobs:
        try:
            for path in (job.source, job.target):
                require_format(format_of(path) or "")
        except MissingExtraError as error:
            missing.append(MissingExtraError(f"{path}: {error}"))
    if missing and len(missing) == len(jobs):
        raise missing[0]


def _with_targets(sources: list[Source], naming: Naming, notify: Notify) -> list[tuple[Source, Path]]:
    """Return the photos and their targets, without photos that this tool made."""
    kept = [source for source in sources if source.named or not _is_own(source.path)]
    targets = naming.targets(kept)
    made = {
        file_identity(path)
        for source, target in zip(kept, targets, strict=True)
        for path in naming.possible_outputs(target)
        if path not in (source.path, STDIO)
    }

    def is_output(source: Source) -> bool:
        return file_identity(source.path) in made and (not source.named or made_by_relight_cli(source.path))

    pairs = [(source, target) for source, target in zip(kept, targets, strict=True) if not is_output(source)]
    remaining = {source.path for source, _ in pairs}
    left_out = [source for source in sources if source.path not in remaining]
    if not pairs and not naming.is_share:
        raise UsageError(_all_made(left_out))
    if left_out:
        more = f"{len(left_out) - 1} more photo{'s' * (len(left_out) > 2)}"
        many = f"{left_out[0].path} and {more}: left out, because relight-cli made them."
        notify(many if left_out[1:] else f"{left_out[0].path}: left out, because relight-cli made it.")
    return pairs


def _is_own(photo: Path) -> bool:
    """Return whether this tool made a photo; of objects only those with a name like an output's are looked at."""
    if isinstance(photo, ObjectPath) and not _LIKE_OURS.search(photo.stem):
        return False
    return made_by_relight_cli(photo)


def _all_made(sources: list[Source]) -> str:
    """Return the error for photos that are all outputs of this tool, and how to work on them all the same."""
    which = str(sources[0].path) if len(sources) == 1 else f"all {len(sources)} photos"
    folder = sources[0].path.parent
    pattern = "*" if folder == Path() else f"{shlex.quote(str(folder))}/*"
    return (
        f"relight-cli made {which}, and leaves out its own outputs where a folder or a quoted glob finds them: "
        f"name them to work on them, as the shell does with {pattern}, or list their names in a file, @FILE."
    )


def _refuse_clashes(jobs: list[Job], options: CommandOptions, also_read: Iterable[Path]) -> None:
    inputs = {file_identity(path): path for path in [*(job.source for job in jobs), *also_read] if path != STDIO}
    taken: dict[object, Job] = {}
    for job in jobs:
        own: set[object] = set()
        for target in _written([job]):
            identity = file_identity(target)
            if identity in own:
                raise UsageError(f"{target} is named for two outputs of {job.source}: choose another name for one.")
            own.add(identity)
            if identity in inputs:
                raise UsageError(f"{inputs[identity]} is an input and would be overwritten: choose another --output.")
            other = taken.setdefault(identity, job)
            if other is not job:
                raise UsageError(
                    f"{other.source} and {job.source} would both be written to {target}: run them one at a time."
                )
    if options.report:
        check_report(options.report, [*inputs.values(), *_written(jobs)])
    check_compare(options, [*inputs.values(), *_written(jobs), *([options.report] if options.report else [])])


def _resolve(job: Job, resolve_existing: Resolve) -> Job:
    """Resolve a job if any of its files exists: a killed run may leave layers, which are written before the photo."""
    return resolve_existing(job) if any(exists(path) for path in _written([job])) else job


def _written(jobs: Iterable[Job]) -> list[Path]:
    return [path for job in jobs for path in (job.target, *job.extras) if path != STDIO]
