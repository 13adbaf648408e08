"""A reference photo that is read in the background and released when it is not needed."""

import math
from concurrent.futures import Future
from pathlib import Path

from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.reading import read_in_background, read_input, require_openable
from relight_cli.photos.photo import Photo

KEPT_BYTES = 1 << 27  # a larger reference is released; 44 MP of 8 bits, read again in a second


class ReferencePhoto:
    """A reference photo that is read while torch is loaded.

    A large one is released after each use, since most runs need it once. For photos of another size it is read again.
    """

    def __init__(self, path: Path, options: CommandOptions) -> None:
        """Begin to read. Raises the errors of `read_photo` if the file cannot be opened."""
        require_openable(path, options)
        self.path, self.options = path, options
        self._read: Future[Photo] | None = read_in_background(path, options)

    def wait(self) -> None:
        """Wait until the photo is read. Raises the errors of `read_photo`."""
        if self._read:
            self._read.result()

    def notes(self) -> list[str]:
        """Return notes on transparent pixels, whose light counts too, and on samples that are no numbers."""
        from relight_cli.relighting.missing_samples import has_missing

        photo = self._read.result() if self._read else None
        found = []
        if photo and photo.alpha is not None and not photo.alpha.all():
            found.append("the colours of its transparent pixels count too; crop it to the part that shows the light")
        if photo and has_missing(photo):
            found.append("samples that are no numbers (NaN) get the light of the pixels around them")
        return [f"{self.path}: {note}" for note in found]

    def photo(self) -> Photo:
        """Return the photo; release it here if it is large."""
        photo = self._read.result() if self._read else read_input(self.path, self.options)
        size = math.prod(photo.pixels.shape) * photo.pixels.dtype.itemsize
        if size > KEPT_BYTES and self.path != STDIO:  # a pipe can be read once
            self._read = None
        return photo
