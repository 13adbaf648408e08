"""Videos: read and written frame by frame through PyAV."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relight_cli.errors import MissingExtraError, PhotoUnreadableError
from relight_cli.photos.fingerprints import PENDING, fingerprint_of, seal
from relight_cli.photos.gif_comments import add_comment, read_comment
from relight_cli.photos.metadata import SOFTWARE, TOOL
from relight_cli.photos.special_files import require_no_special_file
from relight_cli.videos.decoding import Pixels, VideoReader, import_extra, opened_video, shown_stream
from relight_cli.videos.muxing import FORMATS, copied_packets, copied_streams, kept_metadata, muxing_options
from relight_cli.videos.names import READABLE as VIDEOS
from relight_cli.videos.timing import VideoTiming, ticks_of, timing_of

# crf 16 keeps the grain of a photo. x264's code for specific processors reads uninitialised memory (with AVX-512 in
# core 165), so that the same frames give different bytes; its code for all processors does not, and takes 8 % longer.
_H264 = {"crf": "16", "preset": "medium", "x264-params": "cpu-independent=1"}

# By suffix: codec, pixel format and options.
CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("libx264", "yuv420p", _H264),
    ".mov": ("libx264", "yuv420p", _H264),
    ".mkv": ("libx264", "yuv420p", _H264),
    ".webm": ("libvpx-vp9", "yuv420p", {"crf": "22", "b": "0", "row-mt": "1", "cpu-used": "4"}),
    ".gif": ("gif", "pal8", {}),
}
_DEEP = ("libx265", "yuv420p10le", {"crf": "18", "preset": "fast", "x265-params": "log-level=none:bframes=0"})
READABLE = (".gif", *VIDEOS)
WITHOUT_ASPECT = (".webm",)  # FFmpeg writes no aspect of pixels into it
_CLOCKS = {".webm": 1000, ".gif": 100}  # ticks a second, by suffix
_BT709 = 1  # primaries, transfer and matrix of HD video (ITU-T H.273); players assume them
_LIMITED = 1  # luma 16 to 235
_WHITE = 255 * 256  # in the 16 bits that swscale takes
_DEEP_KINDS = (".mp4", ".mov", ".mkv")


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
    notes = (*reader.notes, *timing.notes)
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


class VideoWriter:
    """Writer of a video; the file is complete only after `close`."""

    def __init__(
        self,
        path: Path,
        kind: str,
        height: int,
        width: int,
        rate: float,
        made: str | None = None,
        *,
        times: Sequence[float] | None = None,
        pixel_aspect: Fraction = Fraction(1),
        source: Path | None = None,
        with_streams: bool = False,
        deep: bool = False,
    ) -> None:
        """Open a video of a `kind` in CODECS, for frames (height, width, 3) at `rate` a second, 16-bit if `deep`.

        It has the metadata of its `source`, a video, if there is one, and with `with_streams` its sound and subtitles.

        `made` is ASCII that records how it is made; `recorded_recipe` returns it. With `times`, in seconds, each frame
        has its own; one more is the end of the last frame. `pixel_aspect` is the width of a pixel by its height.
        """
        self._av = import_extra("av")
        codec, self._pixel_format, options = _DEEP if deep and kind in _DEEP_KINDS else CODECS[kind]
        self._even = self._pixel_format.startswith("yuv420p")  # stores one colour for 2 x 2 pixels
        self._comment, metadata = made and f"{SOFTWARE} {made}", dict[str, str]()
        self._opened = contextlib.ExitStack()
        companion = self._opened.enter_context(opened_video(source)) if source and kind in FORMATS else None
        if made:
            metadata = kept_metadata(companion.metadata if companion else {}, made)
        options_of_file = muxing_options(kind, metadata)
        container = FORMATS.get(kind, "gif")
        self._file = self._av.open(path, "w", format=container, container_options=options_of_file)
        self._file.metadata.update(metadata)
        self._path, self._kind = path, kind
        tag = None
        if codec == "libx265" and kind != ".mkv":
            tag = "hvc1"  # Apple's players know no other
        if times and codec == "libx264":
            options = options | {"bf": "0"}  # durations in an MP4 are those of the order of decoding
        self._stream = self._file.add_stream(codec, Fraction(rate).limit_denominator(1001), options=options)
        self._stream.width = width + (width % 2 if self._even else 0)
        self._stream.height = height + (height % 2 if self._even else 0)
        self._stream.pix_fmt = self._pixel_format
        if tag:
            self._stream.codec_context.codec_tag = tag
        if pixel_aspect != 1:
            self._stream.codec_context.sample_aspect_ratio = pixel_aspect.limit_denominator(255)  # x264 stores 16 bits
        self._ticks: dict[int, int] | None = None
        if times:
            clock = _CLOCKS.get(kind, 90_000)
            self._ticks = ticks_of(times, clock)
            self._starts = iter(self._ticks)
            self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, clock)
        if self._even:
            context = self._stream.codec_context
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED
        self.notes: tuple[str, ...] = ()
        self._others: Iterator[tuple[float, Any]] = iter(())
        if companion and with_streams:
            self._copy_streams(companion, named=bool(made))
        self._next_other = next(self._others, None)

    def _copy_streams(self, source: Any, *, named: bool) -> None:
        """Add the sound and subtitles of an open video."""
        shown = shown_stream(source)
        copies, self.notes = copied_streams(source, self._file, shown.index, named=named)
        begin = float((shown.start_time or 0) * shown.time_base)  # frames begin at 0 here
        self._others = copied_packets(source, copies, begin)

    def add(self, pixels: Pixels) -> None:
        """Add a frame; a format with even sizes repeats the last pixel of an odd side."""
        frame = self._even_frame(pixels) if self._even else self._palette_frame(pixels)
        if self._ticks:
            frame.pts, frame.time_base = next(self._starts), self._stream.codec_context.time_base
            frame.duration = self._ticks[frame.pts]
        self._mux(frame)

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            if self._ticks:
                packet.duration = self._ticks[packet.pts]
            self._mux_others(float(packet.dts * packet.time_base))
            self._file.mux(packet)

    def _mux_others(self, until: float) -> None:
        """Write the packets of other streams up to a time in seconds."""
        while self._next_other and self._next_other[0] <= until:
            self._file.mux(self._next_other[1])
            self._next_other = next(self._others, None)

    def close(self) -> None:
        """Write the frames that the codec still holds, and the index."""
        self._mux(None)
        self._mux_others(math.inf)
        self._file.close()
        self._opened.close()
        if self._comment and self._kind == ".gif":  # FFmpeg does not write it into a GIF
            fingerprint = fingerprint_of(self._path.read_bytes())
            add_comment(self._path, self._comment.replace(PENDING, fingerprint))
        elif self._comment:
            with self._path.open("rb+") as file:
                seal(file)

    def abandon(self) -> None:
        """Close the file, complete or not, and ignore errors."""
        with contextlib.suppress(Exception):
            self._file.close()
        with contextlib.suppress(Exception):
            self._opened.close()

    def _even_frame(self, pixels: Pixels) -> Any:
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        form = "rgb24"
        if pixels.dtype == np.uint16:
            form, padded = "rgb48le", (padded.astype(np.uint32) * _WHITE // 65535).astype(np.uint16)
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format=form)
        return frame.reformat(
            format=self._pixel_format, dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
        )

    def _palette_frame(self, pixels: Pixels) -> Any:
        """Return a frame in 256 colours of its own, dithered."""
        picture = Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        argb = np.zeros((256, 4), np.uint8)
        palette = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        argb[: len(palette), 1:], argb[:, 0] = palette, 255
        return self._av.VideoFrame.from_ndarray((np.asarray(picture), argb), format="pal8")
