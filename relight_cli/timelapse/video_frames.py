"""The frames of a video, decoded when they are read."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.videos.video import Video

CACHED_FRAMES = 4  # last decoded frames of a video that can be read again without decoding from the start


class VideoFrames:
    """Frames of a video."""

    order = "of a video"

    def __init__(self, video: "Video") -> None:
        self.video, self.height, self.width = video, video.height, video.width
        self.rate: float | None = video.rate
        self.times = list(video.timing.times)
        self.timing = video.timing if video.timing.variable else None
        self.pixel_aspect, self.bits = video.pixel_aspect, video.bits
        self.notes = tuple(f"{video.path}: {note}." for note in video.notes)

    def name(self, number: int) -> str:
        """Return the video's file and the frame's number."""
        return f"{self.video.path}, frame {number}"

    def suffix(self, number: int) -> str:
        """Return .png: a video's frames become PNG files."""
        return ".png"

    def path(self, number: int) -> Path:
        """Return the video's file."""
        return self.video.path

    def original(self, number: int) -> Path | None:
        """Return None: no file holds the frame alone."""
        return None

    def taken(self, time: float, keyframe: int | None = None) -> float | None:
        """Return None: a video's frames have no capture times."""
        return None

    def reader(self) -> Callable[[int], "Photo"]:
        """Return a function that reads a frame by number; a frame before the cached ones is decoded from the start."""
        from relight_cli.photos.metadata import Metadata
        from relight_cli.photos.photo import Photo
        from relight_cli.photos.shape import Shape
        from relight_cli.videos.video import frames_of

        metadata = Metadata(shape=None if self.pixel_aspect == 1 else Shape(self.pixel_aspect))
        cached: deque[tuple[int, Photo]] = deque(maxlen=CACHED_FRAMES)
        deep = self.bits > 8
        frames = enumerate(frames_of(self.video.path, deep=deep))

        def read(number: int) -> Photo:
            """Return a frame; going back decodes the video again."""
            nonlocal frames
            if cached and number < cached[0][0]:
                cached.clear()
                frames = enumerate(frames_of(self.video.path, deep=deep))
            while not cached or cached[-1][0] < number:
                index, pixels = next(frames)
                cached.append((index, Photo(pixels, format="PNG", metadata=metadata)))
            return next(photo for index, photo in cached if index == number)

        return read
