"""One timelapse from its first frame to its last: what was made, what failed, and what is reported of it."""

import time
import traceback
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from relight_cli.errors import ExitCode, PhotoUnreadableError
from relight_cli.jobs.console import bar, notifier, say
from relight_cli.jobs.options import PhotoOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.provenance import Inputs
from relight_cli.jobs.reported_outputs import Facts, output_facts
from relight_cli.jobs.reports import ModelFacts, append, record_of
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.record import SequenceRecord
from relight_cli.timelapse.sequencing import Moment
from relight_cli.timelapse.sinks import Sink

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.timelapse.brightness_plot import Colour
    from relight_cli.timelapse.timelapse import Made, Picture


class NoModel(NamedTuple):
    """What a report says of the model where none was needed."""

    name: str = "none"
    revision: str | None = None
    sha256: str | None = None


class Log:
    """Says what failed, once, and reports on every input in its turn."""

    def __init__(self, options: PhotoOptions) -> None:
        self.options = options
        self.model: ModelFacts = NoModel()
        self.failed: dict[Path, Exception] = {}
        self._told: set[str] = set()
        self._began = time.monotonic()

    def fail(self, path: Path, error: Exception) -> None:
        """Say that an input, or a frame of it, cannot be used."""
        self.failed.setdefault(path, error)
        if str(error) not in self._told:
            self._told.add(str(error))
            say(str(error))
            if self.options.verbose:
                traceback.print_exception(error)

    def report_left_out(self, sequence: Container[Path]) -> None:
        """Report on the inputs that failed before there was a sequence."""
        for path in [path for path in self.failed if path not in sequence]:
            self.report(path, path)

    def report(self, path: Path, target: Path, *, skipped: bool = False, outputs: Sequence[Facts] = ()) -> None:
        """Append what became of an input, where a report is wanted, and the files that were written meanwhile."""
        if self.options.report:
            seconds, self._began = time.monotonic() - self._began, time.monotonic()
            record = record_of(Job(path, target, skipped), self.model, seconds, self.failed.get(path))
            written = {"more_outputs": list(outputs)} if outputs else {}
            append(self.options.report, record | written | {"options": asdict(self.options)})


def targets_of(moments: list[Moment], sink: Sink) -> dict[int, Path]:
    """Tell which file each keyframe goes to, of those that do."""
    return {m.keyframe: sink.target(number) for number, m in enumerate(moments) if m.keyframe is not None}


def report_skipped(frames: Frames, moments: list[Moment], sink: Sink, log: Log) -> None:
    """Report on a sequence of which every file is there."""
    targets = targets_of(moments, sink)
    sequence = {frames.path(number): targets.get(number, sink.place) for number in range(len(frames.times))}
    log.report_left_out(sequence)
    for path, target in sequence.items():
        log.report(path, target, skipped=path not in log.failed)


class Run:
    """The frames of a sequence on their way to where they are wanted."""

    def __init__(
        self, frames: Frames, moments: list[Moment], sink: Sink, log: Log, record: SequenceRecord, *, plot: bool
    ) -> None:
        """Hold what there is and what is wanted; with `plot` mean colours are kept for `before` and `after`."""
        self.frames, self.moments, self.sink, self.log, self.plot = frames, moments, sink, log, plot
        self._record = record
        self._lost: set[int] = set()  # keyframes that cannot be read
        self.before: dict[int, Colour] = {}  # by keyframe
        self.after: dict[int, Colour] = {}  # by moment
        self._notify = notifier(log.options.quiet)
        self._read, self._look = frames.reader(), frames.reader()
        self._photos: dict[int, Photo] = {}  # of the keyframes at hand, with all that is not colour
        self._targets = targets_of(moments, sink)
        self._reported = 0
        self._written: list[Facts] = []  # files, since the last report

    def read(self, number: int) -> "Picture | None":
        """Read a keyframe and keep it; None, said, where it cannot be read."""
        self._record.sha256(number)  # before it is read
        try:
            photo = self._read(number)
        except PhotoUnreadableError as error:
            self._fail(number, error)
            return None
        for note in photo.notes:
            self._notify(f"{self.frames.name(number)}: {note}")
        self._photos[number] = photo
        picture = photo.to_srgb()
        self._remember(self.before, number, picture)
        return picture

    def look_ahead(self, number: int) -> "Picture | None":
        """Read a keyframe for its light alone."""
        self._record.sha256(number)
        try:
            return self._look(number).to_srgb()
        except PhotoUnreadableError as error:
            self._fail(number, error)
            return None

    def make(self, frame: "Callable[[Moment], Made | None]", opened: AbstractContextManager[None]) -> int:
        """Make every frame that is not there yet, while the sink is `opened`; return how many there are at the end.

        Raises what goes wrong beside unreadable inputs, after the report has said so of the inputs left.
        """
        sequence = dict.fromkeys(self.frames.path(number) for number in range(len(self.frames.times)))
        self.log.report_left_out(sequence)
        try:
            with opened:
                there = self._make_all(frame)
        except Exception as error:
            self.log.failed = dict.fromkeys(sequence, error) | self.log.failed
            self._report_until(self.frames.times[-1], skipped=False)
            raise
        if self.sink.one_file:
            self._note_written(self.sink.place, self._record.all_inputs)
        self._report_until(self.frames.times[-1], skipped=False)
        return there

    def _make_all(self, frame: "Callable[[Moment], Made | None]") -> int:
        there = 0
        with bar("timelapse", len(self.moments), quiet=self.log.options.quiet, unit="frame") as progress:
            for number, moment in enumerate(self.moments):
                skipped = self.sink.made(number)
                there += skipped or self._make_one(number, frame(moment))
                if not self.sink.one_file:  # which is there only at the end
                    self._report_until(moment.time, skipped=skipped)
                progress(1)
        if not there:
            raise PhotoUnreadableError("none of the frames can be read: copy them again from their source.")
        return there

    def draw(self, path: Path) -> None:
        """Draw the plot; what an earlier run had made, and what it was made from, is read again for it."""
        from relight_cli.photos.photo import Photo, read_photo, write_photo
        from relight_cli.timelapse.brightness_plot import plot

        reader = self.frames.reader()
        for number in [n for n in range(len(self.frames.times)) if n not in self.before]:
            if self.frames.path(number) not in self.log.failed:
                self._remember(self.before, number, reader(number).to_srgb())
        for number in [n for n in range(len(self.moments)) if n not in self.after and self.sink.made(n)]:
            photo = read_photo(self.sink.target(number), max_pixels=self.log.options.max_pixels)
            self._remember(self.after, number, photo.to_srgb())
        before = [(self.frames.times[number], colour) for number, colour in sorted(self.before.items())]
        after = [(self.moments[number].time, colour) for number, colour in sorted(self.after.items())]
        drawn = plot(before, after, "s" if self.frames.rate or self.frames.taken(0) is not None else "frames")
        write_photo(Photo(drawn), path, overwrite=True)

    def _make_one(self, number: int, made: "Made | None") -> bool:
        """Write a frame; False where there is none."""
        if made is None:
            return False
        like = self._photos[made.like]
        self._photos = {n: photo for n, photo in self._photos.items() if n >= made.like}
        self._remember(self.after, number, made.picture)
        # A file has metadata, which --strip wants gone.
        original = self.frames.original(made.like) if made.untouched and not self.log.options.strip else None
        if not (original and self.sink.copy(number, original)):
            photo = like if made.untouched else self._dated(like.with_srgb(made.picture), self.moments[number])
            photo, notes = self._record.making.sign(photo, self._record.inputs(number, self._lost))
            for note in notes + self.sink.write(number, photo):
                self._notify(f"{self.sink.target(number)}: {note}")
        if not self.sink.one_file:
            self._note_written(self.sink.target(number), lambda: self._record.inputs(number, self._lost))
        return True

    def _note_written(self, path: Path, inputs: Callable[[], Inputs]) -> None:
        """Keep for the report how a file was made."""
        if self.log.options.report:
            self._written.append(output_facts(path, self._record.making.of(inputs()).parameters()))

    def _fail(self, number: int, error: PhotoUnreadableError) -> None:
        self._lost.add(number)
        self.log.fail(self.frames.path(number), error)

    def _dated(self, photo: "Photo", moment: Moment) -> "Photo":
        """Give a photo the capture time of a moment, where capture times are known."""
        from relight_cli.photos.capture_time import exif_with_time, xmp_with_time

        taken = self.frames.taken(moment.time)
        if taken is None:
            return photo
        exif, xmp = photo.metadata.exif, photo.metadata.xmp
        exif, xmp = exif and exif_with_time(exif, taken), xmp and xmp_with_time(xmp, taken)
        return replace(photo, metadata=replace(photo.metadata, exif=exif, xmp=xmp))

    def _report_until(self, moment: float, *, skipped: bool) -> None:
        """Report on the inputs that lie behind; on a video when its last frame does."""
        while self._reported < len(self.frames.times) and self.frames.times[self._reported] <= moment:
            number, self._reported = self._reported, self._reported + 1
            path = self.frames.path(number)
            if self._reported == len(self.frames.times) or self.frames.path(self._reported) != path:
                target = self._targets.get(number, self.sink.place)
                self.log.report(path, target, skipped=skipped, outputs=self._written)
                self._written = []

    def _remember(self, colours: "dict[int, Colour]", number: int, picture: "Picture") -> None:
        if self.plot:
            from relight_cli.timelapse.brightness_plot import mean_colour

            colours[number] = mean_colour(picture)


def finish(log: Log, lost: int) -> None:
    """Say how many inputs failed. Raises typer.Exit with exit code 23 if any did."""
    if not log.failed:
        return
    ends = f" {lost} frames at an end could not be made." if lost else ""
    say(f"{len(log.failed)} of the inputs failed; frames beside them stand in.{ends}")
    raise typer.Exit(ExitCode.SOME_FAILED)
