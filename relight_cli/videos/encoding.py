"""Encode frames of a video, a part at a time: each part begins with a frame that needs no other."""

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.videos.codecs import Encoding, Samples
from relight_cli.videos.decoding import Decoded, import_extra
from relight_cli.videos.facts import VideoFacts
from relight_cli.videos.names import VideoCodec
from relight_cli.videos.packets import EncodedFrame
from relight_cli.videos.priorities import ordinary_priorities
from relight_cli.videos.samples import frame_of_samples, state_samples

_FULL, _LIMITED = 2, 1  # color_range of FFmpeg; luma 0 to 255, 16 to 235
_BT709 = 1


def add_stream(file: Any, encoding: Encoding, facts: VideoFacts) -> Any:
    """Add the stream of encoded frames to an output container of PyAV, and return it."""
    stream = file.add_stream(encoding.encoder, facts.rate.limit_denominator(1001), options=dict(encoding.options))
    _configure(stream.codec_context, encoding, facts)
    stream.time_base = facts.clock
    tag_codec(stream, encoding, file)
    if facts.matrix:
        stream.set_display_matrix(facts.matrix)
    return stream


def tag_codec(stream: Any, encoding: Encoding, file: Any) -> None:
    """Give the stream of an output container the tag by which players know its codec."""
    if encoding.codec == VideoCodec.H265 and file.format.name != "matroska":
        stream.codec_context.codec_tag = "hvc1"  # Apple's players know no other


def quiet_encoders() -> None:
    """Keep SVT-AV1, which writes to stderr by itself, to errors."""
    os.environ.setdefault("SVT_LOG", "1")


class PartEncoder:
    """Encodes the frames of one part."""

    def __init__(self, encoding: Encoding, facts: VideoFacts) -> None:
        av = import_extra("av")
        quiet_encoders()
        context = av.CodecContext.create(encoding.encoder, "w")
        context.options = dict(encoding.options)
        context.framerate = facts.rate.limit_denominator(1001)
        _configure(context, encoding, facts)
        context.flags |= av.codec.context.Flags.global_header  # as in the containers
        self._context, self._clock = context, facts.clock
        self._packets: list[Any] = []

    def add(self, frame: Any, time: int) -> None:
        """Take a frame that `stored_frame` has made, shown from `time` on."""
        frame.pts, frame.time_base = time, self._clock
        with ordinary_priorities():  # the first frame opens the encoder
            self._packets += self._context.encode(frame)

    def finish(self) -> Iterator[tuple[int, bool, bytes]]:
        """Yield time, whether a decoder can start here, and data of all frames."""
        for packet in [*self._packets, *self._context.encode(None)]:
            yield packet.pts, packet.is_keyframe, bytes(packet)


def with_durations(frames: list[tuple[int, bool, bytes]], end: int) -> Iterator[EncodedFrame]:
    """Yield encoded frames, each shown until the next one, the last until `end`."""
    for number, (time, is_key, data) in enumerate(frames):
        after = frames[number + 1][0] if number + 1 < len(frames) else end
        yield EncodedFrame(time, max(1, after - time), is_key, data)


def stored_frame(lit: NDArray[np.uint16], own: Decoded, encoding: Encoding, facts: VideoFacts) -> Any:
    """Return a frame in another light (H, W, 3), with the numbers of `Decoded.rgb`, in the pixel format of an encoding.

    It is the frame's own samples plus their change, so that a sample whose light does not change stays as it is, though
    colours are stored for several pixels.
    """
    if encoding.samples != Samples.YUV:
        return frame_of_samples(lit, own.colour.white, encoding)
    made = _in_format(lit, encoding, facts)
    if own.frame is None or own.colour.matrix is None:
        return made
    before, kept = _in_format(own.rgb, encoding, facts), own.frame
    if kept.format.name.replace("yuvj", "yuv") != encoding.pixel_format:
        kept = kept.reformat(format=encoding.pixel_format)
    bits = made.format.components[0].bits
    for plane, old, stays in zip(made.planes, before.planes, kept.planes, strict=False):  # without transparency
        samples = _samples(plane, bits)
        new = samples.astype(np.int32) - _samples(old, bits) + _samples(stays, bits)
        samples[:] = np.clip(new, 0, (1 << bits) - 1, out=new)
    return made


def _samples(plane: Any, bits: int) -> NDArray:
    """Return the samples (h, w) of a plane, in its own memory."""
    rows = np.frombuffer(plane, np.uint16 if bits > 8 else np.uint8).reshape(plane.height, -1)
    return rows[:, : plane.width]


def _in_format(rgb: NDArray[np.uint16], encoding: Encoding, facts: VideoFacts) -> Any:
    """Return a frame (H, W, 3) in the pixel format of an encoding."""
    frame = import_extra("av").VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb48le")
    made = frame.reformat(
        format=encoding.pixel_format,
        dst_colorspace=facts.colour.matrix or _BT709,
        src_color_range=_FULL,
        dst_color_range=_FULL if facts.is_full_range else _LIMITED,
    )
    _state_colours(made, facts)  # some encoders believe the frame
    return made


def _configure(context: Any, encoding: Encoding, facts: VideoFacts) -> None:
    context.width, context.height = facts.width, facts.height
    context.pix_fmt, context.time_base = encoding.pixel_format, facts.clock
    if facts.aspect:
        context.sample_aspect_ratio = Fraction(facts.aspect)
    if facts.is_progressive:
        context.field_order = 1
    _state_colours(context, facts)
    state_samples(context, encoding)


def _state_colours(thing: Any, facts: VideoFacts) -> None:
    """Let an encoder or a frame state the colours of a video."""
    thing.color_primaries, thing.color_trc, matrix = facts.tags
    thing.colorspace = _BT709 if facts.colour.matrix is None else matrix
    thing.color_range = _FULL if facts.is_full_range else _LIMITED
