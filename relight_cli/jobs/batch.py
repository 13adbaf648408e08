"""Read, change and write the photos of one command, several at a time; one that fails does not stop the others."""

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import takewhile
from typing import TYPE_CHECKING, Generic, TypeVar

from relight_cli.interruption import is_interrupted, signals_held
from relight_cli.jobs.compare_page import ComparePage, Shown
from relight_cli.jobs.compared_photos import ComparedPhotos
from relight_cli.jobs.console import notifier
from relight_cli.jobs.engines.work import Results, work_of
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.in_flight import (
    LARGE,
    TOGETHER,
    Changed,
    FirstRead,
    InFlight,
    Notes,
    Original,
    Threads,
    Written,
)
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.memory import MemoryFallback, release_memory
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reading_ahead import ReadAhead
from relight_cli.jobs.shared_jobs import SharedJobs
from relight_cli.jobs.streams import stdout_stream
from relight_cli.jobs.time_budget import LongRunNote
from relight_cli.photos.codecs.encoding import MEMORY_HUNGRY, WRITTEN_IN_BANDS
from relight_cli.photos.formats import format_of
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_layers, write_photo
from relight_cli.places.objects import described

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.relighting.light_change import ChangeResult
    from relight_cli.relighting.lights.light import Light
    from relight_cli.relighting.options import Progress

HUGE = 1 << 25  # pixels; of larger photos one is written at a time, since each encoder has its own copy
APPEARED = "its output has been written by another program meanwhile, and stays as it is"
Result = TypeVar("Result", bound="ChangeResult")
Change = Callable[["Model", int, Photo, "Progress", str], Result]
"""Changes the light of a photo, given the model, the tiles at a time, the photo, a progress callback and its name."""


def run_batch(
    jobs: list[Job],
    recipe: Recipe,
    change: Change[Result],
    fallback: MemoryFallback,
    layers: Callable[[Result], list[Photo]] = lambda result: [],
    resolve: Callable[[Photo], Recipe] | None = None,
    first: FirstRead | None = None,
    page: ComparePage | None = None,
    light_of: "Callable[[Result], Light | None]" = lambda result: None,
) -> None:
    """Read, change and write each photo and its layers, in the order of `Job.extras`.

    Errors are those of `one_by_one.run_jobs`. `resolve` is called with the first photo and returns the recipe of all;
    `first` has begun to read that photo. `page` gets each photo before and after, and its `light_of`.
    """
    options = recipe.options
    assert isinstance(options, LightCommandOptions)
    notify = notifier(options.quiet)
    compared = ComparedPhotos(page, options) if page else None
    for some, results in work_of(jobs, recipe.model, options, recipe.reported_options(), recipe.facts_of_outputs):
        shared = SharedJobs(some, lambda job: recipe.recheck(job, notify), notify)
        reads = ReadAhead(options, first)
        work = Batch(change, fallback, layers, recipe, options, results, shared, reads, resolve, compared, light_of)
        work.run(len(some))
        results.finish()


@dataclass
class Batch(Generic[Result]):
    """Reads, changes and writes the photos of a command.

    While one photo is changed, helper threads write the photos before it and read the next one. At most one other large
    photo is in memory: the next one is read when the one before has been written. Small photos may be changed
    `TOGETHER`, if the network computes several batches of tiles at a time.
    """

    change: Change[Result]
    fallback: MemoryFallback
    layers: Callable[[Result], list[Photo]]
    recipe: Recipe
    options: LightCommandOptions
    results: Results
    shared: SharedJobs
    reads: ReadAhead
    resolve: Callable[[Photo], Recipe] | None = None
    compared: ComparedPhotos | None = None
    light_of: "Callable[[Result], Light | None]" = lambda result: None  # shown on the page
    ready: deque[InFlight] = field(default_factory=deque)  # claimed or skipped, and not started
    unreported: deque[InFlight] = field(default_factory=deque)  # started and not reported yet
    changing: deque["Future[None]"] = field(default_factory=deque)  # small photos in other threads
    threads: Threads = field(default_factory=Threads)

    @cached_property
    def note(self) -> LongRunNote:
        """Says how long a photo takes."""
        return LongRunNote(self.options, notifier(self.options.quiet))

    def run(self, total: int) -> None:
        """Run each of `total` jobs that is not skipped; report them in order, last those of other processes."""
        current().plan(total)
        try:
            while not self.results.is_stopped:
                if not self.ready:
                    self.reads.begin(self._next(wait=True))
                if not self.ready:
                    break
                one = self.ready.popleft()
                self.unreported.append(one)
                if one.job.skip:
                    one.writing.set_result(self._skipped(one.job))
                else:
                    self._make(one, self._next(wait=False))
                self._report_finished()
            self.reads.finish()
            self.threads.finish()
        finally:
            if is_interrupted():
                current().stage("finishing the files that are begun; Ctrl-C again stops at once")
            self.reads.finish(cancel=True)
            self.threads.finish(cancel=True)
            self.shared.release_all()
            self._report_finished()

    def _next(self, *, wait: bool) -> InFlight | None:
        """Claim the next photo that is to be made, and return it; skipped ones before it are `ready` before it.

        Return None if there is none: with `wait` at the end, else also while other processes are making the others.
        """
        while job := self.shared.take(wait=wait and not self.ready):
            one = InFlight(job)
            self.ready.append(one)
            if not job.skip:
                one.writing.add_done_callback(partial(self._release, job))
                self.reads.expect(job)
                return one
        return None

    def _release(self, job: Job, done: "Future[Written]") -> None:
        self.shared.release(job)

    def _make(self, one: InFlight, after: InFlight | None) -> None:
        """Change a photo while the next one is read, then start to write it."""
        job = one.job
        try:
            if job.source == STDIO:  # in this thread, so that Ctrl-C can interrupt the wait for a pipe
                one.reading.set_result(one.timed(self.reads.read, job.source))
            original, one.reading = one.reading.result(), Future()
            one.pixels = math.prod(original.photo.pixels.shape[:2])
            self.reads.begin(after)
            after = None
            if job.target == STDIO:
                stdout_stream()  # raises an error before the work starts
            self._notify(job, original.photo.notes)
            if self.resolve:
                self.recipe, self.resolve = self.resolve(original.photo), None
            together = one.pixels < LARGE and self.fallback.workers > 1 and job.target != STDIO
            while len(self.changing) >= (TOGETHER if together else 1):
                self.changing.popleft().result()
            if together:
                self.changing.append(self.threads.changers.submit(self._change_together, one, original))
                return
            changed = one.timed(self._change, job, original)
            del original  # free its memory before the writing
            if job.target == STDIO:
                one.writing.set_result(one.timed(self._write, job, changed))
            else:
                self._start_to_write(one, changed)
                del changed
                self._save_memory(job, one)
        except Exception as error:  # noqa: BLE001  libraries may raise anything; the other photos continue
            one.fail(error)
            self.reads.begin(after)

    def _change_together(self, one: InFlight, original: Original) -> None:
        """Change a small photo in a thread of its own, and start to write it."""
        try:
            self._start_to_write(one, one.timed(self._change, one.job, original))
        except Exception as error:  # noqa: BLE001  as in `_make`
            one.fail(error)

    def _start_to_write(self, one: InFlight, changed: Changed) -> None:
        if one.pixels >= HUGE:
            for older in takewhile(lambda other: other is not one, self.unreported):
                older.finished.wait()
        with signals_held():  # what is written is reported
            one.writing = writing = self.threads.writers.submit(one.timed, self._write, one.job, changed)
        writing.add_done_callback(partial(self._release, one.job))
        writing.add_done_callback(lambda done: one.finished.set())

    def _save_memory(self, job: Job, one: InFlight) -> None:
        """Limit the memory peak: run no memory-hungry encoder at the same time as a network on the CPU."""
        if one.pixels < LARGE:
            return
        if self.fallback.on_cpu and (format_of(job.target) in MEMORY_HUNGRY):
            wait([one.writing])
        release_memory()

    def _change(self, job: Job, original: Original) -> Changed:
        """Return the changed photo and its layers."""
        photo = original.photo
        progress = partial(current().step, str(job.source))
        result = self.fallback.run(lambda model, batch: self._run_change(job, model, batch, photo, progress))
        inputs = {"photo": original.sha256}
        photos = [self.recipe.sign(made, inputs) for made in (result.photo, *self.layers(result))]
        layered = (self.recipe.sign(result.layered, inputs)[0],) if result.layered else ()
        if not self.compared:
            return Changed(photos, inputs, layered=layered)
        watched = self.compared.watch(job, photo, photos[0][0], self.light_of(result))
        return Changed([(watched.after.watched, photos[0][1]), *photos[1:]], inputs, watched, layered)

    def _run_change(self, job: Job, model: "Model | None", batch: int, photo: Photo, progress: "Progress") -> Result:
        """Return the result; compute its pixels here, where memory may run out, unless they are written in bands."""
        assert model is not None
        name = str(job.source)
        result = self.change(model, batch, photo, self.note.watch(name, model, progress), name)
        if (format_of(job.target) or photo.format) in WRITTEN_IN_BANDS:
            return result
        return replace(result, photo=result.photo.in_memory())

    def _write(self, job: Job, changed: Changed) -> Written:
        """Write the files of a job, the photo last: if it exists, the job is done.

        Layers are removed from `changed.photos` when they are written, since each holds the photo it is made from. With
        --skip-existing, an output that has appeared meanwhile, or was changed, stays.
        """
        if self.options.skip_existing and not self.shared.is_as_claimed(job):
            return self._skipped(job, (APPEARED,))
        photo, notes = changed.photos[0]
        quality, effort, space = self.options.quality, self.options.effort, self.options.space
        overwrite = self.options.overwrite or job.may_replace
        marks = self.recipe.marks(job, changed.inputs)
        for path in job.extras:
            make_folder(path.parent)
            path = described(path, marks)
            if changed.photos[1:]:
                write_photo(changed.photos.pop(1)[0], path, quality=quality, effort=effort, overwrite=overwrite)
            for layered in changed.layered if path == job.extras[-1] else ():
                write_layers(layered, path, effort=effort, overwrite=overwrite)
        if job.target == STDIO:
            notes += write_photo(photo, stdout_stream(), quality=quality, effort=effort, working_space=space)
            return Written(notes, shown=self._shown(job, changed))
        make_folder(job.target.parent)
        target = described(job.target, marks)
        notes += write_photo(photo, target, quality=quality, effort=effort, overwrite=overwrite, working_space=space)
        return Written(notes, self.recipe.report_facts(job, changed.inputs), shown=self._shown(job, changed))

    def _shown(self, job: Job, changed: Changed) -> Shown | None:
        return self.compared.shown(job, changed.watched) if self.compared and changed.watched else None

    def _skipped(self, job: Job, notes: Notes = ()) -> Written:
        return Written(notes, skipped=True, shown=self.compared.of_skipped(job) if self.compared else None)

    def _report_finished(self) -> None:
        """Report jobs in order, up to the first that is not finished."""
        while self.unreported and self.unreported[0].writing.done():
            with signals_held():  # a photo that is written is counted
                self._report(self.unreported.popleft())

    def _report(self, one: InFlight) -> None:
        if one.writing.cancelled():
            return
        error = one.writing.exception()
        assert error is None or isinstance(error, Exception)
        written = Written() if error else one.writing.result()
        self._notify(one.job, written.notes)
        job = replace(one.job, skip=one.job.skip or written.skipped)
        if self.compared:
            self.compared.page.report(job, written.shown, error)
        self.results.add(job, one.seconds, error, written.facts)

    def _notify(self, job: Job, notes: Notes) -> None:
        for note in notes:
            notifier(self.options.quiet)(f"{job.source}: {note}")
