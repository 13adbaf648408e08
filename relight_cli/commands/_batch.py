"""Photos in, photos out: one command's work over all its jobs, where a bad file costs only itself."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from relight_cli import __version__
from relight_cli.commands._console import bar, say
from relight_cli.commands._files import STANDARD, Job
from relight_cli.commands._models import LoadedModel
from relight_cli.commands._options import PhotoOptions
from relight_cli.devices import device_error
from relight_cli.errors import ExitCode, OutputUnwritableError
from relight_cli.imaging.photo import Photo, read_photo, write_photo

if TYPE_CHECKING:
    from relight_cli.pipelines.light_change import Picture, Progress

Work = Callable[["Picture", "Progress"], "Picture"]
"""What a command does to one sRGB picture."""


def run_batch(
    jobs: list[Job], work: Work, tiles: Callable[["Picture"], int], model: LoadedModel, options: PhotoOptions
) -> None:
    """Read, change and write each photo; say what failed.

    One photo alone raises its error. Of several, the others go on and the command ends with exit code 23.
    """
    failed = 0
    for job in jobs:
        started, error = time.monotonic(), None
        try:
            _make(job, work, tiles, options)
        except Exception as raised:  # noqa: BLE001  whatever one photo does to a library, the rest must not lose by it
            error = device_error(raised) or raised
            failed += 1
        if options.report:
            _append(options, job, model, time.monotonic() - started, error)
        if error is not None:
            if len(jobs) == 1:
                raise error
            say(f"{job.source}: {error}" if str(job.source) not in str(error) else str(error))
            if options.verbose:
                traceback.print_exception(error)
    if failed:
        say(f"{failed} of {len(jobs)} photos failed.")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _make(job: Job, work: Work, tiles: Callable[["Picture"], int], options: PhotoOptions) -> None:
    photo = read(job, options)
    picture = photo.to_srgb()
    with bar(job.source.name, tiles(picture), quiet=options.quiet) as progress:
        changed = photo.with_srgb(work(picture, progress))
    if job.target == STANDARD:
        notes = write_photo(changed, sys.stdout.buffer, quality=options.quality)
    else:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputUnwritableError(
                f"{job.target.parent}: no such folder can be made ({error.strerror})."
            ) from error
        notes = write_photo(changed, job.target, quality=options.quality, overwrite=options.overwrite)
    tell = (lambda line: None) if options.quiet else say
    for note in (*photo.notes, *notes):
        tell(f"{job.source}: {note}")


def read(job: Job, options: PhotoOptions) -> Photo:
    """Read a job's photo, from stdin where it is `-`."""
    return read_photo(sys.stdin.buffer if job.source == STANDARD else job.source, max_pixels=options.max_pixels)


def _append(options: PhotoOptions, job: Job, model: LoadedModel, seconds: float, error: Exception | None) -> None:
    record: dict[str, Any] = {
        "input": str(job.source),
        "output": str(job.target),
        "status": "failed" if error else "done",
        "error": type(error).__name__ if error else None,
        "message": str(error) if error else None,
        "seconds": round(seconds, 3),
        "model": model.name,
        "revision": model.revision,
        "sha256": model.sha256,
        "options": asdict(options),
        "version": __version__,
    }
    assert options.report is not None
    with options.report.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, default=str) + "\n")
