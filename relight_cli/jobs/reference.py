"""The photo whose light is wanted, held no longer than it is needed."""

import math
from concurrent.futures import Future
from pathlib import Path

from relight_cli.jobs.batch import begin_to_read
from relight_cli.jobs.inputs import STANDARD
from relight_cli.jobs.options import PhotoOptions
from relight_cli.photos.photo import Photo, read_photo
from relight_cli.rasters.rows import Rows

KEPT = 1 << 27  # bytes of a reference that stays, 44 MP of 8 bits; to read that much again costs a second


class Reference:
    """A reference that is read while torch is loaded.

    A large one is let go of each time it has been used: what the network made of it is all that most runs need. For
    photos of another size it is read again.
    """

    def __init__(self, path: Path, options: PhotoOptions) -> None:
        self.path, self.options = path, options
        self._read: Future[Photo] | None = begin_to_read(path, options)

    def wait(self) -> None:
        """Wait until it is read. Raises what `read_photo` does."""
        if self._read:
            self._read.result()

    def srgb(self) -> Rows:
        """Give its colours, for the caller alone where it is large."""
        photo = self._read.result() if self._read else read_photo(self.path, max_pixels=self.options.max_pixels)
        held = math.prod(photo.pixels.shape) * photo.pixels.dtype.itemsize
        if held > KEPT and self.path != STANDARD:  # what came through a pipe comes once
            self._read = None
        return photo.srgb
