"""Facts about a video that its output keeps: clock, rate, shape, colours, and what else is in its container."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from relight_cli.errors import PhotoUnreadableError
from relight_cli.videos.codecs import PixelFormat, Samples
from relight_cli.videos.colour import VideoColour
from relight_cli.videos.decoding import VideoReader, opened_video, require_frame_size, shown_stream
from relight_cli.videos.mastering import mastering_of
from relight_cli.videos.names import BROADCAST
from relight_cli.videos.shape import VideoShape

_FULL_RANGE = 2
_PROGRESSIVE = 1  # AVFieldOrder of FFmpeg; 0: unknown, above it: interlaced


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a video from its header and its first frame."""

    path: Path
    codec: str  # FFmpeg's name
    stored: PixelFormat
    height: int  # of a frame as it is stored, without what is cropped
    width: int
    shape: VideoShape
    colour: VideoColour
    tags: tuple[int, int, int]  # primaries, transfer and matrix of ITU-T H.273, as stated
    is_full_range: bool
    is_progressive: bool  # it says that its frames have no fields
    clock: Fraction  # seconds of a tick
    rate: Fraction  # frames a second
    aspect: Fraction | None  # of a stored pixel, if it is stated
    matrix: tuple[int, ...] | None  # by which players turn it (FFmpeg's display matrix)
    count: int  # of frames, by its header
    begin: int = 0  # ticks that become 0: the clock of a broadcast begins anywhere
    metadata: Mapping[str, str] = field(default_factory=dict)
    stream_metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mastering: str | None = None  # of HDR10, as an option of x265


def stored_as(path: Path) -> tuple[str, PixelFormat]:
    """Return the codec of a video (FFmpeg's name) and how it stores pixels, by its header."""
    with opened_video(path) as file:
        context = shown_stream(file).codec_context
        form = context.format
        return context.name, _pixel_format(form) if form else PixelFormat()


def read_facts(path: Path, *, max_pixels: int) -> VideoFacts:
    """Read the header and decode the first frame. Raises PhotoUnreadableError, MissingExtraError.

    A file that is cut off is refused here, if its index says so.
    """
    with opened_video(path) as file:
        stream = shown_stream(file)
        require_frame_size(path, stream, max_pixels)
        _require_whole(path, stream)
        own = (stream.codec_context.color_primaries, stream.codec_context.color_trc, stream.codec_context.colorspace)
        form = stream.codec_context.format
        aspect, rate = stream.sample_aspect_ratio, Fraction(stream.guessed_rate or 25)
        count = stream.frames or round(float((file.duration or 0) / 1_000_000) * float(rate))
        codec, clock = stream.codec_context.name, Fraction(stream.time_base or Fraction(1, 90_000))
        begin = round(Fraction(file.start_time or 0, 1_000_000) / clock) if path.suffix.lower() in BROADCAST else 0
        is_full = stream.codec_context.color_range == _FULL_RANGE
        fields = stream.codec_context.field_order
        metadata, own_metadata = dict(file.metadata), dict(stream.metadata)
        others = len(file.streams.video) > 1
    reader = VideoReader(path)
    first = next(reader.decoded(), None)
    if first is None or reader.shape is None:
        raise PhotoUnreadableError(f"{path}: no frame can be decoded; copy the video again from its source.")
    notes = tuple(reader.notes) + (("its other pictures and videos are left out",) if others else ())
    if fields > _PROGRESSIVE:
        notes += ("its two fields stay in their lines, but it no longer says that it is interlaced",)
    odd = bool(first.rgb.shape[0] % 2 or first.rgb.shape[1] % 2)
    return VideoFacts(
        path,
        codec,
        replace(_pixel_format(form), odd=odd) if form else PixelFormat(odd=odd),
        first.rgb.shape[0],
        first.rgb.shape[1],
        reader.shape,
        first.colour,
        (int(own[0]), int(own[1]), int(own[2])),
        is_full,
        fields == _PROGRESSIVE,
        clock,
        rate,
        aspect if aspect and aspect > 0 else None,
        reader.matrix,
        count,
        begin,
        metadata,
        own_metadata,
        notes,
        mastering_of(reader.sides),
    )


def _pixel_format(form: Any) -> PixelFormat:
    """Return the bits and the resolution of colours of a format; RGB has colours in full, grey in the least."""
    colours = [component for component in form.components if not component.is_alpha]
    bits = colours[0].bits
    if form.is_rgb or form.has_palette:
        return PixelFormat(bits, 0, 0, samples=Samples.RGB)
    if len(colours) == 1:
        return PixelFormat(bits, samples=Samples.GREY)
    across = round(colours[0].width / max(1, colours[1].width)) - 1
    down = round(colours[0].height / max(1, colours[1].height)) - 1
    return PixelFormat(bits, min(1, across), min(1, down))


def _require_whole(path: Path, stream: Any) -> None:
    """Raise PhotoUnreadableError if the index names bytes behind the end of the file."""
    size = path.stat().st_size
    entries = stream.index_entries
    cut = sum(entry.pos + entry.size > size for entry in entries)
    if cut:
        whole = f"only {len(entries) - cut} of {len(entries)} frames are in the file"
        raise PhotoUnreadableError(f"{path}: {whole}; copy the video again from its source.")
