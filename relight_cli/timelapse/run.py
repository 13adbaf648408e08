"""One timelapse from its first frame to its last."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import PhotoUnreadableError
from relight_cli.jobs.console import notifier, progress_bar
from relight_cli.jobs.provenance import Inputs
from relight_cli.jobs.reported_outputs import Facts, output_facts
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.record import TimelapseRecord
from relight_cli.timelapse.report import TimelapseReport, targets_of
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.writers import Writer

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.timelapse.brightness_plot import Colour
    from relight_cli.timelapse.timelapse import FrameResult, Picture


class TimelapseRun:
    """The frames of a sequence on their way to where they are wanted."""

    def __init__(
        self,
        frames: Frames,
        planned: list[OutputFrame],
        writer: Writer,
        log: TimelapseReport,
        record: TimelapseRecord,
        *,
        plot: bool,
    ) -> None:
        """Hold what there is and what is wanted; with `plot` mean colours are kept for `before` and `after`."""
        self.frames, self.planned, self.writer, self.log, self.plot = frames, planned, writer, log, plot
        self._record = record
        self._lost: set[int] = set()  # keyframes that cannot be read
        self.before: dict[int, Colour] = {}  # by keyframe
        self.after: dict[int, Colour] = {}  # by output frame
        self._notify = notifier(log.options.quiet)
        self._read, self._look = frames.reader(), frames.reader()
        self._photos: dict[int, Photo] = {}  # of the keyframes at hand, with all that is not colour
        self._targets = targets_of(planned, writer)
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

    def make(self, make: "Callable[[OutputFrame], FrameResult | None]", opened: AbstractContextManager[None]) -> int:
        """Make every frame that is not there yet, while the writer is `opened`; return how many there are at the end.

        Raises what goes wrong beside unreadable inputs, after the report has said so of the inputs left.
        """
        sequence = dict.fromkeys(self.frames.path(number) for number in range(len(self.frames.times)))
        self.log.report_left_out(sequence)
        try:
            with opened:
                there = self._make_all(make)
        except Exception as error:
            self.log.failed = dict.fromkeys(sequence, error) | self.log.failed
            self._report_until(self.frames.times[-1], skipped=False)
            raise
        if self.writer.is_single_file:
            self._note_written(self.writer.path, self._record.all_inputs)
        self._report_until(self.frames.times[-1], skipped=False)
        return there

    def _make_all(self, make: "Callable[[OutputFrame], FrameResult | None]") -> int:
        there = 0
        with progress_bar("timelapse", quiet=self.log.options.quiet, unit="frame") as progress:
            for number, planned in enumerate(self.planned):
                skipped = self.writer.is_made(number)
                there += skipped or self._make_one(number, make(planned))
                if not self.writer.is_single_file:  # which is there only at the end
                    self._report_until(planned.time, skipped=skipped)
                progress(number + 1, len(self.planned))
        if not there:
            raise PhotoUnreadableError("none of the frames can be read: copy them again from their source.")
        return there

    def draw(self, path: Path) -> None:
        """Draw the plot; what an earlier run had made, and what it was made from, is read again for it."""
        from relight_cli.photos.photo import Photo
        from relight_cli.photos.reading import read_photo
        from relight_cli.photos.writing import write_photo
        from relight_cli.timelapse.brightness_plot import plot

        reader = self.frames.reader()
        for number in [n for n in range(len(self.frames.times)) if n not in self.before]:
            if self.frames.path(number) not in self.log.failed:
                self._remember(self.before, number, reader(number).to_srgb())
        for number in [n for n in range(len(self.planned)) if n not in self.after and self.writer.is_made(n)]:
            photo = read_photo(self.writer.target(number), max_pixels=self.log.options.max_pixels)
            self._remember(self.after, number, photo.to_srgb())
        before = [(self.frames.times[number], colour) for number, colour in sorted(self.before.items())]
        after = [(self.planned[number].time, colour) for number, colour in sorted(self.after.items())]
        drawn = plot(before, after, "s" if self.frames.rate or self.frames.taken(0) is not None else "frames")
        write_photo(Photo(drawn), path, overwrite=True)

    def _make_one(self, number: int, made: "FrameResult | None") -> bool:
        """Write a frame; False where there is none."""
        if made is None:
            return False
        like = self._photos[made.template]
        self._photos = {n: photo for n, photo in self._photos.items() if n >= made.template}
        self._remember(self.after, number, made.picture)
        # A file has metadata, which --strip wants gone.
        copied = made.untouched and not self.log.options.strip and not like.recoloured
        original = self.frames.original(made.template) if copied else None
        if not (original and self.writer.copy(number, original)):
            photo = like if made.untouched else self._dated(like.with_srgb(made.picture), self.planned[number])
            photo, notes = self._record.recipe.sign(photo, self._record.inputs(number, self._lost))
            for note in notes + self.writer.write(number, photo):
                self._notify(f"{self.writer.target(number)}: {note}")
        if not self.writer.is_single_file:
            self._note_written(self.writer.target(number), lambda: self._record.inputs(number, self._lost))
        return True

    def _note_written(self, path: Path, inputs: Callable[[], Inputs]) -> None:
        """Keep for the report how a file was made."""
        if self.log.options.report:
            self._written.append(output_facts(path, self._record.recipe.provenance(inputs()).parameters()))

    def _fail(self, number: int, error: PhotoUnreadableError) -> None:
        self._lost.add(number)
        self.log.fail(self.frames.path(number), error)

    def _dated(self, photo: "Photo", frame: OutputFrame) -> "Photo":
        """Return a photo with the capture time of a frame, where capture times are known."""
        from relight_cli.photos.capture_time import exif_with_time, xmp_with_time

        taken = self.frames.taken(frame.time)
        if taken is None:
            return photo
        exif, xmp = photo.metadata.exif, photo.metadata.xmp
        exif, xmp = exif and exif_with_time(exif, taken), xmp and xmp_with_time(xmp, taken)
        return replace(photo, metadata=replace(photo.metadata, exif=exif, xmp=xmp))

    def _report_until(self, until: float, *, skipped: bool) -> None:
        """Report on the inputs that lie behind; on a video when its last frame does."""
        while self._reported < len(self.frames.times) and self.frames.times[self._reported] <= until:
            number, self._reported = self._reported, self._reported + 1
            path = self.frames.path(number)
            if self._reported == len(self.frames.times) or self.frames.path(self._reported) != path:
                target = self._targets.get(number, self.writer.path)
                self.log.report(path, target, skipped=skipped, outputs=self._written)
                self._written = []

    def _remember(self, colours: "dict[int, Colour]", number: int, picture: "Picture") -> None:
        if self.plot:
            from relight_cli.timelapse.brightness_plot import mean_colour

            colours[number] = mean_colour(picture)
