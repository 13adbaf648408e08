"""Write a video frame by frame, from sRGB."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from relight_cli.photos.fingerprints import PENDING, fingerprint_of, seal
from relight_cli.photos.gif_comments import add_comment
from relight_cli.photos.metadata import SOFTWARE
from relight_cli.videos.codecs import Encoding, Samples
from relight_cli.videos.decoding import Pixels, import_extra, opened_video, shown_stream
from relight_cli.videos.encoding import quiet_encoders, tag_codec
from relight_cli.videos.muxing import FORMATS, copied_packets, copied_streams, kept_metadata, muxing_options
from relight_cli.videos.priorities import ordinary_priorities
from relight_cli.videos.samples import frame_of_samples, state_samples
from relight_cli.videos.timing import ticks_of

_CLOCKS = {".webm": 1000, ".gif": 100}  # ticks a second, by suffix
_BT709 = 1  # primaries, transfer and matrix of HD video (ITU-T H.273); players assume them
_LIMITED = 1  # luma 16 to 235
_WHITE = 255 * 256  # in the 16 bits that swscale takes


@dataclass(frozen=True)
class VideoOutput:
    """A video to write, apart from its frames."""

    kind: str  # the suffix of its container, in small letters
    height: int
    width: int
    rate: float  # frames a second
    encoding: Encoding
    times: Sequence[float] | None = None  # in seconds, of each frame, and the end of the last; None: evenly spaced
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel divided by its height
    source: Path | None = None  # a video whose metadata it keeps
    with_streams: bool = False  # it keeps the sound and subtitles of the source, too

    @property
    def dtype(self) -> np.dtype:
        """The type of its samples: of 16 bits if it stores more than 8."""
        return np.dtype(np.uint16 if self.encoding.is_deep else np.uint8)


class VideoWriter:
    """Writer of a video; the file is complete only after `close`."""

    def __init__(self, path: Path, output: VideoOutput, made: str | None = None) -> None:
        """Open a video. `made` is ASCII that records how it is made; `recorded_recipe` returns it."""
        self._av = import_extra("av")
        self._path, self._kind = path, output.kind
        self._comment = made and f"{SOFTWARE} {made}"
        self._opened = contextlib.ExitStack()
        try:
            self._open(output, made)
        except BaseException:
            self.abandon()
            raise

    def _open(self, output: VideoOutput, made: str | None) -> None:
        """Open the container, and the source, with all streams."""
        metadata = dict[str, str]()
        source = output.source if output.kind in FORMATS else None
        companion = self._opened.enter_context(opened_video(source)) if source else None
        if made:
            metadata = kept_metadata(companion.metadata if companion else {}, made)
        container, options = FORMATS.get(output.kind, "gif"), muxing_options(output.kind, metadata)
        file = self._av.open(self._path, "w", format=container, container_options=options)
        self._file = self._opened.enter_context(file)
        self._file.metadata.update(metadata)
        self._encoding, self._stream = output.encoding, self._add_stream(output)
        self._ticks: dict[int, int] | None = None
        if output.times:
            clock = _CLOCKS.get(output.kind, 90_000)
            self._ticks = ticks_of(output.times, clock)
            self._starts = iter(self._ticks)
            self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, clock)
        self.notes: tuple[str, ...] = ()
        self._others: Iterator[tuple[float, Any]] = iter(())
        if companion and output.with_streams:
            self._copy_streams(companion, named=bool(made))
        self._next_other = next(self._others, None)

    def _add_stream(self, output: VideoOutput) -> Any:
        """Add the stream of frames."""
        quiet_encoders()
        encoding, rate = output.encoding, Fraction(output.rate).limit_denominator(1001)
        stream = self._file.add_stream(encoding.encoder, rate, options=dict(encoding.options))
        across, down = encoding.step
        stream.width, stream.height = output.width + output.width % across, output.height + output.height % down
        stream.pix_fmt = encoding.pixel_format
        if encoding.codec:
            tag_codec(stream, encoding, self._file)
            _state_colours(stream.codec_context)
            state_samples(stream.codec_context, encoding)
        if output.pixel_aspect != 1:
            stream.codec_context.sample_aspect_ratio = output.pixel_aspect.limit_denominator(255)  # x264: 16 bits
        return stream

    def _copy_streams(self, source: Any, *, named: bool) -> None:
        """Add the sound and subtitles of an open video."""
        shown = shown_stream(source)
        copies, self.notes = copied_streams(source, self._file, shown.index, named=named)
        begin = float((shown.start_time or 0) * shown.time_base)  # frames begin at 0 here
        self._others = copied_packets(source, copies, begin)

    def add(self, pixels: Pixels) -> None:
        """Add a frame (H, W, 3) of 8 or 16 bits; where one colour is stored for several, odd sides become even."""
        frame = self._frame(pixels) if self._encoding.codec else self._palette_frame(pixels)
        if self._ticks:
            frame.pts, frame.time_base = next(self._starts), self._stream.codec_context.time_base
            frame.duration = self._ticks[frame.pts]
        self._mux(frame)

    @ordinary_priorities()  # the first frame opens the encoder
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
            self._opened.close()

    def _frame(self, pixels: Pixels) -> Any:
        if self._encoding.samples != Samples.YUV:
            return frame_of_samples(pixels, np.iinfo(pixels.dtype).max, self._encoding)
        (height, width), (across, down) = pixels.shape[:2], self._encoding.step
        padded = np.pad(pixels, ((0, height % down), (0, width % across), (0, 0)), "edge")
        form = "rgb24"
        if pixels.dtype == np.uint16:
            form, padded = "rgb48le", ((padded.astype(np.uint32) * _WHITE + 32767) // 65535).astype(np.uint16)
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format=form)
        made = frame.reformat(
            format=self._encoding.pixel_format, dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
        )
        _state_colours(made)  # ProRes believes the frame
        return made

    def _palette_frame(self, pixels: Pixels) -> Any:
        """Return a frame in 256 colours of its own, dithered."""
        picture = Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        argb = np.zeros((256, 4), np.uint8)
        palette = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        argb[: len(palette), 1:], argb[:, 0] = palette, 255
        return self._av.VideoFrame.from_ndarray((np.asarray(picture), argb), format="pal8")


def _state_colours(thing: Any) -> None:
    """Let an encoder or a frame state BT.709 in limited range."""
    thing.color_primaries = thing.color_trc = thing.colorspace = _BT709
    thing.color_range = _LIMITED
