"""Find the frames of a timelapse, put them in order and read them one by one."""

import contextlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.jobs.inputs import STDIO, Source, expand_inputs
from relight_cli.jobs.objects import refuse_objects
from relight_cli.timelapse.name_order import NameOrder, name_order
from relight_cli.timelapse.video_frames import VideoFrames
from relight_cli.videos.names import READABLE_AND_GIF

if TYPE_CHECKING:
    from relight_cli.photos.capture_time import CaptureHeader
    from relight_cli.photos.colour_tags import InputColour
    from relight_cli.photos.photo import Photo
    from relight_cli.videos.timing import VideoTiming

Failed = Callable[[Path, Exception], None]


class Frames(Protocol):
    """Two or more frames of one size, in order."""

    height: int
    width: int
    times: list[float]  # strictly rising
    rate: float | None  # frames per second of a video
    order: str  # how the frames are ordered, for a message
    notes: tuple[str, ...]  # on what may not be as expected
    timing: "VideoTiming | None"  # of a video whose frames are not evenly spaced

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel divided by its height."""
        ...

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        ...

    def name(self, number: int) -> str:
        """Return the name of a frame in messages."""
        ...

    def suffix(self, number: int) -> str:
        """Return the suffix of the file that a frame becomes."""
        ...

    def path(self, number: int) -> Path:
        """Return the file that a frame comes from."""
        ...

    def original(self, number: int) -> Path | None:
        """Return the file that holds this frame alone and upright; None if there is none."""
        ...

    def taken(self, time: float, keyframe: int | None = None) -> float | None:
        """Return the capture time in seconds of a frame at one of `times` or between them; None if it is unknown.

        It is by the camera's clock at a keyframe: the one before that time, or the `keyframe` given.
        """
        ...

    def reader(self) -> Callable[[int], "Photo"]:
        """Return a function that reads a frame by number and raises PhotoUnreadableError; fast if numbers rise."""
        ...


def open_frames(
    inputs: "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]",
    *,
    recursive: bool = False,
    max_pixels: int = 500_000_000,
    input_colour: "InputColour" = None,
) -> Frames:
    """Open the frames of a sequence: photos, folders, globs, or one video. They are read when they are needed.

    Photos are ordered by capture time (in UTC if all say how far their clock is from it) if all have one, else by
    folder and by the numbers in their names, else as they are given (`name_order`). Raises UsageError for fewer than
    two frames or several sizes, PhotoUnreadableError for a file that cannot be read, MissingExtraError.
    """
    names = [inputs] if isinstance(inputs, str | os.PathLike) else inputs

    def fail(path: Path, error: Exception) -> None:
        raise error

    return find_frames(
        [os.fspath(name) for name in names],
        recursive=recursive,
        null=False,
        max_pixels=max_pixels,
        failed=fail,
        input_colour=input_colour,
    )


def find_frames(
    inputs: list[str],
    *,
    recursive: bool,
    null: bool,
    max_pixels: int,
    failed: Failed,
    input_colour: "InputColour" = None,
    notify: Callable[[str], None] = lambda note: None,
) -> Frames:
    """Return the frames of photos, folders and globs, or those of one video.

    A photo whose header cannot be read is left out and passed to `failed`. Raises UsageError for fewer than two frames
    or several sizes, PhotoUnreadableError for a video that cannot be read, MissingExtraError.
    """
    from relight_cli.videos.video import open_video

    refuse_objects(inputs, "a timelapse")  # before a bucket is listed
    sources = _without_stray_gifs(expand_inputs(inputs, recursive=recursive, null=null, notify=notify))
    refuse_objects((source.path for source in sources), "a timelapse")
    paths = [source.path for source in sources]
    if STDIO in paths:
        raise UsageError("a sequence cannot come from stdin: name its files.")
    videos = [path for path in paths if path.suffix.lower() in READABLE_AND_GIF]
    if not videos:
        return replace(PhotoFrames.open(name_order(sources), max_pixels, failed), input_colour=input_colour)
    if len(paths) > 1:
        raise UsageError(f"{videos[0]} is a video, but there are other inputs: name one video, or photos.")
    video = open_video(videos[0], max_pixels=max_pixels)
    if video.damage:
        failed(video.path, PhotoUnreadableError(video.damage))
    if video.count < 2:
        raise UsageError(f"{video.path} has one frame: a sequence needs two.")
    return VideoFrames(video)


def _without_stray_gifs(sources: list[Source]) -> list[Source]:
    """Return the inputs without the GIFs that a folder brings along with photos: a GIF is a video here."""
    strays = [source for source in sources if not source.named and source.path.suffix.lower() == ".gif"]
    return [source for source in sources if source not in strays or len(strays) == len(sources)]


@dataclass
class PhotoFrames:
    """Photos as frames."""

    paths: list[Path]
    height: int
    width: int
    turned: list[bool]  # by EXIF orientation
    times: list[float]
    start: float | None  # capture time of the first photo, if `times` are capture times; in UTC with `offsets`
    order: str
    max_pixels: int
    notes: tuple[str, ...] = ()
    offsets: list[float] | None = None  # seconds that the clock is ahead of UTC, if all photos say it
    rate: float | None = None
    timing: "VideoTiming | None" = None
    input_colour: "InputColour" = None

    @classmethod
    def open(cls, names: NameOrder, max_pixels: int, failed: Failed) -> "PhotoFrames":
        """Read the headers and order the photos: by capture time if all have one, else by name."""
        from relight_cli.photos.capture_time import read_header
        from relight_cli.timelapse.sequencing import keyframe_times

        found = []
        for path in names.paths:
            try:
                found.append((path, read_header(path)))
            except PhotoUnreadableError as error:
                if len(names.paths) == 1:
                    raise
                failed(path, error)
        if len(names.paths) < 2:
            raise UsageError(f"{names.paths[0]} is one photo: a sequence needs two or more.")
        if len(found) < 2:
            message = f"only {len(found)} of {len(names.paths)} photos can be read: a sequence needs two."
            raise PhotoUnreadableError(message)
        headers = [header for _, header in found]
        by_time = all(header.taken is not None for header in headers)
        by_utc = by_time and all(header.offset is not None for header in headers)
        if by_time:  # the sort is stable: equal times keep the order of names
            found.sort(key=lambda photo: _seconds(photo[1], by_utc) or 0.0)
            headers = [header for _, header in found]
        _require_one_size([(path, (header.width, header.height)) for path, header in found])
        times, spaced = keyframe_times([_seconds(header, by_utc) for header in headers])
        return cls(
            [path for path, _ in found],
            headers[0].height,
            headers[0].width,
            [header.turned for header in headers],
            times,
            _seconds(headers[0], by_utc) if spaced else None,
            _order_by_time(headers, spaced) if by_time else names.order,
            max_pixels,
            () if by_time else names.notes,
            [header.offset or 0.0 for header in headers] if by_utc else None,
        )

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel divided by its height, of the first photo that can be read."""
        return self._stored[0]

    @property
    def bits(self) -> int:
        """Bits of a sample of the first photo that can be read; 16 for floating point."""
        return self._stored[1]

    @cached_property
    def _stored(self) -> tuple[Fraction, int]:
        from relight_cli.photos.shape import pixel_aspect
        from relight_cli.videos.from_frames import bits_of

        read = self.reader()
        for number in range(len(self.paths)):
            with contextlib.suppress(PhotoUnreadableError):  # reported when its frame is made
                photo = read(number)
                return pixel_aspect(photo.metadata), bits_of(photo)
        return Fraction(1), 8

    def name(self, number: int) -> str:
        """Return the photo's file."""
        return str(self.paths[number])

    def suffix(self, number: int) -> str:
        """Return the photo's own suffix if its format can be written, else that of its replacement."""
        from relight_cli.photos.formats import output_suffix

        return output_suffix(self.paths[number])

    def path(self, number: int) -> Path:
        """Return the photo's file."""
        return self.paths[number]

    def original(self, number: int) -> Path | None:
        """Return the photo's file; None if it has to be turned or its format cannot be written."""
        path = self.paths[number]
        return None if self.turned[number] or self.suffix(number) != path.suffix else path

    def taken(self, time: float, keyframe: int | None = None) -> float | None:
        """Return the capture time of a frame at `time` by the clock at a keyframe; None if it is unknown."""
        if self.start is None:
            return None
        number = max(0, bisect_right(self.times, time) - 1) if keyframe is None else keyframe
        return self.start + time + (self.offsets[number] if self.offsets else 0.0)

    def reader(self) -> Callable[[int], "Photo"]:
        """Return a function that reads a photo by number."""
        from relight_cli.photos.reading import read_photo

        def read(number: int) -> "Photo":
            photo = read_photo(self.paths[number], max_pixels=self.max_pixels, input_colour=self.input_colour)
            size = photo.pixels.shape[:2]
            if size != (self.height, self.width):
                sizes = f"{size[1]} x {size[0]} pixels, the others {self.width} x {self.height}"
                raise PhotoUnreadableError(f"{self.paths[number]} has {sizes}: bring the frames to one size.")
            return photo

        return read


def _seconds(header: "CaptureHeader", by_utc: bool) -> float | None:
    """Return the capture time, in UTC or by the camera's clock."""
    return header.taken - (header.offset or 0.0) if by_utc and header.taken is not None else header.taken


def _order_by_time(headers: "list[CaptureHeader]", spaced: bool) -> str:
    order = "in order of capture time"
    known = [header.offset is not None for header in headers]
    if any(known) and not all(known):
        order += " by their clocks, since some do not say their time zone"
    return order if spaced else f"{order}, evenly spaced since some times are equal"


def _require_one_size(sizes: list[tuple[Path, tuple[int, int]]]) -> None:
    """Raise UsageError for the first frame that has not the most common size (of equally common ones, the first)."""
    all_sizes = [size for _, size in sizes]
    usual = max(dict.fromkeys(all_sizes), key=all_sizes.count)
    for path, size in sizes:
        if size != usual:
            pixels = f"{size[0]} x {size[1]} pixels, the others {usual[0]} x {usual[1]}"
            raise UsageError(f"{path} has {pixels}: bring the frames to one size, or leave it out.")
