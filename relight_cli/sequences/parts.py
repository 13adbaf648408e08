"""The finished parts of a video that is being made: a hidden folder next to it, so that a killed run goes on there."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relight_cli.errors import OutputUnwritableError
from relight_cli.photos.atomic_files import atomic_file, write_atomically
from relight_cli.relighting.optical_flow import Maps
from relight_cli.videos.packets import EncodedFrame, read_frames, write_frames


@dataclass(frozen=True)
class Resumed:
    """Where a run goes on: the number of the next frame, and its gain."""

    number: int = 0
    stops: Maps | None = None


class Parts:
    """The parts of one video. All methods raise OutputUnwritableError."""

    def __init__(self, target: Path, plan: str) -> None:
        """Take the video, and all that its frames depend on as text; parts of another plan are removed."""
        digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
        self._folder = target.with_name(f".relight-cli-{digest}.parts")
        self._plan = hashlib.sha256(plan.encode()).hexdigest()
        self._count = 0

    @property
    def has_begun(self) -> bool:
        """Whether an earlier run has left parts, of any plan."""
        return (self._folder / "plan").is_file()

    def begin(self) -> Resumed:
        """Return where to go on; the beginning if there is nothing of this plan."""
        name = self._folder / "plan"
        if not name.is_file() or name.read_text(encoding="ascii", errors="replace") != self._plan:
            self.remove()
            try:
                self._folder.mkdir(parents=True)
            except OSError as error:
                message = f"{self._folder}: the folder cannot be created ({error.strerror}): choose another --output."
                raise OutputUnwritableError(message) from error
            write_atomically(name, self._plan.encode(), overwrite=True)
        resumed = Resumed()
        while (found := self._state(self._count)) is not None:
            resumed, self._count = found, self._count + 1
        return resumed

    def add(self, frames: Iterable[EncodedFrame], after: Resumed) -> None:
        """Add a part; `after` is where the next one begins."""
        write_frames(self._frames(self._count), frames)
        stops = np.zeros(0, np.float32) if after.stops is None else after.stops
        with atomic_file(self._states(self._count), overwrite=True) as temporary, temporary.open("wb") as file:
            np.savez(file, number=np.int64(after.number), stops=stops)
        self._count += 1

    def frames(self) -> Iterator[EncodedFrame]:
        """Yield the frames of all parts."""
        for number in range(self._count):
            yield from read_frames(self._frames(number))

    def remove(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _state(self, number: int) -> Resumed | None:
        if not self._frames(number).is_file() or not self._states(number).is_file():
            return None
        with np.load(self._states(number)) as state:
            return Resumed(int(state["number"]), state["stops"])

    def _frames(self, number: int) -> Path:
        return self._folder / f"{number:05}.frames"

    def _states(self, number: int) -> Path:
        return self._folder / f"{number:05}.npz"
