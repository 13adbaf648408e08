"""Make a timelapse from its first frame to its last."""

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.progress import Outcome, current
from relight_cli.jobs.provenance import Inputs
from relight_cli.jobs.reported_outputs import ReportEntry, output_entry
from relight_cli.timelapse.compared_frames import ComparedFrames
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.record import TimelapseRecord
from relight_cli.timelapse.report import TimelapseReport, stopped, targets_of
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.shared_frames import SharedFrames
from relight_cli.timelapse.writers import Writer

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.timelapse.brightness_plot import Colour
    from relight_cli.timelapse.sequence_proof import Choice, SequenceProof
    from relight_cli.timelapse.timelapse import FrameResult, Picture


class TimelapseRun:
    """Reads the frames of a sequence, and writes and reports the new ones."""

    def __init__(
        self,
        frames: Frames,
        planned: list[OutputFrame],
        writer: Writer,
        report: TimelapseReport,
        record: TimelapseRecord,
        *,
        plot: Path | None,
    ) -> None:
        """Take the frames that exist and those to make; for a `plot` keep mean colours in `before` and `after`."""
        self.compared: ComparedFrames | None = None
        self.frames, self.planned, self.writer, self.report, self.plot = frames, planned, writer, report, plot
        self.record = record
        self._unreadable: set[int] = set()  # keyframes
        self.before: dict[int, Colour] = {}  # by keyframe
        self.after: dict[int, Colour] = {}  # by output frame
        self._notify = notifier(report.options.quiet)
        self._noted: set[tuple[int, str]] = set()
        self._read, self._read_ahead = frames.reader(), frames.reader()
        self._photos: dict[int, Photo] = {}  # of the keyframes in memory, for their metadata
        self._targets = targets_of(planned, writer)
        self._reported = 0  # keyframes
        self._written: list[ReportEntry] = []  # files, since the last entry in the report

    def read(self, number: int) -> "Picture | None":
        """Read a keyframe and keep its photo; return None, and print why, if it cannot be read."""
        self.record.sha256(number)  # hashed before it is read
        try:
            photo = self._read(number)
        except PhotoUnreadableError as error:
            self._fail(number, error)
            return None
        for note in photo.notes:
            self._notify(f"{self.frames.name(number)}: {note}")
        self._photos[number] = photo
        if self.compared:
            self.compared.keyframe(number, self.frames.name(number), self.frames.times[number], photo)
        picture = photo.to_srgb()
        self._keep_colour(self.before, number, picture)
        return picture

    def look_ahead(self, number: int) -> "Picture | None":
        """Read a keyframe for its light alone."""
        self.record.sha256(number)
        try:
            return self._read_ahead(number).to_srgb()
        except PhotoUnreadableError as error:
            self._fail(number, error)
            return None

    def note(self, number: int, text: str) -> None:
        """Print a note on a keyframe, once."""
        if (number, text) not in self._noted:
            self._noted.add((number, text))
            self._notify(f"{self.frames.name(number)}: {text}")

    def proof(self) -> "SequenceProof":
        """Return what chooses the blend of the sequence; the choice is printed and reported."""
        from relight_cli.timelapse.sequence_proof import SequenceProof

        reader = self.frames.reader()

        def read(number: int) -> "Picture | None":
            self.record.sha256(number)
            try:
                return reader(number).to_srgb()
            except PhotoUnreadableError:  # reported when it is read as a keyframe
                return None

        return SequenceProof(self.frames.times, read, self._chosen)

    def _chosen(self, choice: "Choice") -> None:
        self._notify(str(choice))
        self.report.chosen = {"auto": choice.facts()}

    def make(
        self,
        make: "Callable[[OutputFrame], FrameResult | None]",
        opened: AbstractContextManager[None],
        restart: Callable[[], None],
    ) -> int:
        """Make every frame that does not exist yet, while the writer is `opened`; return how many exist at the end.

        `make` is called in order of time, and from an earlier one on after `restart`.
        Raises every error except that of unreadable inputs, after reporting it on the remaining inputs.
        """
        sequence = dict.fromkeys(self.frames.path(number) for number in range(len(self.frames.times)))
        self.report.append_left_out(sequence)
        try:
            with opened:
                existing = self._make_all(make, restart)
        except Exception as error:
            self.report.failed = dict.fromkeys(sequence, error) | self.report.failed
            with contextlib.suppress(OutputUnwritableError):  # of the report, on the same full disk
                self._report_until(self.frames.times[-1], skipped=False)
            if isinstance(error, OutputUnwritableError):
                raise stopped(error, self.writer, self.report.options) from error
            raise
        if self.writer.is_single_file:
            self._add_written(self.writer.path, self.record.all_inputs)
        self._report_until(self.frames.times[-1], skipped=False)
        return existing

    def _make_all(self, make: "Callable[[OutputFrame], FrameResult | None]", restart: Callable[[], None]) -> int:
        existing = 0
        last, in_order = -1, True
        record, options = self.record, self.report.options
        shared = SharedFrames(
            self.writer,
            lambda number: record.is_current(number, self.writer.target(number)),
            self._notify,
            overwrite=options.overwrite,
        )
        current().has_parts = not self.writer.is_single_file
        current().plan(len(self.planned), "frame")
        for number, missing in shared.turns(len(self.planned)):
            planned = self.planned[number]
            in_order = in_order and number == last + 1
            if missing and number < last:  # another process has left it
                restart()
                self._photos, self._read, self._read_ahead = {}, self.frames.reader(), self.frames.reader()
            exists = self._make_one(number, make(planned)) if missing else True
            existing, last = existing + exists, number
            if in_order and not self.writer.is_single_file:  # a single file exists only at the end
                self._report_until(planned.time, skipped=not missing)
            current().finish_one(self._outcome(number, exists=exists, skipped=not missing))
        if not existing:
            raise PhotoUnreadableError("none of the frames can be read: copy them again from their source.")
        return existing

    def _outcome(self, number: int, *, exists: bool, skipped: bool) -> Outcome:
        """Return what happened to a frame."""
        keyframe = self.planned[number].keyframe
        source = None if keyframe is None else str(self.frames.path(keyframe))
        status = "skipped" if skipped else "done" if exists else "failed"
        return Outcome(source, str(self.writer.target(number)) if exists else None, status)

    def draw(self, path: Path) -> None:
        """Draw the plot; frames of an earlier run, and their inputs, are read again for it.

        A plot that is not as this tool wrote it stays, unless --overwrite is given.
        """
        from relight_cli.photos.photo import Photo
        from relight_cli.photos.reading import read_photo
        from relight_cli.photos.writing import write_photo
        from relight_cli.timelapse.brightness_plot import plot

        options, recipe = self.report.options, replace(self.record.recipe, read_record=None)
        if os.path.lexists(path) and not (options.overwrite or recipe.is_untouched(path)):
            self._notify(f"{path}: left as it is, since it is not as relight-cli wrote it; --overwrite replaces it.")
            return
        reader = self.frames.reader()
        for number in [n for n in range(len(self.frames.times)) if n not in self.before]:
            if self.frames.path(number) not in self.report.failed:
                self._keep_colour(self.before, number, reader(number).to_srgb())
        for number in [n for n in range(len(self.planned)) if n not in self.after and self.writer.is_made(n)]:
            photo = read_photo(self.writer.target(number), max_pixels=self.report.options.max_pixels)
            self._keep_colour(self.after, number, photo.to_srgb())
        before = [(self.frames.times[number], colour) for number, colour in sorted(self.before.items())]
        after = [(self.planned[number].time, colour) for number, colour in sorted(self.after.items())]
        drawn = plot(before, after, "s" if self.frames.rate or self.frames.taken(0) is not None else "frames")
        make_folder(path.parent)
        signed, _ = recipe.sign(Photo(drawn), self.record.all_inputs())
        write_photo(signed, path, overwrite=options.overwrite or options.skip_existing)

    def _make_one(self, number: int, made: "FrameResult | None") -> bool:
        """Write a frame and return True; return False if there is none."""
        if made is None:
            return False
        template = self._photos[made.template]
        self._photos = {n: photo for n, photo in self._photos.items() if n >= made.template}
        self._keep_colour(self.after, number, made.picture)
        # A copied file would keep the metadata that --strip removes, and not say colours that were converted.
        copied = made.untouched and not self.report.options.strip and not template.recoloured
        original = self.frames.original(made.template) if copied else None
        if not (original and self.writer.copy(number, original)):
            photo = (
                template
                if made.untouched
                else self._dated(template.with_srgb(made.picture), self.planned[number], made.template)
            )
            photo, notes = self.record.recipe.sign(photo, self.record.inputs(number, self._unreadable))
            for note in notes + self.writer.write(number, photo):
                self._notify(f"{self.writer.target(number)}: {note}")
            template = photo
        if self.compared:
            self.compared.frame(number, template, made.template)
            self.compared.release_before(made.template)
        if not self.writer.is_single_file:
            self._add_written(self.writer.target(number), lambda: self.record.inputs(number, self._unreadable))
        return True

    def _add_written(self, path: Path, inputs: Callable[[], Inputs]) -> None:
        """Keep the recipe of a written file for the report."""
        if self.report.options.report:
            self._written.append(output_entry(path, self.record.recipe.provenance(inputs()).parameters()))

    def _fail(self, number: int, error: PhotoUnreadableError) -> None:
        self._unreadable.add(number)
        self.report.fail(self.frames.path(number), error)

    def _dated(self, photo: "Photo", frame: OutputFrame, template: int) -> "Photo":
        """Return a photo, made with the metadata of a keyframe, with the capture time of a frame if it is known."""
        from relight_cli.photos.capture_time import exif_with_time, xmp_with_time

        taken = self.frames.taken(frame.time, template)
        if taken is None:
            return photo
        exif, xmp = photo.metadata.exif, photo.metadata.xmp
        exif, xmp = exif and exif_with_time(exif, taken), xmp and xmp_with_time(xmp, taken)
        return replace(photo, metadata=replace(photo.metadata, exif=exif, xmp=xmp))

    def _report_until(self, until: float, *, skipped: bool) -> None:
        """Report on the inputs up to the time `until`; on a video only after its last frame."""
        while self._reported < len(self.frames.times) and self.frames.times[self._reported] <= until:
            number, self._reported = self._reported, self._reported + 1
            path = self.frames.path(number)
            if self._reported == len(self.frames.times) or self.frames.path(self._reported) != path:
                target = self._targets.get(number, self.writer.path)
                self.report.append(path, target, skipped=skipped, outputs=self._written)
                self._written = []

    def _keep_colour(self, colours: "dict[int, Colour]", number: int, picture: "Picture") -> None:
        if self.plot:
            from relight_cli.timelapse.brightness_plot import mean_colour

            colours[number] = mean_colour(picture)
