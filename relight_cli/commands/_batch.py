"""Photos in, photos out: one command's work over all its jobs, where a bad file costs only itself."""

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from relight_cli import __version__
from relight_cli.commands._console import bar, notifier, say
from relight_cli.commands._files import STANDARD, Job
from relight_cli.commands._models import LoadedModel
from relight_cli.commands._options import PhotoOptions, SharedOptions
from relight_cli.commands._provenance import Finish, provenance
from relight_cli.devices import device_error
from relight_cli.errors import ExitCode, OutputUnwritableError, PhotoUnreadableError
from relight_cli.imaging.photo import Photo, read_photo, write_photo

if TYPE_CHECKING:
    from relight_cli.pipelines.light_change import Picture, Progress

Work = Callable[["Picture", "Progress"], "Picture"]
"""What a command does to one sRGB picture."""
TileCount = Callable[["Picture"], int]
"""How many tiles that will take."""
Layers = Callable[[Photo, Photo], list[Photo]]
"""From a photo and the one made of it to what `Job.beside` names, in its order."""
Facts = Mapping[str, object]
"""What a report says of one photo beside what it says of every one."""


class ModelFacts(Protocol):
    """What a report says of a model."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...


def run_batch(
    jobs: list[Job],
    task: str,
    work: Work,
    tiles: TileCount,
    model: LoadedModel,
    options: PhotoOptions,
    reported: dict[str, str],
    layers: Layers = lambda photo, changed: [],
) -> None:
    """Read, change and write each photo, and what is saved beside it; the rest is `run_jobs`."""
    finish = provenance(task, model, options, reported)

    def make(job: Job) -> Facts:
        _make(job, work, tiles, options, layers, finish)
        return {}

    run_jobs(jobs, make, model, options, reported)


def run_jobs(
    jobs: list[Job],
    make: Callable[[Job], Facts],
    model: ModelFacts,
    options: SharedOptions,
    reported: dict[str, str],
) -> None:
    """Do each job that is not skipped; say what failed. `reported` goes into the report beside the options.

    One photo alone raises its error. Of several, the others go on and the command ends with exit code 23.
    """
    failed = 0
    for job in jobs:
        started, error = time.monotonic(), None
        facts: Facts = {}
        try:
            if not job.skip:
                facts = make(job)
        except Exception as raised:  # noqa: BLE001  whatever one photo does to a library, the rest must not lose by it
            error = device_error(raised) or raised
            failed += 1
        if options.report:
            record = record_of(job, model, time.monotonic() - started, error)
            append(options.report, {**record, **facts, "options": asdict(options) | reported})
        if error is not None:
            if len(jobs) == 1:
                raise error
            said = str(error) or type(error).__name__
            say(said if said.startswith(str(job.source)) else f"{job.source}: {said}")
            if options.verbose:
                traceback.print_exception(error)
    if failed:
        say(f"{failed} of {len(jobs)} photos failed.")
        raise typer.Exit(ExitCode.SOME_FAILED)


def read(path: Path, options: SharedOptions) -> Photo:
    """Read a photo, from stdin where its name is `-`, and say its notes."""
    if path == STANDARD and sys.stdin is None:
        raise PhotoUnreadableError("stdin is closed: name a file.")
    photo = read_photo(sys.stdin.buffer if path == STANDARD else path, max_pixels=options.max_pixels)
    for note in photo.notes:
        notifier(options.quiet)(f"{path}: {note}")
    return photo


def _make(job: Job, work: Work, tiles: TileCount, options: PhotoOptions, layers: Layers, finish: Finish) -> None:
    if job.target == STANDARD and sys.stdout is None:
        raise OutputUnwritableError("stdout is closed: name a file with --output.")
    photo = read(job.source, options)
    picture = photo.to_srgb()
    with bar(job.source.name, tiles(picture), quiet=options.quiet) as progress:
        changed = photo.with_srgb(work(picture, progress))
    finished, notes = finish(changed)
    if job.target == STANDARD:
        notes += write_photo(finished, sys.stdout.buffer, quality=options.quality)
    else:
        make_folder(job.target.parent)
        notes += write_photo(finished, job.target, quality=options.quality, overwrite=options.overwrite)
        for path, layer in zip(job.beside, layers(photo, changed), strict=True):
            write_photo(finish(layer)[0], path, quality=options.quality, overwrite=options.overwrite)
    for note in notes:
        notifier(options.quiet)(f"{job.source}: {note}")


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, and those above it. Raises OutputUnwritableError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"{folder}: the folder cannot be made ({error.strerror}): choose another --output."
        raise OutputUnwritableError(said) from error


def record_of(job: Job, model: ModelFacts, seconds: float, error: Exception | None) -> dict[str, Any]:
    """Give what a report says of one input."""
    return {
        "input": str(job.source),
        "output": None if error else str(job.target),
        "status": "failed" if error else "skipped" if job.skip else "done",
        "error": type(error).__name__ if error else None,
        "message": str(error) if error else None,
        "seconds": round(seconds, 3),
        "model": model.name,
        "revision": model.revision,
        "sha256": model.sha256,
        "version": __version__,
    }


def append(report: Path, record: dict[str, Any]) -> None:
    """Add a line to a report; one that cannot be written is said."""
    try:
        with report.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(json.dumps(record, default=str) + "\n")
    except OSError as error:
        say(f"{report}: a line of the report is lost ({error.strerror}): {json.dumps(record, default=str)}")
