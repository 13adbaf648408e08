"""Decode videos frame by frame through PyAV: upright, in sRGB."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import MissingExtraError, PhotoUnreadableError, one_line
from relight_cli.paths import is_file
from relight_cli.videos.colour import (
    UnknownColoursError,
    VideoColour,
    colour_of,
    has_transparency,
    to_deep_srgb,
    to_srgb,
)
from relight_cli.videos.shape import VideoShape, shape_of
from relight_cli.videos.side_data import cropping_of, side_data_of

_ATTACHED = 1 << 10  # a cover picture, not a video

Pixels = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W, 3), sRGB-encoded


@dataclass(frozen=True)
class Decoded:
    """A frame as it is stored, but for what the container crops."""

    rgb: NDArray[np.uint16]  # (H, W, 3) in the video's own colours, as swscale makes it; see `VideoColour.white`
    colour: VideoColour
    time: int | None  # in ticks of the stream's clock
    frame: Any  # PyAV's, in its own pixel format; None if it is cropped


def import_extra(name: str) -> ModuleType:
    """Import a module of the extra [video]. Raises MissingExtraError."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"videos need an extra ({error}): pip install 'relight-cli[video]'.") from error


@dataclass
class VideoReader:
    """Decodes a video and keeps what it says."""

    path: Path
    rate: float = 25.0
    tick: float = 0.0  # seconds
    bits: int = 8  # of a sample
    declared: int = 0  # frames by the header
    duration: str | None = None  # as Matroska has it
    hidden: int = 0  # frames that an edit list cuts off
    slots: list[float] | None = None  # when the packets of an AVI begin, which has no times of frames
    shape: VideoShape | None = None
    matrix: tuple[int, ...] | None = None  # the display matrix
    times: list[float | None] = field(default_factory=list)
    last: float | None = None  # seconds for which the last frame is shown
    damaged: int = 0  # frames that the decoder has guessed at
    notes: dict[str, None] = field(default_factory=dict)

    def frames(self, *, deep: bool = False) -> Iterator[Pixels]:
        """Yield the frames, upright, in sRGB, of 16 bits if they are to be `deep`.

        Raises PhotoUnreadableError that names the frame.
        """
        for decoded in self.decoded():
            assert self.shape is not None
            self.notes |= dict.fromkeys(decoded.colour.notes)
            convert = to_deep_srgb if deep else to_srgb
            yield self.shape.turned(convert(decoded.rgb, decoded.colour))

    def decoded(self) -> Iterator[Decoded]:
        """Yield the frames as they are stored. Raises PhotoUnreadableError that names the frame."""
        with opened_video(self.path) as file:
            stream = shown_stream(file)
            stream.thread_type = "FRAME"
            self.rate, self.tick = float(stream.guessed_rate or 25.0), float(stream.time_base or 0)
            self.declared, self.duration = stream.frames, stream.metadata.get("DURATION")
            form = stream.codec_context.format
            self.bits = form.components[0].bits if form else 8
            self.slots = [] if file.format.name == "avi" else None
            self.cropped = cropping_of(file, stream, import_extra("av"))
            tags = (stream.color_primaries, stream.color_trc, stream.colorspace)
            reformatter = import_extra("av.video.reformatter").VideoReformatter()
            frames = self._decoded(file, stream)
            while True:
                try:
                    frame = next(frames, None)
                    if frame is None:
                        return
                    if self.shape is None:
                        self._begin(frame, stream, reformatter)
                    decoded = self._decode(frame, tags, reformatter)
                except UnknownColoursError as error:
                    reason = f"its colours ({error}) cannot be converted; convert it to BT.709 with FFmpeg"
                    raise PhotoUnreadableError(f"{self.path}: {reason}.") from error
                except Exception as error:  # decoders raise anything
                    reason = f"frame {len(self.times)} cannot be decoded ({one_line(error)})"
                    raise PhotoUnreadableError(f"{self.path}: {reason}; copy the video again.") from error
                self.times.append(frame.time)
                self.damaged += bool(frame.is_corrupt)
                yield decoded

    @property
    def damage_notes(self) -> tuple[str, ...]:
        """Return a note on the frames decoded so far that are damaged, if there are any."""
        count = f"{self.damaged} of {len(self.times)}"
        return (f"frames that are damaged and show what the decoder guessed: {count}",) if self.damaged else ()

    @property
    def shown(self) -> list[float | None]:
        """Return the time in seconds at which each frame is shown, None for one that has none."""
        if self.slots is not None and len(self.slots) == len(self.times):
            return [*sorted(self.slots)]
        return self.times

    @property
    def expected(self) -> int:
        """Return the number of frames that the header promises, 0 if it has no number."""
        if self.slots and self.declared:  # an AVI also counts the empty packets between frames
            missing = self.declared * self.tick - (max(self.slots) + max(self.last or 0, 1 / self.rate))
            return len(self.times) + max(0, round(missing * self.rate))
        return max(0, self.declared - self.hidden)

    def _decoded(self, file: Any, stream: Any) -> Iterator[Any]:
        for packet in file.demux(stream):
            if packet.size:
                self.packet = packet
                self.hidden += packet.is_discard
                self.last = float(packet.duration * packet.time_base) if packet.duration else self.last
            if self.slots is not None and packet.size and packet.dts is not None:
                self.slots.append(float(packet.dts * packet.time_base))
            yield from packet.decode()

    def _begin(self, frame: Any, stream: Any, reformatter: Any) -> None:
        """Keep what the first frame says for all."""
        self.size = (frame.width, frame.height)
        self.sides = side_data_of(frame, self.packet, stream.codec_context.name, import_extra("av"))
        matrix = self.sides.get("DISPLAYMATRIX", b"")
        self.matrix = struct.unpack("<9i", matrix) if len(matrix) == 36 else None
        self.shape = shape_of(self.sides.get("DISPLAYMATRIX"), stream.sample_aspect_ratio, self.cropped, self.size)
        # FFmpeg's own decoders of VP8 and VP9 do not decode the transparency that WebM stores beside the frames.
        beside = {name.lower(): value for name, value in stream.metadata.items()}.get("alpha_mode") == "1"
        alpha = ("its transparency is left out",) if beside or has_transparency(frame, reformatter) else ()
        self.notes |= dict.fromkeys((*self.shape.notes, *alpha))

    def _decode(self, frame: Any, tags: tuple[int, int, int], reformatter: Any) -> Decoded:
        colour = colour_of(frame, self.sides, tags)
        if (frame.width, frame.height) != self.size:
            raise ValueError(f"it has {frame.width} x {frame.height} pixels, others {self.size[0]} x {self.size[1]}")
        if colour.matrix is not None:
            frame.colorspace = colour.matrix
        rgb = _rgb(frame, reformatter)
        assert self.shape is not None
        whole = None if any(self.shape.cropped) else frame
        return Decoded(self.shape.cropped_pixels(rgb), colour, frame.pts, whole)


def _rgb(frame: Any, reformatter: Any) -> NDArray[np.uint16]:
    """Return a frame as RGB (H, W, 3) of 16 bits, of which fewer bits are the upper ones."""
    form, bits = frame.format, frame.format.components[0].bits
    if form.is_rgb and form.is_planar and 8 < bits < 16:  # swscale changes their last bit
        return frame.to_ndarray()[..., :3] << (16 - bits)
    # Through 16 bits: the direct conversion to 8 bits truncates, and loses 1.5 of 255 levels on average.
    return reformatter.reformat(frame, format="gbrp16le").to_ndarray()


def shown_stream(file: Any) -> Any:
    """Return the stream of a container that players show. Raises IndexError if there is none."""
    pictures = [stream for stream in file.streams.video if not stream.disposition & _ATTACHED]
    return pictures[0]


def require_frame_size(path: Path, stream: Any, max_pixels: int) -> None:
    """Raise PhotoUnreadableError if frames have too many pixels by the header."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise PhotoUnreadableError(f"{path}: frames of {width} x {height} pixels are too large; raise --max-pixels.")


@contextlib.contextmanager
def opened_video(path: Path) -> Iterator[Any]:
    """Open the container of a video. Raises PhotoUnreadableError, MissingExtraError."""
    av = import_extra("av")
    if not is_file(path):
        raise PhotoUnreadableError(f"{path}: no such file; check the path.")
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))  # a name could be a URL
            container = opened.enter_context(av.open(file))
        except Exception as error:  # decoders raise anything
            reason = "the video cannot be read" if path.stat().st_size else "the file is empty"
            raise PhotoUnreadableError(f"{path}: {reason}; copy it again from its source.") from error
        try:
            shown_stream(container)
        except IndexError as error:
            raise PhotoUnreadableError(f"{path}: it has no moving picture; name a video.") from error
        yield container
