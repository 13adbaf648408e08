"""JPEGs that Pillow does not read: more than 8 bits a channel, no end marker, and processes that nobody decodes."""

import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.photos.codecs import jpeg_trailers
from relight_cli.photos.codecs.decoded import UnsupportedError

_END = b"\xff\xd9"
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a segment
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # a marker with one, or of the start or the end
_BETWEEN_SCANS = (0xC4, 0xCC, *range(0xDA, 0xE0), *range(0xE0, 0xF0), 0xFE)
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_PROGRESSIVE = 0xC2
_FILLED = 8  # pixels in a row of the smallest block
_SEARCHED = 1 << 26  # bytes of metadata before the frame
# What follows the last code of whole scan data is never decoded, so the pixels are the same with each of these.
_TAILS = (bytes(256), b"\x55" * 256, b"\xaa" * 256, b"\x92\x49\x24" * 86)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_RESTARTS = b"".join(b"\xff%c" % (0xD0 + number % 8) + b"\x55" * 32 for number in range(16))


@dataclass
class Frame:
    """The frame header of a JPEG (ISO 10918-1, section B.2.2) and its scans (B.2.3)."""

    process: int = 0xC0  # the second byte of its marker
    bits: int = 8
    at: int = 0  # offset of the number of bits
    components: list[int] = field(default_factory=list)
    scans: list[tuple[tuple[int, ...], int, int, int]] = field(default_factory=list)  # components, from, to, low bit
    stop: int = 0  # offset of what follows the last scan
    has_end: bool = False  # that is the end marker

    @property
    def is_lossless(self) -> bool:
        return self.process in (0xC3, 0xC7, 0xCB, 0xCF)

    def refusal(self) -> str | None:
        """Return why no decoder here reads the picture, None if there is one."""
        if 0xC5 <= self.process <= 0xC7 or self.process >= 0xCD:
            return "it is a hierarchical JPEG, which nothing here decodes"
        if self.process == 0xCB:
            return "it is a lossless JPEG with arithmetic coding, which nothing here decodes"
        return None

    def has_all_coefficients(self) -> bool:
        """Return whether the scans hold all bits of all coefficients; a progressive JPEG refines them scan by scan."""
        if self.is_lossless:
            return set(self.components) <= {one for scan in self.scans for one in scan[0]}
        left = {component: set(range(64)) for component in self.components}
        for components, first, last, low in self.scans:
            for component in components if low == 0 else ():
                left.get(component, set()).difference_update(range(first, last + 1))
        return bool(left) and not any(left.values())


def read_frame(data: bytes) -> Frame | None:
    """Read the markers of a JPEG; None if it has no frame."""
    frame, at = None, 2
    while at + 2 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or not _SEGMENT.match(data, at):
            at = found.start() if (found := _SEGMENT.search(data, at + 1)) else len(data)
            continue
        if marker == 0xD9 or (frame and frame.scans and marker not in _BETWEEN_SCANS) or at + 4 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker in _FRAMES and frame is None and len(body) >= 6:
            frame = Frame(marker, body[0], at + 4, list(body[6 : 6 + 3 * body[5] : 3]))
        elif marker == 0xDA and frame is not None and body and len(body) >= 2 * body[0] + 4:
            count = body[0]
            first, last, bits = body[1 + 2 * count : 4 + 2 * count]
            frame.scans.append((tuple(body[1 : 1 + 2 * count : 2]), first, last, bits & 15))
        at += 2 + length
    if frame is not None:
        frame.stop, frame.has_end = min(at, len(data)), data[at : at + 2] == _END
    return frame


def read_start(file: BinaryIO) -> Frame | None:
    """Read the frame header of a file without its scans; None if there is none. Raises UnsupportedError."""
    file.seek(0)
    at, data = 2, file.read(1 << 16)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xF7:
            raise UnsupportedError("it is a JPEG-LS, which is not supported")
        if marker in _FRAMES or marker in (0xDA, 0xD9):
            break
        at += 2 + length
        if at + 64 > len(data) and len(data) < _SEARCHED:
            data += file.read(at + (1 << 16) - len(data))
    frame = read_frame(data[: at + 64]) if at + 4 <= len(data) else None
    if frame and (reason := frame.refusal()):
        raise UnsupportedError(reason)
    return frame


def decode_plain(data: bytes) -> NDArray[np.uint8]:
    """Decode the samples of a JPEG of 8 bits. Raises what Pillow raises."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image)


def decode_deep(data: bytes, frame: Frame) -> NDArray[np.uint16]:
    """Decode (H, W) or (H, W, 3) samples of more than 8 bits as stored. Raises UnsupportedError, ValueError."""
    kind = "lossless " if frame.is_lossless else ""
    if len(frame.components) not in (1, 3):
        raise UnsupportedError(f"it is a {kind}JPEG with {frame.bits} bits and {len(frame.components)} channels")

    def decode(jpeg: bytes) -> NDArray:
        try:
            return imagecodecs.jpeg8_decode(jpeg)
        except imagecodecs.Jpeg8Error as error:
            raise UnsupportedError(f"it is a {kind}JPEG with {frame.bits} bits a channel ({error})") from error

    whole = complete(data, decode)
    if whole is None:
        raise ValueError("its pixels are cut off")
    samples = decode(whole)
    if samples.dtype != np.uint16:
        raise UnsupportedError(f"it is a {kind}JPEG with {frame.bits} bits a channel")
    return samples


def as_8_bits(data: bytes, frame: Frame) -> bytes:
    """Return a JPEG of more than 8 bits with a header that says 8, so that Pillow reads its metadata."""
    return data[: frame.at] + b"\x08" + data[frame.at + 1 :]


def complete(data: bytes, decode: Callable[[bytes], NDArray]) -> bytes | None:
    """Return a JPEG with an end marker: itself, or with one instead of what follows whole scan data; None if it is cut.

    Raises what `decode` raises.
    """
    frame = read_frame(data)
    if frame is None or frame.has_end:
        return data
    if not frame.has_all_coefficients() or _is_cut(data[: frame.stop], decode):
        return None
    return data[: frame.stop].rstrip(b"\xff") + _END


def missing_scan_data(data: bytes, frame: Frame, samples: NDArray, decode: Callable[[bytes], NDArray]) -> str | None:
    """Return a note if scan data is missing or may be missing; decoders fill the rest of the picture.

    `samples` are the decoded pixels (H, W, C): with an end marker, only where they end in one colour the data is
    decoded again. Raises ValueError if scan data is missing in a file without an end marker.
    """
    found = read_frame(data)
    if found is None:
        return None
    scans = data[: found.stop]
    if not found.has_end:
        if not found.has_all_coefficients() or _is_cut(scans, decode):
            raise ValueError("its scan data is cut off")
        doubtful = jpeg_trailers.is_read_as_scan_data(scans, _still_decodes(scans, decode))
        return "it has no end marker, and its last part may be missing: what follows is read as a part of it" * doubtful
    if frame.process != _PROGRESSIVE and (samples[-1, -_FILLED:] != samples[-1, -1]).any():
        return None
    if found.has_all_coefficients() and not _is_cut(scans, decode, 2, data):
        return None
    return "its scan data ends early: a part of the picture is missing"


def _is_cut(
    scans: bytes, decode: Callable[[bytes], NDArray], tails: int = len(_TAILS), whole: bytes | None = None
) -> bool:
    """Return whether scan data needs more: cut data decodes to other pixels with other bytes behind it."""
    start = scans.rstrip(b"\xff")
    return not _decode_alike(decode, decode(whole or start + _END), start, tails)


def _still_decodes(scans: bytes, decode: Callable[[bytes], NDArray]) -> Callable[[int], bool]:
    """Return a function that says whether the first bytes of scan data decode to the same pixels as all."""
    first = decode(scans + _END)
    return lambda length: _decode_alike(decode, first, scans[:length].rstrip(b"\xff"), 2)


def _decode_alike(decode: Callable[[bytes], NDArray], first: NDArray, start: bytes, tails: int) -> bool:
    """Return whether scan data decodes to the same pixels with other bytes behind it."""
    behind = (_RESTARTS,) * bool(_RESTART.search(start)) + _TAILS[:tails]
    try:
        return all(np.array_equal(first, decode(start + tail + _END)) for tail in behind)
    except OSError:  # from Pillow
        return False
