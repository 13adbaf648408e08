"""The photos of a batch that are between their reading and their writing."""

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from relight_cli.cores import Pool
from relight_cli.jobs.compare_page import Shown
from relight_cli.jobs.compared_photos import Watched
from relight_cli.jobs.inputs import sha256_of
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.provenance import Inputs
from relight_cli.jobs.reading import read_input
from relight_cli.jobs.reports import ReportEntry
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.photo import Photo
from relight_cli.places.objects import held

LARGE = 1 << 20  # pixels; for smaller photos saving memory is not worth the time
TOGETHER = 2  # small photos that are changed at a time
P = ParamSpec("P")
R = TypeVar("R")
Notes = tuple[str, ...]


class Original(NamedTuple):
    """A photo as read."""

    photo: Photo
    sha256: str | None  # of its file


class FirstRead:
    """The first photo of a run, which is read while torch is loaded."""

    def __init__(self, path: Path, options: PhotoCommandOptions) -> None:
        self.path = path
        thread = Pool(1, "first photo")
        self._original: Future[Original] | None = thread.submit(read_original, path, options)
        thread.shutdown(wait=False)

    def take(self) -> Original | None:
        """Return the photo, or raise the error of its reading; release it here. Return None after the first call."""
        reading, self._original = self._original, None
        return reading.result() if reading else None


def read_original(path: Path, options: PhotoCommandOptions) -> Original:
    """Read a photo and its hash. Raises the errors of `read_photo`."""
    with held(path) as copy:
        sha256 = sha256_of(copy)  # first, so that the next run notices a file that changes after this
        return Original(read_input(copy, options, options.page), sha256)


class Changed(NamedTuple):
    """A changed photo, ready to be written."""

    photos: list[tuple[Photo, Notes]]  # the changed photo, then what is saved of its light
    inputs: Inputs  # what they were made from
    watched: Watched | None = None  # for the page of --compare
    layered: tuple[LayeredPhoto, ...] = ()  # for --layers


class Written(NamedTuple):
    """What to report about files that were written."""

    notes: Notes = ()
    facts: ReportEntry | None = None
    skipped: bool = False
    shown: Shown | None = None  # on the page of --compare


@dataclass
class InFlight:
    """A job that has started."""

    job: Job
    seconds: float = 0.0  # spent in its stages, without the waits between them
    pixels: int = LARGE  # of its photo; it counts as large until it is read
    reading: "Future[Original]" = field(default_factory=Future)
    writing: "Future[Written]" = field(default_factory=Future)
    finished: threading.Event = field(default_factory=threading.Event)  # its photo is no longer in memory

    def timed(self, stage: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Run a stage and add its duration to `seconds`."""
        began = time.monotonic()
        try:
            return stage(*arguments, **named)
        finally:
            self.seconds += time.monotonic() - began

    def fail(self, error: Exception) -> None:
        """End the job with an error; release what its frames hold."""
        traceback.clear_frames(error.__traceback__)  # they hold pictures
        self.writing.set_exception(error)
        self.finished.set()


@dataclass
class Threads:
    """The helper threads of a batch; they finish a file that they have started, also at an interruption."""

    changers: Pool = field(default_factory=lambda: Pool(TOGETHER, "changer"))
    writers: Pool = field(default_factory=lambda: Pool(2, "writer"))

    def finish(self, *, cancel: bool = False) -> None:
        """Wait for everything that was started; with `cancel`, start nothing more."""
        for pool in (self.changers, self.writers):  # each may start work of the next
            pool.shutdown(cancel_futures=cancel)
