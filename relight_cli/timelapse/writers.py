"""Where a timelapse is written: a folder of frames that can be resumed, or a video."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relight_cli.errors import OutputUnwritableError
from relight_cli.jobs.batch import make_folder

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo

JOURNAL = ".interpolate-timelapse"
Plan = dict[str, object]
"""All that the frames depend on."""


class Writer(Protocol):
    """What takes frames by number, in order."""

    path: Path  # the folder or the video
    targets: list[Path]  # all files that are written
    is_single_file: bool  # which holds every frame

    def keep(self, targets: set[Path]) -> None:
        """Leave these files as they are, and make those anew that exist beside them."""
        ...

    @property
    def finished(self) -> bool:
        """Tell whether every file is there and kept."""
        ...

    @property
    def other_frames(self) -> list[Path]:
        """List frames beside the targets that could be taken for some of them."""
        ...

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise OutputUnwritableError where something exists that may be neither replaced, kept nor gone on with."""
        ...

    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> AbstractContextManager[None]:
        """Let frames be taken while the block runs; `made` tells how they are made, if it is to be told."""
        ...

    def is_made(self, number: int) -> bool:
        """Tell whether a frame is there already."""
        ...

    def target(self, number: int) -> Path:
        """Tell the file that a frame goes to."""
        ...

    def copy(self, number: int, original: Path) -> bool:
        """Take the file of a frame that did not change; False if only its pixels can be taken."""
        ...

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Take a frame; give notes of what was left out."""
        ...


class FolderWriter:
    """Numbered files in a folder, and a journal that says which of them a run that was cut off had made."""

    is_single_file = False

    def __init__(self, folder: Path, suffixes: list[str], *, quality: int) -> None:
        """Plan a file for each suffix."""
        digits = max(4, len(str(len(suffixes))))
        self.path, self.quality = folder, quality
        self.targets = [folder / f"frame_{number:0{digits}}{suffix}" for number, suffix in enumerate(suffixes, 1)]
        self._journal = folder / JOURNAL
        self._made: set[str] = set()
        self._kept: set[Path] | None = None

    def keep(self, targets: set[Path]) -> None:
        """Leave these frames as they are, and make those anew that exist beside them."""
        self._kept = targets

    @property
    def finished(self) -> bool:
        """Tell whether every frame is there and kept."""
        return self._kept is not None and self._kept >= set(self.targets)

    @property
    def other_frames(self) -> list[Path]:
        """List the frames of other runs in the folder."""
        return sorted(set(self.path.glob("frame_[0-9]*.*")) - set(self.targets))

    def refuse_existing(self, *, overwrite: bool, plan: Plan | None = None) -> None:
        """Raise OutputUnwritableError where frames exist that no unfinished run made and that may not be touched.

        Without a plan any unfinished run will do; with one, only a run of the same plan.
        """
        lines = self._lines()
        resumable = lines[:1] == [_mark(plan)] if plan else bool(lines)
        settled = overwrite or self._kept is not None
        existing = [] if settled or resumable else [t for t in self.targets if os.path.lexists(t)]
        if existing:
            more = f" and {len(existing) - 1} more frames exist" if existing[1:] else " exists"
            said = f"{existing[0]}{more}, not of an unfinished run with the same options"
            raise OutputUnwritableError(f"{said}: give --overwrite or --skip-existing, or another --output.")

    @contextlib.contextmanager
    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> Iterator[None]:
        """Take frames while the block runs; what an unfinished run of the same plan made is kept."""
        self.refuse_existing(overwrite=overwrite, plan=plan)
        make_folder(self.path)
        lines = self._lines()
        if lines[:1] == [_mark(plan)] and self._kept is None:
            self._made = set(lines[1:])
        else:
            self._note(_mark(plan), anew=True)
            for target in sorted(self._kept or ()):  # if this is cut off, going on leaves them, too
                self._note(target.name)
        yield
        self._journal.unlink(missing_ok=True)

    def is_made(self, number: int) -> bool:
        """Tell whether a frame is there already."""
        target = self.targets[number]
        return os.path.lexists(target) and target.name in self._made

    def target(self, number: int) -> Path:
        """Tell the file that a frame goes to."""
        return self.targets[number]

    def copy(self, number: int, original: Path) -> bool:
        """Copy a file byte by byte."""
        from relight_cli.photos.atomic_files import write_atomically

        write_atomically(self.targets[number], original.read_bytes(), overwrite=True)
        self._note(self.targets[number].name)
        return True

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Write a photo."""
        from relight_cli.photos.writing import write_photo

        # What may not be replaced was refused at the start; a run that was cut off may have left this one unnoted.
        notes = write_photo(photo, self.targets[number], quality=self.quality, overwrite=True)
        self._note(self.targets[number].name)
        return notes

    def _note(self, line: str, *, anew: bool = False) -> None:
        try:
            with self._journal.open("w" if anew else "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            said = f"{self._journal}: cannot be written ({error.strerror}): choose another --output."
            raise OutputUnwritableError(said) from error
        self._made.add(line)

    def _lines(self) -> list[str]:
        try:
            return self._journal.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []


class VideoFileWriter:
    """A video, which is there only when it is whole."""

    is_single_file = True

    def __init__(self, path: Path, height: int, width: int, rate: float) -> None:
        self.path, self.height, self.width, self.rate = path, height, width, rate
        self.targets = [path]
        self._kept: set[Path] | None = None

    def keep(self, targets: set[Path]) -> None:
        """Leave the video as it is if it is among these, else make it anew."""
        self._kept = targets

    @property
    def finished(self) -> bool:
        """Tell whether the video is there and kept."""
        return bool(self._kept)

    @property
    def other_frames(self) -> list[Path]:
        """Tell that nothing could be taken for a part of a video."""
        return []

    def refuse_existing(self, *, overwrite: bool) -> None:
        """Raise OutputUnwritableError where the video exists and may not be replaced."""
        if os.path.lexists(self.path) and not overwrite and self._kept is None:
            said = f"{self.path} exists: give --overwrite or --skip-existing, or another --output."
            raise OutputUnwritableError(said)

    @contextlib.contextmanager
    def opened(self, plan: Plan, *, overwrite: bool, made: str | None) -> Iterator[None]:
        """Take frames while the block runs; without an exception the video gets its name at the end."""
        from relight_cli.photos.atomic_files import atomic_file
        from relight_cli.photos.video import VideoWriter

        make_folder(self.path.parent)
        replaced = overwrite or self._kept is not None
        with atomic_file(self.path, overwrite=replaced) as temporary:
            self._writer = VideoWriter(temporary, self.path.suffix.lower(), self.height, self.width, self.rate, made)
            try:
                yield
                self._writer.close()
            except BaseException:
                self._writer.abandon()
                raise

    def is_made(self, number: int) -> bool:
        """Tell that a video is made from its beginning."""
        return False

    def target(self, number: int) -> Path:
        """Tell the video's file."""
        return self.path

    def copy(self, number: int, original: Path) -> bool:
        """Tell that a video takes pixels only."""
        return False

    def write(self, number: int, photo: "Photo") -> tuple[str, ...]:
        """Add a photo's colours as sRGB in 8 bits."""
        import numpy as np

        from relight_cli.rasters.bit_depth import from_unit

        self._writer.add(from_unit(photo.to_srgb(), np.dtype(np.uint8)))
        return ()


def _mark(plan: Plan) -> str:
    return hashlib.sha256(json.dumps(plan, default=str, sort_keys=True).encode()).hexdigest()
