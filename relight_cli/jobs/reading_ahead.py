"""Read the next photo of a batch while the one before is changed, when there is room for it."""

import math
from pathlib import Path

from relight_cli.cores import Pool
from relight_cli.jobs.in_flight import LARGE, FirstRead, InFlight, Original, read_original
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.outputs import Job

AHEAD = 4  # small photos in memory besides the one that is read


class ReadAhead:
    """The reader of a batch: a thread that reads one photo at a time."""

    def __init__(self, options: PhotoCommandOptions, first: FirstRead | None = None) -> None:
        """Take the options; `first` has begun to read the first photo."""
        self._options, self._first = options, first
        self._reads: list[InFlight] = []  # read, or to be read next, and not finished
        self._reader = Pool(1, "reader")

    def expect(self, job: Job) -> None:
        """Release the first photo if another one is the first to be made."""
        if self._first and self._first.path != job.source:
            self._first = None

    def begin(self, one: InFlight | None) -> None:
        """Begin to read a photo, unless it comes from stdin."""
        if one is None:
            return
        before = self._reads = [older for older in self._reads if not older.finished.is_set()]
        self._reads = [*before, one]
        if one.job.source != STDIO:
            one.reading = self._reader.submit(self._read_in_turn, one, before)

    def read(self, path: Path) -> Original:
        """Read a photo in this thread. Raises the errors of `read_photo`."""
        first = self._first.take() if self._first and self._first.path == path else None
        return first or read_original(path, self._options)

    def finish(self, *, cancel: bool = False) -> None:
        """Wait for the photo that is read; with `cancel`, read no other, and wait for no room."""
        for one in self._reads if cancel else []:
            one.finished.set()  # wakes the reader
        self._reader.shutdown(cancel_futures=cancel)

    def _read_in_turn(self, one: InFlight, before: list[InFlight]) -> Original:
        """Read a photo when there is room for it: next to one large photo, or a few small ones."""
        for older in before:
            left = [other for other in before if not other.finished.is_set()]
            if len(left) <= AHEAD and sum(other.pixels >= LARGE for other in left) <= 1:
                break
            older.finished.wait()
        original = one.timed(self.read, one.job.source)
        one.pixels = math.prod(original.photo.pixels.shape[:2])
        return original
