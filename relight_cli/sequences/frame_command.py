"""One call of relight, deshadow or albedo on sequences of photos: each frame becomes a file in a folder."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relight_cli._version import __version__
from relight_cli.errors import ExitCode, OutputUnwritableError, PhotoUnreadableError, UsageError
from relight_cli.jobs.batch import Change, Result
from relight_cli.jobs.console import notifier, say
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.inputs import file_identity, sha256_of
from relight_cli.jobs.memory import MemoryFallback
from relight_cli.jobs.one_by_one import report_skipped
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.outputs import Job, Outputs, refuse_fields
from relight_cli.jobs.planning import require_folders, require_report
from relight_cli.jobs.progress import current
from relight_cli.jobs.report_file import check_report
from relight_cli.jobs.reported_outputs import ReportEntry, output_entry
from relight_cli.sequences.change import lit_photos
from relight_cli.sequences.frame_sets import FrameSet, find_sets, target_folder
from relight_cli.sequences.frames import PhotoFrame
from relight_cli.sequences.parts import Parts, Resumed
from relight_cli.sequences.video_command import VideoCommand

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.sequences.dry_run import Trial

PART = 60  # frames after which a killed run goes on with the next keyframe


class FrameCommand(VideoCommand):
    """One call on sequences of photos."""

    what, those = "single photos or videos", "sequences of photos"
    read_record = None

    def plan(self, names: list[str], outputs: Outputs | None = None) -> bool:
        """Check everything that can be checked without a model; return whether there is anything to do."""
        options, notify = self.options, notifier(self.options.quiet)
        refuse_fields(options.output)
        if options.overwrite and options.skip_existing:
            raise UsageError("--overwrite and --skip-existing contradict each other: give only one of them.")
        sets = find_sets(names, notify, null=options.null)
        self._sets: dict[Path, FrameSet] = {}
        self._failed: dict[Path, PhotoUnreadableError] = {}
        for frames in sets:
            target = target_folder(frames, self.recipe.task, options.output, len(sets))
            if file_identity(target) in {file_identity(path.parent) for path in frames.paths}:
                raise UsageError(f"{target} holds the frames of {frames.name}: choose another --output.")
            if target in self._sets:
                raise UsageError(f"{frames.name} and another sequence would both be written to {target}.")
            require_folders([target])
            self._sets[target] = frames
        self._check_report()
        self.jobs = [self._resolved(target, frames) for target, frames in self._sets.items()]
        if options.report:
            require_report(options.report, create=not options.dry_run)
        if options.dry_run:
            from relight_cli.sequences.dry_run import print_plan

            return print_plan(self.jobs, self.files, options)
        if all(job.skip for job in self.jobs):
            report_skipped(self.jobs, self.recipe, None)
            return False
        current().has_parts = True
        current().stage("loading the network")
        return True

    def _check_report(self) -> None:
        """Raise UsageError for a report that is another file of the run, or a file with other content."""
        if self.options.report:
            photos = [path for frames in self._sets.values() for path in frames.paths]
            frames = [path for target, frames in self._sets.items() for path in (target, *frames.targets(target))]
            check_report(self.options.report, [*photos, *self.files.values(), *frames])

    def _resolved(self, target: Path, frames: FrameSet) -> Job:
        """Return the job of a sequence; skipped if its frames are current. Raises OutputUnwritableError."""
        job, targets = Job(frames.name, target), frames.targets(target)
        existing = [path for path in targets if os.path.lexists(path)]
        if existing and self.options.skip_existing:
            if len(existing) == len(targets) and self._is_current(frames, target):
                return replace(job, skip=True)
            touched = [path for path in existing if not self.recipe.is_untouched(path)]
            if touched:
                notifier(self.options.quiet)(
                    f"{touched[0]}: left as it is, with all its sequence, because it is not as relight-cli wrote it; "
                    "--overwrite replaces them."
                )
                return replace(job, skip=True)
        elif existing and not self.options.overwrite and not Parts(target, "").has_begun:
            more = f" and {len(existing) - 1} more frames exist" if existing[1:] else " exists"
            raise OutputUnwritableError(
                f"{existing[0]}{more}: give --overwrite or --skip-existing, or another --output."
            )
        return job

    def _is_current(self, frames: FrameSet, target: Path) -> bool:
        inputs = _Inputs.of(frames)
        return self.recipe.has_all_hashes() and all(
            self.recipe.recorded(path) == self.recipe.provenance(inputs.frame(number)).parameters()
            for number, path in enumerate(frames.targets(target))
        )

    def _recheck(self, job: Job) -> Job:
        return replace(job, skip=self._is_current(self._sets[job.target], job.target))

    def _make(self, change: Change[Result], fallback: MemoryFallback, job: Job) -> ReportEntry:
        frames, options = self._sets[job.target], self.options
        inputs, targets = _Inputs.of(frames), frames.targets(job.target)
        light = self._light(job, change, fallback)
        make_folder(job.target)
        plan = json.dumps([__version__, self.recipe.provenance(inputs.frame(0)).parameters(), PART])
        parts = Parts(job.target, plan)
        begin = parts.begin()
        made = begin.number
        run = _Frames(frames, options, self._fail)
        try:
            for frame, photo, key in lit_photos(light, run.read(begin.number), self._mask.for_photo, begin.stops):
                if key and frame.number - made >= PART:
                    parts.add([], Resumed(frame.number, key.stops))
                    made = frame.number
                self._write(frame.number, photo, inputs, targets)
                current().step(str(job.source), frame.number + 1, len(targets), "frame")
        except PhotoUnreadableError:
            if not any(map(os.path.lexists, targets)):  # else the same command goes on, once its frames are mended
                parts.remove()
            raise
        parts.remove()
        if not options.report:
            return {}
        entries = [
            output_entry(path, self.recipe.provenance(inputs.frame(number)).parameters())
            for number, path in enumerate(targets)
            if frames.paths[number] not in self._failed
        ]
        return {"more_outputs": entries}

    def _fail(self, path: Path, error: PhotoUnreadableError) -> None:
        """Print that a frame cannot be read, once."""
        if path not in self._failed:
            self._failed[path] = error
            say(str(error))

    def run(self, *arguments: Any) -> None:
        """Make every sequence; frames that cannot be read are left out and end the command with exit code 23."""
        super().run(*arguments)
        if self._failed:
            say(f"{len(self._failed)} of the frames cannot be read; the others are made.")
            raise typer.Exit(ExitCode.SOME_FAILED)

    def _write(self, number: int, photo: Any, inputs: "_Inputs", targets: tuple[Path, ...]) -> None:
        from relight_cli.photos.writing import write_photo

        signed, notes = self.recipe.sign(photo, inputs.frame(number))
        quality, effort = self.options.quality, self.options.effort
        for note in notes + write_photo(signed, targets[number], quality=quality, effort=effort, overwrite=True):
            notifier(self.options.quiet)(f"{targets[number]}: {note}")

    def _trial(self, job: Job, change: Change[Result], fallback: MemoryFallback) -> "Trial":
        from relight_cli.sequences.dry_run import Trial

        frames = self._sets[job.target]
        name = f"{frames.name}: {len(frames.paths)} frames"
        first = next(_Frames(frames, self.options, lambda path, error: None).read(0))
        return Trial(name, first, len(frames.paths), self._light(job, change, fallback))

    def _unfit(self) -> dict[str, object]:
        options = self.options
        return {
            "--codec": options.codec,
            "--crf": options.crf is not None,
            "--shard": options.shard,
            "--recursive": options.recursive,
        }


@dataclass(frozen=True)
class _Inputs:
    """Hashes of what the frames of a sequence are made from."""

    own: tuple[str | None, ...]
    all: str

    @classmethod
    def of(cls, frames: FrameSet) -> "_Inputs":
        own = tuple(sha256_of(path) for path in frames.paths)
        return cls(own, hashlib.sha256(json.dumps(own).encode()).hexdigest())

    def frame(self, number: int) -> dict[str, object]:
        """Return what one frame is made from; its light also depends on the others."""
        return {"photo": self.own[number], "sequence": self.all}


@dataclass(frozen=True)
class _Frames:
    """Reads the frames of a sequence."""

    frames: FrameSet
    options: LightCommandOptions
    failed: Callable[[Path, PhotoUnreadableError], None]

    def read(self, first: int) -> Iterator[PhotoFrame]:
        """Yield the frames from one on that can be read.

        Raises PhotoUnreadableError if there is none, and for one of another size than the first.
        """
        size: tuple[int, ...] = next(self._readable(0))[1].pixels.shape[:2] if first else ()
        for number, photo in self._readable(first):
            own = photo.pixels.shape[:2]
            size = size or own
            if own != size:
                sizes = f"{own[1]} x {own[0]} pixels, the first frame {size[1]} x {size[0]}"
                raise PhotoUnreadableError(f"{self.frames.paths[number]} has {sizes}: bring the frames to one size.")
            frame = PhotoFrame(number, photo)
            _ = frame.picture  # made in the reader's thread
            yield frame

    def _readable(self, first: int) -> Iterator["tuple[int, Photo]"]:
        """Yield the numbers and photos from one on; the others are passed to `failed`."""
        from relight_cli.photos.reading import read_photo

        none = first == 0
        for number, path in enumerate(self.frames.paths[first:], first):
            try:
                photo = read_photo(path, max_pixels=self.options.max_pixels, input_colour=self.options.input_colour)
            except PhotoUnreadableError as error:
                self.failed(path, error)
                continue
            none = False
            yield number, photo
        if none:
            raise PhotoUnreadableError(f"{self.frames.name}: none of its frames can be read: copy them again.")
