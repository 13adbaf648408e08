"""Decode videos frame by frame through PyAV: upright, in sRGB."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import MissingExtraError, PhotoUnreadableError, one_line
from relight_cli.photos.video_colour import UnknownColoursError, colour_of, has_transparency, to_srgb
from relight_cli.photos.video_shape import VideoShape, shape_of
from relight_cli.photos.video_side_data import cropping_of, side_data_of

Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB-encoded


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
    declared: int = 0  # frames by the header
    duration: str | None = None  # as Matroska has it
    hidden: int = 0  # frames that an edit list cuts off
    slots: list[float] | None = None  # when the packets of an AVI begin, which has no times of frames
    shape: VideoShape | None = None
    times: list[float | None] = field(default_factory=list)
    last: float | None = None  # seconds for which the last frame is shown
    notes: dict[str, None] = field(default_factory=dict)

    def frames(self) -> Iterator[Pixels]:
        """Yield the frames, upright, in sRGB. Raises PhotoUnreadableError that names the frame."""
        with _opened_file(self.path) as file:
            stream = file.streams.video[0]
            stream.thread_type = "FRAME"
            self.rate, self.tick = float(stream.guessed_rate or 25.0), float(stream.time_base or 0)
            self.declared, self.duration = stream.frames, stream.metadata.get("DURATION")
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
                    pixels = self._upright(frame, tags, reformatter)
                except UnknownColoursError as error:
                    reason = f"its colours ({error}) cannot be converted; convert it to BT.709 with FFmpeg"
                    raise PhotoUnreadableError(f"{self.path}: {reason}.") from error
                except Exception as error:  # decoders raise anything
                    reason = f"frame {len(self.times)} cannot be decoded ({one_line(error)})"
                    raise PhotoUnreadableError(f"{self.path}: {reason}; copy the video again.") from error
                self.times.append(frame.time)
                yield pixels

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
        self.shape = shape_of(self.sides.get("DISPLAYMATRIX"), stream.sample_aspect_ratio, self.cropped, self.size)
        # FFmpeg's own decoders of VP8 and VP9 do not decode the transparency that WebM stores beside the frames.
        beside = {name.lower(): value for name, value in stream.metadata.items()}.get("alpha_mode") == "1"
        alpha = ("its transparency is left out",) if beside or has_transparency(frame, reformatter) else ()
        self.notes |= dict.fromkeys((*self.shape.notes, *alpha))

    def _upright(self, frame: Any, tags: tuple[int, int, int], reformatter: Any) -> Pixels:
        colour = colour_of(frame, self.sides, tags)
        if (frame.width, frame.height) != self.size:
            raise ValueError(f"it has {frame.width} x {frame.height} pixels, others {self.size[0]} x {self.size[1]}")
        self.notes |= dict.fromkeys(colour.notes)
        if colour.matrix is not None:
            frame.colorspace = colour.matrix
        # Through 16 bits: the direct conversion to 8 bits truncates, and loses 1.5 of 255 levels on average.
        rgb = reformatter.reformat(frame, format="gbrp16le").to_ndarray()
        assert self.shape is not None
        return self.shape.upright(to_srgb(rgb, colour))


@contextlib.contextmanager
def _opened_file(path: Path) -> Iterator[Any]:
    av = import_extra("av")
    if not path.is_file():
        raise PhotoUnreadableError(f"{path}: no such file; check the path.")
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))  # a name could be a URL
            container = opened.enter_context(av.open(file))
            _ = container.streams.video[0]
        except Exception as error:  # decoders raise anything
            raise PhotoUnreadableError(f"{path}: the video cannot be read; convert it to MP4.") from error
        yield container
