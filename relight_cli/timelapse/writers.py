"""Write a timelapse: a folder of frames that can be resumed, or a video."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relight_cli.errors import OutputUnwritableError
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.outputs import state_of
from relight_cli.photos.effort import Effort

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.videos.writer import VideoOutput

JOURNAL = ".interpolate-timelapse"
Plan = dict[str, object]
"""Everything that the frames depend on."""


class Writer(Protocol):
    """Writes frames by number, in order."""

    path: Path  # the folder or the video
    targets: list[Path]  # every file that is written
    found: list[tuple[object, ...] | None]  # the states of the targets when the run was planned
    is_single_file: bool  # one file holds every frame

    def keep(self, targets: set[Path]) -> None:
        """Keep these files as they are; the other existing targets are made again."""
        ...

    @property
    def finished(self) -> bool:
        """Whether every file exists and is kept."""
        ...

    @property
    def other_frames(self) -> list[Path]:
        """Frames of other runs that could be mistaken for frames of this one."""
        ...

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise OutputUnwritableError if a file exists that may not be replaced, kept or resumed."""
        ...

    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> AbstractContextManager[None]:
        """Accept frames while the block runs; a single file records the recipe `made`, if there is one."""
        ...

    def is_made(self, number: int) -> bool:
        """Return whether a frame exists already and stays."""
        ...

    def adopt(self, number: int) -> None:
        """Keep a frame that another process has made."""
        ...

    def target(self, number: int) -> Path:
        """Return the file of a frame."""
        ...

    def copy(self, number: int, original: Path) -> bool:
        """Copy the file of an unchanged frame and return True; return False if only pixels can be written."""
        ...

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Write a frame; return notes on what was left out."""
        ...


class FolderWriter:
    """Numbered files in a folder, and a journal of the files that an unfinished run has made."""

    is_single_file = False

    def __init__(self, folder: Path, suffixes: list[str], *, quality: int, effort: Effort) -> None:
        """Plan a file for each suffix."""
        digits = max(4, len(str(len(suffixes))))
        self.path, self.quality, self.effort = folder, quality, effort
        self.targets = [folder / f"frame_{number:0{digits}}{suffix}" for number, suffix in enumerate(suffixes, 1)]
        self.found = [state_of(target) for target in self.targets]
        self._journal = folder / JOURNAL
        self._made: set[str] = set()
        self._kept: set[Path] | None = None

    def keep(self, targets: set[Path]) -> None:
        """Keep these frames as they are; the other existing ones are made again."""
        self._kept = targets

    @property
    def finished(self) -> bool:
        """Whether every frame exists and is kept."""
        return self._kept is not None and self._kept >= set(self.targets)

    @property
    def other_frames(self) -> list[Path]:
        """The frames of other runs in the folder."""
        return sorted(set(self.path.glob("frame_[0-9]*.*")) - set(self.targets))

    def refuse_existing(self, *, overwrite: bool, plan: Plan | None = None) -> None:
        """Raise OutputUnwritableError if frames exist that may not be replaced and are not of an unfinished run.

        Without a plan, any unfinished run counts; with a plan, only a run of that plan.
        """
        lines = self._journal_lines()
        resumable = lines[:1] == [_plan_hash(plan)] if plan else bool(lines)
        allowed = overwrite or self._kept is not None
        existing = [] if allowed or resumable else [t for t in self.targets if os.path.lexists(t)]
        if existing:
            more = f" and {len(existing) - 1} more frames exist" if existing[1:] else " exists"
            reason = f"{existing[0]}{more} and no unfinished run with the same options made them"
            raise OutputUnwritableError(f"{reason}: give --overwrite or --skip-existing, or another --output.")

    @contextlib.contextmanager
    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> Iterator[None]:
        """Accept frames while the block runs; frames that an unfinished run of the same plan made are kept."""
        self.refuse_existing(overwrite=overwrite, plan=plan)
        make_folder(self.path)
        lines = self._journal_lines()
        if lines[:1] == [_plan_hash(plan)] and self._kept is None:
            self._made = set(lines[1:])
        else:
            self._add_to_journal(_plan_hash(plan), restart=True)
            for target in sorted(self._kept or ()):  # so that a run that resumes this one keeps them too
                self._add_to_journal(target.name)
        yield
        self._journal.unlink(missing_ok=True)

    def is_made(self, number: int) -> bool:
        """Return whether a frame exists already and stays."""
        target = self.targets[number]
        return os.path.lexists(target) and target.name in self._made

    def adopt(self, number: int) -> None:
        """Keep a frame that another process has made."""
        self._add_to_journal(self.targets[number].name)

    def target(self, number: int) -> Path:
        """Return the file of a frame."""
        return self.targets[number]

    def copy(self, number: int, original: Path) -> bool:
        """Copy a file byte by byte and return True."""
        from relight_cli.photos.atomic_files import write_atomically

        write_atomically(self.targets[number], original.read_bytes(), overwrite=True)
        self._add_to_journal(self.targets[number].name)
        return True

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Write a photo; return notes on what was left out."""
        from relight_cli.photos.writing import write_photo

        # Files that may not be replaced were refused before. An interrupted run may have written this one unrecorded.
        target, quality = self.targets[number], self.quality
        notes = write_photo(photo, target, quality=quality, effort=self.effort, overwrite=True)
        self._add_to_journal(self.targets[number].name)
        return notes

    def _add_to_journal(self, line: str, *, restart: bool = False) -> None:
        try:
            with self._journal.open("w" if restart else "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            message = f"{self._journal}: cannot be written ({error.strerror}): choose another --output."
            raise OutputUnwritableError(message) from error
        self._made.add(line)

    def _journal_lines(self) -> list[str]:
        try:
            return self._journal.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []


class VideoFileWriter:
    """A video file, which exists only when it is complete."""

    is_single_file = True

    def __init__(self, path: Path, output: "VideoOutput") -> None:
        """Plan a video."""
        self.path, self.output = path, output
        self.targets, self.found = [path], [state_of(path)]
        self._kept: set[Path] | None = None

    def keep(self, targets: set[Path]) -> None:
        """Keep the video as it is if it is one of these, else it is made again."""
        self._kept = targets

    @property
    def finished(self) -> bool:
        """Whether the video exists and is kept."""
        return bool(self._kept)

    @property
    def other_frames(self) -> list[Path]:
        """Nothing: no other file can be mistaken for a part of a video."""
        return []

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise OutputUnwritableError if the video exists and may not be replaced."""
        if os.path.lexists(self.path) and not overwrite and self._kept is None:
            message = f"{self.path} exists: give --overwrite or --skip-existing, or another --output."
            raise OutputUnwritableError(message)

    @contextlib.contextmanager
    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> Iterator[None]:
        """Accept frames while the block runs; the video gets its name at the end, unless an exception is raised."""
        from relight_cli.photos.atomic_files import atomic_file
        from relight_cli.videos.writer import VideoWriter

        make_folder(self.path.parent)
        replaced = overwrite or self._kept is not None
        with atomic_file(self.path, overwrite=replaced) as temporary:
            self._writer = VideoWriter(temporary, self.output, made)
            self._notes = self._writer.notes
            try:
                yield
                self._writer.close()
            except BaseException:
                self._writer.abandon()
                raise

    def is_made(self, number: int) -> bool:
        """Return False: a video is always made from its beginning."""
        return False

    def adopt(self, number: int) -> None:
        """Do nothing: a video is made as a whole."""

    def target(self, number: int) -> Path:
        """Return the video's file."""
        return self.path

    def copy(self, number: int, original: Path) -> bool:
        """Return False: only pixels can be added to a video."""
        return False

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Add a photo's colours in sRGB; return a note if its pixels have another aspect than the video's."""
        from relight_cli.photos.shape import pixel_aspect
        from relight_cli.rasters.bit_depth import from_unit

        self._writer.add(from_unit(photo.to_srgb(), self.output.dtype))
        aspect, wanted = pixel_aspect(photo.metadata), self.output.pixel_aspect
        notes, self._notes = self._notes, ()
        if aspect == wanted:
            return notes
        return (*notes, f"frame {number + 1} has pixels of {ratio(aspect)}, the video has {ratio(wanted)}")


def ratio(aspect: Fraction) -> str:
    """Return the aspect of pixels for a message."""
    return f"{aspect.numerator}:{aspect.denominator}"


def _plan_hash(plan: Plan) -> str:
    return hashlib.sha256(json.dumps(plan, default=str, sort_keys=True).encode()).hexdigest()
