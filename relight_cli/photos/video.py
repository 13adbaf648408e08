"""Videos: read frame by frame through imageio's pyav plugin, written whole or not at all."""

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

# A quality that hides no grain of a photo. The fastest code that x264 has for a processor reads memory that nobody has
# written (with AVX-512 in core 165), and the same frames come out in other bytes; the code that is the same on all
# processors does not, and takes 8 % longer.
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


def _extra(name: str) -> ModuleType:
    """Import what the extra brings. Raises MissingExtraError."""
    from importlib import import_module

    try:
        import_module("av")
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"videos need more ({error}): pip install 'relight-cli[video]'.") from error


def require_video() -> None:
    """Raise MissingExtraError where videos can be neither read nor written."""
    _extra("imageio.v3")


@dataclass(frozen=True)
class Video:
    """What a video holds; every frame has been decoded once to find out."""

    path: Path
    count: int
    height: int  # of the upright frame
    width: int
    rate: float  # frames a second
    damage: str | None = None  # why it ends before its end


def open_video(path: Path, *, max_pixels: int) -> Video:
    """Decode a video once, to know how many frames can be had. Raises PhotoUnreadableError if there is none."""
    count, damage, shape = 0, None, (0, 0)
    frames = frames_of(path)
    try:
        for frame in frames:
            count, shape = count + 1, frame.shape[:2]
            if shape[0] * shape[1] > max_pixels:
                said = f"{path}: frames of {shape[1]} x {shape[0]} pixels are too large; raise --max-pixels."
                raise PhotoUnreadableError(said)
    except MissingExtraError:
        raise
    except PhotoUnreadableError as error:
        if not count or shape[0] * shape[1] > max_pixels:
            raise
        damage = str(error)
    if not count:
        raise PhotoUnreadableError(f"{path}: no frame can be decoded; copy the video again from its source.")
    with _opened(path) as file:
        rate = float(file.metadata().get("fps") or 25.0)
        declared = int(file.properties().shape[0]) or _frames_by_clock(file, count, rate)
    if damage is None and count < declared:
        damage = f"{path}: only {count} of {declared} frames can be decoded; copy the video again from its source."
    return Video(path, count, shape[0], shape[1], rate, damage)


def frames_of(path: Path) -> Iterator[Pixels]:
    """Yield the frames of a video, upright, one at a time. Raises PhotoUnreadableError, which names the frame."""
    number = 0
    with _opened(path) as file:
        turns = _quarter_turns(file)
    with _opened(path) as file:
        # By way of 16 bits: the straight way to 8 truncates, and loses 1.5 of 255 levels on the average.
        frames = file.iter(format="gbrp16le", thread_type="FRAME")
        while True:
            try:
                planes = next(frames, None)
            except Exception as error:  # decoders raise anything
                said = f"{path}: frame {number} cannot be decoded ({_one_line(error)}); copy the video again."
                raise PhotoUnreadableError(said) from error
            if planes is None:
                return
            rounded = ((planes[[2, 0, 1]].astype(np.uint32) + 128) >> 8).clip(max=255)  # white is 255 * 256
            yield np.ascontiguousarray(np.rot90(rounded.transpose(1, 2, 0).astype(np.uint8), turns))
            number += 1


def _frames_by_clock(file: Any, count: int, rate: float) -> int:
    """Tell how many frames a video should have whose header has no number (WebM, Matroska), but maybe a duration."""
    with contextlib.suppress(Exception):
        facts = file.metadata()
        hours, minutes, seconds = (float(part) for part in facts["DURATION"].split(":"))
        missing = 3600 * hours + 60 * minutes + seconds - float(file.metadata(index=count - 1)["time"])
        return count + round(missing * rate) - 1
    return count


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    imageio = _extra("imageio.v3")
    if not path.is_file():
        raise PhotoUnreadableError(f"{path}: no such file; check the path.")
    try:
        file = imageio.imopen(path, "r", plugin="pyav")  # a Path: a string could be an address on the network
    except Exception as error:  # decoders raise anything
        raise PhotoUnreadableError(f"{path}: not a video that can be read; convert it to MP4.") from error
    with file:
        yield file


def _quarter_turns(file: Any) -> int:
    """Tell how many quarter turns anticlockwise bring the frames upright (the matrix of ISO 14496-12, 8.3.2)."""
    with contextlib.suppress(Exception):
        matrix = struct.unpack("<9i", file.metadata(index=0)["DISPLAYMATRIX"])
        a, b = np.sign(matrix[0]), np.sign(matrix[1])
        return {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}.get((int(a), int(b)), 0)
    return 0


def recorded_recipe(path: Path) -> str | None:
    """Give what this tool wrote into a video of how it was made, if it did; see `Provenance.parameters`."""
    try:
        if path.suffix.lower() == ".gif":
            comment = read_comment(path)
        else:
            with _extra("av").open(path) as file:
                comment = {name.lower(): value for name, value in file.metadata.items()}.get("comment")
    except MissingExtraError:
        raise
    except Exception:  # noqa: BLE001  libraries raise anything; of what cannot be read nothing is known
        return None
    tool, _, more = (comment or "").partition(" ")
    return more.partition(" ")[2] or None if tool == TOOL else None


class VideoWriter:
    """A video being written to a path; it is a video only once `close` was called."""

    def __init__(self, path: Path, kind: str, height: int, width: int, rate: float, made: str | None = None) -> None:
        """Begin a video of a `kind` of CODECS, with frames (height, width, 3) at `rate` a second.

        `made`, in ASCII, tells how it is made; see `recorded_recipe`.
        """
        self._av = _extra("av")
        codec, self._pixel_format, options = CODECS[kind]
        self._even = self._pixel_format == "yuv420p"  # whose colours are stored by squares of four pixels
        # The index of an MP4 goes to its beginning, so that it plays while it loads; a WebM gets no random numbers.
        whole = {"movflags": "faststart"} if kind in (".mp4", ".mov") else {"fflags": "bitexact"}
        container = {".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".gif": "gif"}[kind]
        self._file = self._av.open(path, "w", format=container, container_options=whole)
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
        """Add a frame; an odd side grows by a pixel, the last one repeated, where the format stores even sizes."""
        frame = self._even_frame(pixels) if self._even else self._palette_frame(pixels)
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is held back, and the index."""
        self._file.mux(self._stream.encode(None))
        self._file.close()
        if self._comment and self._kind == ".gif":  # of which FFmpeg drops it
            add_comment(self._path, self._comment)

    def abandon(self) -> None:
        """Let go of the file, whatever is in it."""
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
        """Give a frame 256 colours of its own, dithered."""
        picture = Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        colours = np.zeros((256, 4), np.uint8)
        given = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        colours[: len(given), 1:], colours[:, 0] = given, 255  # alpha first
        return self._av.VideoFrame.from_ndarray((np.asarray(picture), colours), format="pal8")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
