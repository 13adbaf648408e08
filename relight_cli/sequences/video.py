"""Make one video in another light: decode, change, encode part by part, then write the file as a whole."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from relight_cli._version import __version__
from relight_cli.cores import Pool, available_cores, made_ahead
from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import Raster, to_array
from relight_cli.relighting.moving_light import Keyframe
from relight_cli.sequences.frames import VideoFrame, prefetched
from relight_cli.sequences.light import FrameLight
from relight_cli.sequences.parts import Parts, Resumed
from relight_cli.videos.codecs import Encoding
from relight_cli.videos.decoding import VideoReader, import_extra
from relight_cli.videos.encoding import PartEncoder, stored_frame, with_durations
from relight_cli.videos.facts import VideoFacts
from relight_cli.videos.muxing import mux_video
from relight_cli.videos.video import missing_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relight_cli.relighting.optical_flow import Maps

PART = 60  # frames from which a part ends with the next keyframe


@dataclass(frozen=True)
class VideoRun:
    """One video to make."""

    facts: VideoFacts
    encoding: Encoding
    light: FrameLight
    progress: Callable[[int, int], None]
    mask: Raster | None = None  # (H, W), as frames are stored

    def make(
        self, target: Path, made: str | None, *, named: bool = True, write: Callable[[Path], Any]
    ) -> tuple[str, ...]:
        """Write the video; return notes on what is not kept. Raises PhotoUnreadableError, OutputUnwritableError.

        `made` records how it is made, and is written into it with all metadata if it is `named`. `write` gives the
        context in which the target is written. What an earlier run with the same `made` has finished is not made again;
        None stands for nothing else.
        """
        parts = Parts(target, self._plan(made or uuid4().hex))
        try:
            damage = self._encode(parts)
            frames = parts.frames()
            with write(target) as temporary:
                notes = mux_video(temporary, target.suffix, frames, self.encoding, self.facts, made, named=named)
        except BaseException as error:
            if made is None or isinstance(error, PhotoUnreadableError):
                parts.remove()
            raise
        parts.remove()
        return (*damage, *notes)

    def _plan(self, made: str) -> str:
        libraries = import_extra("av").library_versions
        encoding = (self.encoding.encoder, self.encoding.pixel_format, sorted(self.encoding.options.items()))
        return json.dumps([__version__, made, encoding, sorted(libraries.items()), available_cores(), PART])

    def _encode(self, parts: Parts) -> tuple[str, ...]:
        """Encode every frame that is in no part yet; return a note if some are damaged."""
        begin = parts.begin()
        reader = VideoReader(self.facts.path)
        encoder, first = PartEncoder(self.encoding, self.facts), begin.number
        number, end = begin.number - 1, 0
        for frame, key, made in self._lit(reader, begin):
            if key and frame.number - first >= PART:
                after = Resumed(frame.number, key.stops)
                parts.add(with_durations(list(encoder.finish()), frame.time), after)
                encoder, first = PartEncoder(self.encoding, self.facts), frame.number
            encoder.add(made, frame.time)
            number, end = frame.number, frame.time
            self.progress(number + 1, max(self.facts.count, number + 1))
        self._require_all(reader)
        if number >= first:
            shown = reader.last or float(1 / self.facts.rate)
            end += max(1, round(shown / float(self.facts.clock)))
            parts.add(with_durations(list(encoder.finish()), end), Resumed(number + 1))
        return reader.damage_notes

    def _lit(self, reader: VideoReader, begin: Resumed) -> Iterator[tuple[VideoFrame, Keyframe | None, Any]]:
        """Yield frames from the first one that is missing on, with what the encoder takes."""

        def make(lit: "tuple[VideoFrame, Maps, Keyframe | None]") -> tuple[VideoFrame, Keyframe | None, Any]:
            frame, stops, key = lit
            return frame, key, stored_frame(frame.lit(stops, self.mask), frame.decoded, self.encoding, self.facts)

        pool = Pool(available_cores(), "gains")
        try:
            gains = self.light.gains(self._frames(reader, begin.number), begin.stops)
            yield from made_ahead(pool, make, gains, available_cores())
        finally:
            pool.shutdown(cancel_futures=True)

    def _frames(self, reader: VideoReader, first: int) -> Iterator[VideoFrame]:
        frames = islice(self.decoded(reader), first, None)
        yield from prefetched(frames)

    def decoded(self, reader: VideoReader) -> Iterator[VideoFrame]:
        """Yield the decoded frames, whose times rise."""
        tick, last = max(1, round(1 / self.facts.rate / self.facts.clock)), None
        for number, decoded in enumerate(reader.decoded()):
            time = None if decoded.time is None else decoded.time - self.facts.begin
            if last is not None and (time is None or time <= last):
                time = last + (tick if time is None else 1)
            last = time or 0
            frame = VideoFrame(number, last, decoded, self.facts.shape)
            _ = frame.picture  # made in the decoder's thread
            yield frame

    def _require_all(self, reader: VideoReader) -> None:
        count = len(reader.times)
        declared = missing_frames(reader)
        if declared:
            message = f"only {count} of {count + declared} frames can be decoded; copy the video again from its source."
            raise PhotoUnreadableError(f"{self.facts.path}: {message}")


def first_frame(video: VideoRun) -> VideoFrame:
    """Return the first frame of a video."""
    return next(video.decoded(VideoReader(video.facts.path)))


def stored_mask(facts: VideoFacts, mask_of: Callable[[Photo], Raster | None]) -> "NDArray[np.float32] | None":
    """Return a mask as frames are stored; `mask_of` returns it, if there is one, for an upright frame."""
    upright = facts.shape.turned(np.broadcast_to(np.uint8(0), (facts.height, facts.width, 3)))
    mask = mask_of(Photo(upright))
    return None if mask is None else facts.shape.turned_back(to_array(mask)[..., None])[..., 0]
