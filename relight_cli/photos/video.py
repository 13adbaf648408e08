"""Videos: read frame by frame through imageio's pyav plugin, written frame by frame through PyAV."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.errors import MissingExtraError, PhotoUnreadableError
from relight_cli.photos.gif_comments import add_comment, read_comment
from relight_cli.photos.metadata import SOFTWARE, TOOL

Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB-encoded

# crf 16 keeps the grain of a photo. x264's code for specific processors reads uninitialised memory (with AVX-512 in
# core 165), so that the same frames give different bytes; its code for all processors does not, and takes 8 % longer.
_H264 = {"crf": "16", "preset": "medium", "x264-params": "cpu-independent=1"}

# By suffix: codec, pixel format and options.
CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("libx264", "yuv420p", _H264),
    ".mov": ("libx264", "yuv420p", _H264),
    ".webm": ("libvpx-vp9", "yuv420p", {"crf": "22", "b": "0", "row-mt": "1", "cpu-used": "4"}),
    ".gif": ("gif", "pal8", {}),
}
READABLE = (*CODECS, ".mkv", ".avi", ".m4v", ".mts", ".mpg", ".mpeg", ".wmv")
_BT709 = 1  # primaries, transfer and matrix of HD video (ITU-T H.273); players assume them
_LIMITED = 1  # luma 16 to 235


def _import_extra(name: str) -> ModuleType:
    """Import a module of the extra [video]. Raises MissingExtraError."""
    from importlib import import_module

    try:
        import_module("av")
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"videos need an extra ({error}): pip install 'relight-cli[video]'.") from error


def require_video() -> None:
    """Raise MissingExtraError if the extra [video] is not installed."""
    _import_extra("imageio.v3")


@dataclass(frozen=True)
class Video:
    """Facts about a video, from decoding every frame once."""

    path: Path
    count: int  # of frames that can be decoded
    height: int  # of the upright frame
    width: int
    rate: float  # frames a second
    damage: str | None = None  # why there are fewer frames than the header says


def open_video(path: Path, *, max_pixels: int) -> Video:
    """Decode a video once to count its frames. Raises PhotoUnreadableError if it has none or they are too large."""
    count, damage, shape = 0, None, (0, 0)
    frames = frames_of(path)
    try:
        for frame in frames:
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
    if not count:
        raise PhotoUnreadableError(f"{path}: no frame can be decoded; copy the video again from its source.")
    with _opened_file(path) as file:
        rate = float(file.metadata().get("fps") or 25.0)
        declared = int(file.properties().shape[0]) or _frames_by_duration(file, count, rate)
    if damage is None and count < declared:
        damage = f"{path}: only {count} of {declared} frames can be decoded; copy the video again from its source."
    return Video(path, count, shape[0], shape[1], rate, damage)


def frames_of(path: Path) -> Iterator[Pixels]:
    """Yield the frames of a video, upright. Raises PhotoUnreadableError that names the frame."""
    number = 0
    with _opened_file(path) as file:
        turns = _quarter_turns(file)
    with _opened_file(path) as file:
        # Through 16 bits: the direct conversion to 8 bits truncates, and loses 1.5 of 255 levels on average.
        frames = file.iter(format="gbrp16le", thread_type="FRAME")
        while True:
            try:
                planes = next(frames, None)
            except Exception as error:  # decoders raise anything
                message = f"{path}: frame {number} cannot be decoded ({_one_line(error)}); copy the video again."
                raise PhotoUnreadableError(message) from error
            if planes is None:
                return
            rounded = ((planes[[2, 0, 1]].astype(np.uint32) + 128) >> 8).clip(max=255)  # white is 255 * 256
            yield np.ascontiguousarray(np.rot90(rounded.transpose(1, 2, 0).astype(np.uint8), turns))
            number += 1


def _frames_by_duration(file: Any, count: int, rate: float) -> int:
    """Return the number of frames by duration if the header has no number (WebM, Matroska), else `count`."""
    with contextlib.suppress(Exception):
        facts = file.metadata()
        hours, minutes, seconds = (float(part) for part in facts["DURATION"].split(":"))
        missing = 3600 * hours + 60 * minutes + seconds - float(file.metadata(index=count - 1)["time"])
        return count + round(missing * rate) - 1
    return count


@contextlib.contextmanager
def _opened_file(path: Path) -> Iterator[Any]:
    imageio = _import_extra("imageio.v3")
    if not path.is_file():
        raise PhotoUnreadableError(f"{path}: no such file; check the path.")
    try:
        file = imageio.imopen(path, "r", plugin="pyav")  # a Path, because a string could be a URL
    except Exception as error:  # decoders raise anything
        raise PhotoUnreadableError(f"{path}: the video cannot be read; convert it to MP4.") from error
    with file:
        yield file


def _quarter_turns(file: Any) -> int:
    """Return how many anticlockwise quarter turns make the frames upright (the matrix of ISO 14496-12, 8.3.2)."""
    with contextlib.suppress(Exception):
        matrix = struct.unpack("<9i", file.metadata(index=0)["DISPLAYMATRIX"])
        a, b = np.sign(matrix[0]), np.sign(matrix[1])
        return {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}.get((int(a), int(b)), 0)
    return 0


def recorded_recipe(path: Path) -> str | None:
    """Return the `Provenance.parameters` that this tool wrote into a video, None if it wrote none."""
    try:
        if path.suffix.lower() == ".gif":
            comment = read_comment(path)
        else:
            with _import_extra("av").open(path) as file:
                comment = {name.lower(): value for name, value in file.metadata.items()}.get("comment")
    except MissingExtraError:
        raise
    except Exception:  # noqa: BLE001  libraries raise anything; a video that cannot be read has no record
        return None
    tool, _, rest = (comment or "").partition(" ")
    return rest.partition(" ")[2] or None if tool == TOOL else None


class VideoWriter:
    """Writer of a video; the file is complete only after `close`."""

    def __init__(self, path: Path, kind: str, height: int, width: int, rate: float, made: str | None = None) -> None:
        """Open a video of a `kind` in CODECS, for frames (height, width, 3) at `rate` a second.

        `made` is ASCII that records how it is made; `recorded_recipe` returns it.
        """
        self._av = _import_extra("av")
        codec, self._pixel_format, options = CODECS[kind]
        self._even = self._pixel_format == "yuv420p"  # stores one colour for 2 x 2 pixels
        # faststart: an MP4 begins with its index and plays while it loads; bitexact: a WebM has no random numbers.
        muxing = {"movflags": "faststart"} if kind in (".mp4", ".mov") else {"fflags": "bitexact"}
        container = {".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".gif": "gif"}[kind]
        self._file = self._av.open(path, "w", format=container, container_options=muxing)
        self._comment = made and f"{SOFTWARE} {made}"
        if self._comment:
            self._file.metadata["comment"] = self._comment
        self._path, self._kind = path, kind
        self._stream = self._file.add_stream(codec, Fraction(rate).limit_denominator(1001), options=options)
        self._stream.width = width + (width % 2 if self._even else 0)
        self._stream.height = height + (height % 2 if self._even else 0)
        self._stream.pix_fmt = self._pixel_format
        if self._even:
            context = self._stream.codec_context
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED

    def add(self, pixels: Pixels) -> None:
        """Add a frame; a format with even sizes repeats the last pixel of an odd side."""
        frame = self._even_frame(pixels) if self._even else self._palette_frame(pixels)
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the frames that the codec still holds, and the index."""
        self._file.mux(self._stream.encode(None))
        self._file.close()
        if self._comment and self._kind == ".gif":  # FFmpeg does not write it into a GIF
            add_comment(self._path, self._comment)

    def abandon(self) -> None:
        """Close the file, complete or not, and ignore errors."""
        with contextlib.suppress(Exception):
            self._file.close()

    def _even_frame(self, pixels: Pixels) -> Any:
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
