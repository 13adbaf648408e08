"""Photos in, photos out: one command's work over all its jobs, where a bad file costs only itself."""

import math
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from relight_cli.errors import OutputUnwritableError
from relight_cli.jobs.console import bar, notifier
from relight_cli.jobs.free_memory import give_back
from relight_cli.jobs.inputs import STANDARD, sha256_of
from relight_cli.jobs.memory import Fallback
from relight_cli.jobs.options import PhotoOptions, SharedOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.provenance import Inputs, Making
from relight_cli.jobs.reports import Facts, ModelFacts, Tally
from relight_cli.jobs.streams import picture_out, standard_in
from relight_cli.photos.codecs.encoding import HUNGRY, WRITTEN_IN_BANDS
from relight_cli.photos.formats import format_of
from relight_cli.photos.photo import Photo, read_photo, write_photo
from relight_cli.rasters.rows import readable_again

if TYPE_CHECKING:
    from relight_cli.relighting.light_change import Picture, Progress, TileOptions

LARGE = 1 << 20  # pixels of a photo for which it is worth while to save memory
P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[["Picture", "TileOptions", "Progress"], "Picture"]
"""What a command does to one sRGB picture; its rows may be made when they are read."""
TileCount = Callable[["Picture"], int]
"""How many tiles that will take."""
Layers = Callable[[Photo, Photo], list[Photo]]
"""From a photo and the one made of it to what `Job.beside` names, in its order."""
Notes = tuple[str, ...]


def run_jobs(
    jobs: list[Job], make: Callable[[Job], Facts], model: ModelFacts, options: SharedOptions, reported: Facts
) -> None:
    """Do each job that is not skipped, one after the other; say what failed. `reported` goes with the options.

    One photo alone raises its error. Of several, the others go on and the command ends with exit code 23.
    """
    tally = Tally(jobs, model, options, reported)
    for job in jobs:
        passage, error, facts = Passage(job), None, None
        try:
            facts = None if job.skip else passage.timed(make, job)
        except Exception as raised:  # noqa: BLE001  whatever one photo does to a library, the rest must not lose by it
            error = raised
        tally.add(job, passage.seconds, error, facts)
    tally.finish()


def run_batch(
    jobs: list[Job],
    making: Making,
    work: Work,
    tiles: TileCount,
    fallback: Fallback,
    layers: Layers = lambda photo, changed: [],
) -> None:
    """Read, change and write each photo, and what is saved beside it; what fails is dealt with as by `run_jobs`."""
    options = making.options
    assert isinstance(options, PhotoOptions)
    tally = Tally(jobs, making.model, options, making.reported())
    Batch(work, tiles, fallback, layers, making, options, tally).run(jobs)
    tally.finish()


def nothing_to_do(jobs: list[Job], making: Making) -> bool:
    """Tell whether every job is skipped; if so, report it."""
    if not all(job.skip for job in jobs):
        return False
    run_jobs(jobs, lambda job: {}, making.model, making.options, making.reported())
    return True


class Original(NamedTuple):
    """A photo as it was read."""

    photo: Photo
    sha256: str | None  # of its file


class Changed(NamedTuple):
    """What is to be written of a photo."""

    photos: list[tuple[Photo, Notes]]  # the changed one, and its layers
    inputs: Inputs  # what they were made from


class Written(NamedTuple):
    """What there is to say of files that were written."""

    notes: Notes = ()
    facts: Facts | None = None


@dataclass
class Passage:
    """A job on its way."""

    job: Job
    seconds: float = 0.0  # in its stages, without the waiting between them
    reading: "Future[Original]" = field(default_factory=Future)
    writing: "Future[Written]" = field(default_factory=Future)

    def timed(self, stage: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Go through a stage."""
        began = time.monotonic()
        try:
            return stage(*arguments, **named)
        finally:
            self.seconds += time.monotonic() - began


@dataclass
class Batch:
    """Photos that are read, changed and written.

    While one is worked on, a helper writes the last and, when that is gone, reads the next: beside the photo at work no
    more than one other is held. What the helper has begun it finishes, also when the program is interrupted.
    """

    work: Work
    tiles: TileCount
    fallback: Fallback
    layers: Layers
    making: Making
    options: PhotoOptions
    tally: Tally
    underway: deque[Passage] = field(default_factory=deque)  # begun, and not told yet

    def run(self, jobs: list[Job]) -> None:
        """Do each job that is not skipped; what became of them is told in their order."""
        passages = [Passage(job) for job in jobs]
        todo = [passage for passage in passages if not passage.job.skip]
        followers = {id(passage): after for passage, after in zip_longest(todo, todo[1:])}
        helper = ThreadPoolExecutor(1, "photos")
        try:
            self._read_ahead(todo[0] if todo else None, helper)
            for passage in passages:
                self.underway.append(passage)
                if passage.job.skip:
                    passage.writing.set_result(Written())
                else:
                    self._make(passage, followers[id(passage)], helper)
                self._tell()
            helper.shutdown()
        finally:
            helper.shutdown(cancel_futures=True)
            self._tell()

    def _read_ahead(self, passage: Passage | None, helper: ThreadPoolExecutor) -> None:
        if passage and passage.job.source != STANDARD:
            passage.reading = helper.submit(passage.timed, self._read, passage.job.source)

    def _make(self, passage: Passage, after: Passage | None, helper: ThreadPoolExecutor) -> None:
        """Change a photo once it is read, while the one after it is read, and have it written."""
        job = passage.job
        try:
            if job.source == STANDARD:  # in this thread, where waiting for a pipe can be interrupted
                passage.reading.set_result(passage.timed(self._read, job.source))
            original, passage.reading = passage.reading.result(), Future()
            original_size = math.prod(original.photo.pixels.shape[:2])
            self._read_ahead(after, helper)
            after = None
            changed = passage.timed(self._change, job, original)
            del original  # which need not wait for the writing
            if job.target == STANDARD:
                passage.writing.set_result(passage.timed(self._write, job, changed))
            else:
                passage.writing = helper.submit(passage.timed, self._write, job, changed)
                self._save_memory(job, original_size, passage.writing)
        except Exception as error:  # noqa: BLE001  whatever one photo does to a library, the rest must not lose by it
            traceback.clear_frames(error.__traceback__)  # of the pictures in them
            passage.writing.set_exception(error)
            self._read_ahead(after, helper)

    def _save_memory(self, job: Job, pixels: int, writing: "Future[Written]") -> None:
        """Keep the peak near one photo's: no hungry encoder beside a network on the CPU, and no holes in heaps."""
        if pixels < LARGE:
            return
        if self.fallback.on_cpu and format_of(job.target) in HUNGRY:
            wait([writing])
        give_back()

    def _read(self, path: Path) -> Original:
        sha256 = sha256_of(path)  # first: a file that changes after this is made anew another time
        return Original(_read(path, self.options), sha256)

    def _change(self, job: Job, original: Original) -> Changed:
        """Give what is to be written: the changed photo, and its layers."""
        photo = original.photo
        if job.target == STANDARD:
            picture_out()  # before the work, not after it
        self._say(job, photo.notes)
        picture = photo.srgb
        with bar(job.source.name, self.tiles(picture), quiet=self.options.quiet) as progress:
            changed = self.fallback.run(lambda tiling: self._changed(job, photo, self.work(picture, tiling, progress)))
        inputs = {"photo": original.sha256}
        return Changed([self.making.sign(one, inputs) for one in (changed, *self.layers(photo, changed))], inputs)

    def _changed(self, job: Job, photo: Photo, picture: "Picture") -> Photo:
        """Give the changed photo, its pixels to be made as they are written where its kind allows that.

        A picture whose rows come once is made here, where the work can be done again with less memory.
        """
        in_bands = readable_again(picture) and (format_of(job.target) or photo.format) in WRITTEN_IN_BANDS
        return photo.showing(picture) if in_bands else photo.with_srgb(picture)

    def _write(self, job: Job, made: Changed) -> Written:
        """Write a job's files, the photo last, by which it is known to be done.

        What is written is taken out of `made.photos`: a layer holds the photo it is made from.
        """
        changed, notes = made.photos[0]
        quality, overwrite = self.options.quality, self.options.overwrite or job.replace
        if job.target == STANDARD:
            return Written(notes + write_photo(changed, picture_out(), quality=quality))
        make_folder(job.target.parent)
        for path in job.beside:
            write_photo(made.photos.pop(1)[0], path, quality=quality, overwrite=overwrite)
        notes += write_photo(changed, job.target, quality=quality, overwrite=overwrite)
        return Written(notes, self.making.facts(job, made.inputs))

    def _tell(self) -> None:
        """Tell what became of photos, up to the first that is not written yet."""
        while self.underway and self.underway[0].writing.done():
            passage = self.underway.popleft()
            if passage.writing.cancelled():
                continue
            error = passage.writing.exception()
            assert error is None or isinstance(error, Exception)
            written = Written() if error else passage.writing.result()
            self._say(passage.job, written.notes)
            self.tally.add(passage.job, passage.seconds, error, written.facts)

    def _say(self, job: Job, notes: Notes) -> None:
        for note in notes:
            notifier(self.options.quiet)(f"{job.source}: {note}")


def begin_to_read(path: Path, options: SharedOptions) -> "Future[Photo]":
    """Read a photo as `read` does, while torch is loaded; from stdin at once, for waiting is to be interruptible."""
    helper = ThreadPoolExecutor(1, "photo")
    begun: Future[Photo] = Future()
    if path == STANDARD:
        begun.set_result(read(path, options))
    else:
        begun = helper.submit(read, path, options)
    helper.shutdown(wait=False)
    return begun


def read(path: Path, options: SharedOptions) -> Photo:
    """Read a photo, from stdin where its name is `-`, and say its notes."""
    photo = _read(path, options)
    for note in photo.notes:
        notifier(options.quiet)(f"{path}: {note}")
    return photo


def _read(path: Path, options: SharedOptions) -> Photo:
    return read_photo(standard_in() if path == STANDARD else path, max_pixels=options.max_pixels)


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, and those above it. Raises OutputUnwritableError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"{folder}: the folder cannot be made ({error.strerror}): choose another --output."
        raise OutputUnwritableError(said) from error
