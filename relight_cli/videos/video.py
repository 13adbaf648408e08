"""Videos: what they are, their frames, and how this tool made them."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from relight_cli.errors import MissingExtraError, PhotoUnreadableError
from relight_cli.photos.gif_comments import read_comment
from relight_cli.photos.metadata import TOOL
from relight_cli.photos.special_files import require_no_special_file
from relight_cli.videos.decoding import (
    Pixels,
    VideoReader,
    import_extra,
    opened_video,
    require_frame_size,
    shown_stream,
)
from relight_cli.videos.timing import VideoTiming, timing_of


def require_video() -> None:
    """Raise MissingExtraError if the extra [video] is not installed."""
    import_extra("av")


@dataclass(frozen=True)
class Video:
    """Facts about a video, from decoding every frame once."""

    path: Path
    count: int  # of frames that can be decoded
    height: int  # of the upright frame
    width: int
    rate: float  # frames a second
    damage: str | None = None  # why there are fewer frames than the header says
    timing: VideoTiming = field(default_factory=lambda: VideoTiming((), 0.0))
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel of the upright frame divided by its height
    notes: tuple[str, ...] = ()  # on what is not kept as it is
    bits: int = 8  # of a sample


def open_video(path: Path, *, max_pixels: int) -> Video:
    """Decode a video once to count its frames. Raises PhotoUnreadableError if it has none or they are too large."""
    with opened_video(path) as file:
        require_frame_size(path, shown_stream(file), max_pixels)
    count, damage, shape = 0, None, (0, 0)
    reader = VideoReader(path)
    try:
        for frame in reader.frames():
            count, shape = count + 1, frame.shape[:2]
            if shape[0] * shape[1] > max_pixels:
                message = f"{path}: frames of {shape[1]} x {shape[0]} pixels are too large; raise --max-pixels."
                raise PhotoUnreadableError(message)
    except MissingExtraError:
        raise
    except PhotoUnreadableError as error:
        if not count or shape[0] * shape[1] > max_pixels:
            raise
        damage = str(error)
    if not count or reader.shape is None:
        raise PhotoUnreadableError(f"{path}: no frame can be decoded; copy the video again from its source.")
    missing = missing_frames(reader)
    if damage is None and missing:
        found = f"only {count} of {count + missing} frames can be decoded"
        damage = f"{path}: {found}; copy the video again from its source."
    timing = timing_of(reader.shown, reader.rate, reader.tick, reader.last)
    notes = (*reader.notes, *reader.damage_notes, *timing.notes)
    return Video(path, count, shape[0], shape[1], reader.rate, damage, timing, reader.shape.aspect, notes, reader.bits)


def missing_frames(reader: VideoReader) -> int:
    """Return how many frames a video lacks, by its header, after all that can be have been decoded."""
    count = len(reader.times)
    return max(0, (reader.expected or _frames_by_duration(reader, count)) - count)


def frames_of(path: Path, *, deep: bool = False) -> Iterator[Pixels]:
    """Yield the frames of a video, upright, in sRGB, of 16 bits if they are to be `deep`.

    Raises PhotoUnreadableError that names the frame.
    """
    return VideoReader(path).frames(deep=deep)


def has_more_streams(path: Path) -> bool:
    """Return whether a video has sound, subtitles or other streams."""
    with opened_video(path) as file:
        return any(stream.type != "video" for stream in file.streams)


def has_other_pictures(path: Path) -> bool:
    """Return whether a video has a cover picture or another video."""
    with opened_video(path) as file:
        return len(file.streams.video) > 1


def _frames_by_duration(reader: VideoReader, count: int) -> int:
    """Return the number of frames by duration if the header has no number (WebM, Matroska), else `count`."""
    with contextlib.suppress(Exception):
        hours, minutes, seconds = (float(part) for part in (reader.duration or "").split(":"))
        missing = 3600 * hours + 60 * minutes + seconds - (reader.times[-1] or 0.0)
        return count + round(missing * reader.rate) - 1
    return count


def recorded_recipe(path: Path) -> str | None:
    """Return the `Provenance.record` that this tool wrote into a video, None if it wrote none."""
    try:
        require_no_special_file(path)
        if path.suffix.lower() == ".gif":
            comment = read_comment(path)
        else:
            with import_extra("av").open(path) as file:
                comment = {name.lower(): value for name, value in file.metadata.items()}.get("comment")
    except MissingExtraError:
        raise
    except Exception:  # noqa: BLE001  libraries raise anything; a video that cannot be read has no record
        return None
    tool, _, rest = (comment or "").partition(" ")
    return rest.partition(" ")[2] or None if tool == TOOL else None
