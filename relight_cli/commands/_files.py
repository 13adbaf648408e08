"""Which photos are meant, and what their outputs are called; settled before any work starts."""

import glob
from dataclasses import dataclass
from pathlib import Path

from relight_cli.commands._options import PhotoOptions
from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.imaging.photo import SUFFIXES, format_of

STANDARD = Path("-")  # stdin or stdout


@dataclass(frozen=True)
class Job:
    """One photo to make from another."""

    source: Path
    target: Path


def plan(photos: list[str], task: str, options: PhotoOptions) -> list[Job]:
    """Give the jobs, without those that --skip-existing leaves out.

    Raises UsageError where two outputs would have one name, where an output is an input or where -o does not fit the
    number of photos; OutputUnwritableError where outputs exist and neither --overwrite nor --skip-existing is given.
    """
    if options.overwrite and options.skip_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other: give one of them.")
    if options.report:
        try:
            options.report.open("a").close()
        except OSError as error:
            raise OutputUnwritableError(
                f"{options.report}: the report cannot be written ({error.strerror}): name another file."
            ) from error
    sources = expand(photos, recursive=options.recursive)
    jobs = [Job(source, _target(source, task, options.output, len(sources))) for source in sources]
    taken: dict[Path, Path] = {}
    for job in jobs:
        if job.target != STANDARD and (other := taken.setdefault(_place(job.target), job.source)) != job.source:
            raise UsageError(f"{other} and {job.source} would both be written to {job.target}: run them one at a time.")
    inputs = {_place(source): source for source in sources if source != STANDARD}
    for job in jobs:
        if job.target != STANDARD and (same := inputs.get(_place(job.target))):
            raise UsageError(f"{same} is an input and would be overwritten: choose another --output.")
    return _settle_existing(jobs, options)


def _settle_existing(jobs: list[Job], options: PhotoOptions) -> list[Job]:
    existing = [job.target for job in jobs if job.target != STANDARD and job.target.exists()]
    if existing and options.skip_existing:
        return [job for job in jobs if job.target not in existing]
    if existing and not options.overwrite:
        more = f" and {len(existing) - 1} more outputs exist" if existing[1:] else " exists"
        raise OutputUnwritableError(f"{existing[0]}{more}: give --overwrite or --skip-existing, or another --output.")
    return jobs


def expand(photos: list[str], *, recursive: bool) -> list[Path]:
    """Give the photos meant by names, folders and globs that the shell left alone, each once, in order.

    A name that exists is that file, whatever brackets are in it. One that is nowhere stays, to fail by itself.
    """
    found: list[Path] = []
    for name in photos:
        path = Path(name)
        if name == "-" or path.is_file():
            found.append(path)
        elif path.is_dir():
            inside = sorted(
                p for p in (path.rglob("*") if recursive else path.iterdir()) if p.is_file() and format_of(p)
            )
            if not inside:
                nested = "" if recursive else " (-r looks into nested folders)"
                raise UsageError(f"{name} holds no photos ({', '.join(SUFFIXES)}){nested}: name another folder.")
            found += inside
        else:
            matches = sorted(Path(match) for match in glob.glob(name, recursive=recursive))  # noqa: PTH207  keeps ./
            found += [match for match in matches if match.is_file()] or [path]
    return list(dict.fromkeys(found))


def _target(source: Path, task: str, output: str | None, count: int) -> Path:
    suffix = source.suffix if format_of(source) else ".png"
    name = f"{source.stem if source != STANDARD else 'stdin'}_{task}{suffix}"
    if output is None:
        return STANDARD if source == STANDARD else source.with_name(name)
    if output == "-":
        if count > 1:
            raise UsageError(f"--output - holds one picture, and there are {count} inputs: name a folder.")
        return STANDARD
    path = Path(output)
    if path.is_dir() or output.endswith(("/", "\\")):
        return path / name
    if count > 1:
        if format_of(path):
            raise UsageError(f"--output {output} is one file, and there are {count} inputs: name a folder.")
        return path / name
    if not path.suffix:
        return path / name
    if not format_of(path):
        raise UsageError(f"--output {output} is no known kind of picture: end it in {', '.join(SUFFIXES)}.")
    return path


def _place(path: Path) -> Path:
    """Tell a file's real place, whatever links lead to it."""
    return path.resolve()
