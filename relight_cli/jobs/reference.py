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

    def note(self) -> str | None:
        """Return a note if the photo is transparent somewhere, since its light is taken from there, too."""
        alpha = self._read.result().alpha if self._read else None
        if alpha is None or alpha.all():
            return None
        return f"{self.path}: the colours of its transparent pixels count too; crop it to the part that shows the light"

    def photo(self) -> Photo:
        """Return the photo; release it here if it is large."""
        photo = self._read.result() if self._read else read_input(self.path, self.options)
        size = math.prod(photo.pixels.shape) * photo.pixels.dtype.itemsize
        if size > KEPT_BYTES and self.path != STDIO:  # a pipe can be read once
            self._read = None
        return photo
