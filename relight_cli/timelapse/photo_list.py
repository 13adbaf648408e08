"""Photos in memory as the frames of a sequence."""

from collections.abc import Callable, Sequence

from relight_cli.errors import UsageError
from relight_cli.photos.photo import Photo


class PhotoList:
    """Two or more photos of one size, at times 0, 1, 2 and so on. Raises UsageError for fewer or for several sizes."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        sizes = {photo.pixels.shape[:2] for photo in photos}
        if len(photos) < 2 or len(sizes) > 1:
            raise UsageError(
                f"{len(photos)} photos of {len(sizes)} sizes are not a sequence: give two or more of one size."
            )
        self._photos = photos
        self.height: int = photos[0].pixels.shape[0]
        self.width: int = photos[0].pixels.shape[1]
        self.times = [float(number) for number in range(len(photos))]

    def reader(self) -> Callable[[int], Photo]:
        """Return a function that returns a photo by number."""
        return self._photos.__getitem__
