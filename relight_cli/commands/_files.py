"""Which photos are meant, and what their outputs are called; settled before any work starts."""

import glob
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from relight_cli.commands._options import SharedOptions
from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError, UsageError
from relight_cli.imaging.photo import SUFFIXES, format_of

STANDARD = Path("-")  # stdin or stdout
DEEP = ".deep"  # suffix of what needs more than 8 bits: TIFF beside a TIFF, else PNG


@dataclass(frozen=True)
class Source:
    """A photo to read."""

    path: Path
    named: bool  # by itself, not found in a folder or by a glob
    below: Path = Path()  # its folder, seen from the folder that was named; kept under -o


@dataclass(frozen=True)
class Job:
    """One photo to make from another."""

    source: Path
    target: Path
    skip: bool = False  # --skip-existing, and the target exists
    beside: tuple[Path, ...] = ()  # further files that are made with the target


@dataclass(frozen=True)
class Outputs:
    """Which files a command makes of a photo."""

    suffixes: tuple[str, ...] = tuple(SUFFIXES)  # of the target
    suffix: str | None = None  # where -o names none; the photo's own if None
    beside: tuple[str, ...] = ()  # what else: "normals" is x_normals.png for the target x.png, "preview.png" always PNG
    possible: tuple[str, ...] = ()  # what else there could be, not to be taken for a photo later


def plan(
    photos: list[str],
    task: str,
    options: SharedOptions,
    notify: Callable[[str], None],
    also_read: Iterable[Path] = (),
    outputs: Outputs | None = None,
) -> list[Job]:
    """Give a job for every photo meant; `also_read` are other inputs of the command.

    What an earlier run of the same command made is left out, with a note, where a folder or a glob brings it up again.
    Raises UsageError where two outputs would have one name, where an output or the report is an input or where -o does
    not fit the number of photos; OutputUnwritableError where an output exists and neither --overwrite nor
    --skip-existing is given, or where the report or an output's folder cannot be written.
    """
    if options.overwrite and options.skip_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other: give one of them.")
    sources = expand(photos, recursive=options.recursive)
    outputs, jobs = outputs or Outputs(), {}
    for source in sources:
        target = _target(source, task, options.output, len(sources), outputs)
        beside = () if target == STANDARD else tuple(_beside(target, name) for name in outputs.beside)
        jobs[source] = Job(source.path, target, beside=beside)
    made = {identity(path) for job in jobs.values() for path in _ever_made(job, outputs) if job.source != path}
    for source in [s for s in sources if not s.named and identity(s.path) in made]:
        notify(f"{source.path}: left out, it is what this command makes.")
        del jobs[source]
    _refuse_clashes(list(jobs.values()), options, also_read)
    planned = [_settle_existing(job, options) for job in jobs.values()]
    wanted = [path for job in planned if not job.skip for path in (job.target, *job.beside)]
    existing = [path for path in wanted if path != STANDARD and _exists(path)]
    if existing and not options.overwrite:
        more = f" and {len(existing) - 1} more outputs exist" if existing[1:] else " exists"
        raise OutputUnwritableError(f"{existing[0]}{more}: give --overwrite or --skip-existing, or another --output.")
    require_folders(job.target.parent for job in planned if not job.skip and job.target != STANDARD)
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


def expand(photos: list[str], *, recursive: bool) -> list[Source]:
    """Give the photos meant by names, folders and globs that the shell left alone, each once, in order.

    A name that exists is that file, whatever brackets are in it. One that is nowhere stays, to fail by itself.
    """
    found: dict[object, Source] = {}
    for name in photos:
        path = Path(name)
        if path == STANDARD or os.path.isfile(name):  # noqa: PTH113  Path.is_file raises on names too long
            new = [Source(path, named=True)]
        elif os.path.isdir(name):  # noqa: PTH112
            inside = _photos_in(path, recursive)
            new = [Source(photo, named=False, below=photo.parent.relative_to(path)) for photo in inside]
        else:
            matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207  keeps ./
            files = [Source(match, named=False) for match in matches if match.is_file()]
            new = files or [Source(path, named=True)]
        for source in new:
            found.setdefault(source.path if source.path == STANDARD else identity(source.path), source)
    return list(found.values())


def _photos_in(folder: Path, recursive: bool) -> list[Path]:
    try:
        entries = folder.rglob("*") if recursive else folder.iterdir()
        inside = sorted(path for path in entries if format_of(path) and path.is_file())
    except OSError as error:
        raise PhotoUnreadableError(f"{folder}: cannot be listed ({error.strerror}): check its permissions.") from error
    if not inside:
        nested = "" if recursive else " (-r looks into nested folders)"
        raise UsageError(f"{folder} holds no photos ({', '.join(SUFFIXES)}){nested}: name another folder.")
    return inside


def _beside(target: Path, name: str) -> Path:
    kind = Path(name).suffix
    deep = ".tif" if SUFFIXES.get(target.suffix.lower()) == "TIFF" else ".png"
    suffix = deep if kind == DEEP else kind or target.suffix
    return target.with_name(f"{target.stem}_{name.removesuffix(kind)}{suffix}")


def _ever_made(job: Job, outputs: Outputs) -> list[Path]:
    """List what the command may have made for a photo, whatever it was asked for then."""
    targets = [job.target.with_suffix(s) for s in outputs.suffixes] if outputs.possible else []
    return [job.target, *targets, *(_beside(target, name) for target in targets for name in outputs.possible)]


def _target(source: Source, task: str, output: str | None, count: int, outputs: Outputs) -> Path:
    suffix = outputs.suffix or (source.path.suffix if format_of(source.path) else ".png")
    name = f"{source.path.stem if source.path != STANDARD else 'stdin'}_{task}{suffix}"
    if output is None:
        return STANDARD if source.path == STANDARD else source.path.with_name(name)
    if output == "-":
        if count > 1:
            raise UsageError(f"--output - holds one picture, and there are {count} inputs: name a folder.")
        return STANDARD
    path = Path(output)
    if path.suffix.lower() in outputs.suffixes and not output.endswith(("/", "\\")) and not os.path.isdir(output):  # noqa: PTH112
        if count > 1:
            raise UsageError(f"--output {output} is one file, and there are {count} inputs: name a folder.")
        return path
    if count == 1 and path.suffix and not output.endswith(("/", "\\")) and not os.path.isdir(output):  # noqa: PTH112
        known = ", ".join(outputs.suffixes)
        raise UsageError(f"--output {output} is no known kind of picture: end it in {known}, or a folder's name in /.")
    return path / source.below / name


def _refuse_clashes(jobs: list[Job], options: SharedOptions, also_read: Iterable[Path]) -> None:
    inputs = {identity(path): path for path in [*(job.source for job in jobs), *also_read] if path != STANDARD}
    taken: dict[object, Job] = {}
    for job in jobs:
        for target in (job.target, *job.beside):
            if target == STANDARD:
                continue
            place = identity(target)
            if place in inputs:
                raise UsageError(f"{inputs[place]} is an input and would be overwritten: choose another --output.")
            other = taken.setdefault(place, job)
            if other is not job:
                raise UsageError(
                    f"{other.source} and {job.source} would both be written to {target}: run them one at a time."
                )
    if options.report == STANDARD:
        raise UsageError("--report needs a file's name: stdout carries nothing but a picture.")
    if options.report and identity(options.report) in inputs | taken:
        raise UsageError(f"--report {options.report} is also a photo of this run: name another file.")


def _settle_existing(job: Job, options: SharedOptions) -> Job:
    return replace(job, skip=options.skip_existing and job.target != STANDARD and _exists(job.target))


def require_folders(folders: Iterable[Path]) -> None:
    """Refuse folders that could not be made or written; the missing ones are made only when there is a picture."""
    for folder in dict.fromkeys(folders):
        existing = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path())
        if not os.path.isdir(existing) or not os.access(existing, os.W_OK):  # noqa: PTH112
            raise OutputUnwritableError(f"{existing} is no folder that can be written: choose another --output.")


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def identity(path: Path) -> object:
    """Tell which file a name means, whatever links or spellings lead to it."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino)
