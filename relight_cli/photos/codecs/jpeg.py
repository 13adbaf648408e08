"""JPEGs that Pillow does not read: more than 8 bits a channel, no end marker, and processes that nobody decodes."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.photos.codecs.decoded import UnsupportedError

_END = b"\xff\xd9"
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a segment
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_PROGRESSIVE = 0xC2
_FILLED = 8  # pixels in a row of the smallest block
_SEARCHED = 1 << 26  # bytes of metadata before the frame
# What follows the last code of whole scan data is never decoded, so the pixels are the same with each of these.
_TAILS = (bytes(256), b"\x55" * 256, b"\xaa" * 256, b"\x92\x49\x24" * 86)


@dataclass
class Frame:
    """The frame header of a JPEG (ISO 10918-1, section B.2.2) and its scans (B.2.3)."""

    process: int = 0xC0  # the second byte of its marker
    bits: int = 8
    at: int = 0  # offset of the number of bits
    components: list[int] = field(default_factory=list)
    scans: list[tuple[tuple[int, ...], int, int, int]] = field(default_factory=list)  # components, from, to, low bit
    end: int = 0  # offset of the end marker; 0: not found

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
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF, *_ALONE):
            at = _next_marker(data, at + 1)
            continue
        if data[at + 1] == 0xD9:
            if frame is not None:
                frame.end = at
            break
        if at + 4 > len(data):
            break
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker in _FRAMES and frame is None and len(body) >= 6:
            frame = Frame(marker, body[0], at + 4, list(body[6 : 6 + 3 * body[5] : 3]))
        elif marker == 0xDA and frame is not None and body and len(body) >= 2 * body[0] + 4:
            count = body[0]
            first, last, bits = body[1 + 2 * count : 4 + 2 * count]
            frame.scans.append((tuple(body[1 : 1 + 2 * count : 2]), first, last, bits & 15))
        at += 2 + length
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
    """Return a JPEG with an end marker: itself, or with one added if its scan data is whole; None if it is cut off.

    Cut data decodes to other pixels with other bytes behind it; whole data does not.
    """
    if _END in data[-1024:]:
        return data
    frame = read_frame(data)
    if frame is None or not frame.has_all_coefficients():
        return None
    data = data.rstrip(b"\xff")
    first = decode(data + _END)
    if all(np.array_equal(first, decode(data + tail + _END)) for tail in _TAILS):
        return data + _END
    return None


def ends_early(data: bytes, frame: Frame, samples: NDArray, decode: Callable[[bytes], NDArray]) -> bool:
    """Return whether scan data is missing before the end marker; decoders fill the rest with one colour.

    `samples` are the decoded pixels (H, W, C): only where they end in one colour the data is decoded again.
    """
    if frame.process != _PROGRESSIVE and (samples[-1, -_FILLED:] != samples[-1, -1]).any():
        return False
    found = read_frame(data)
    if found is None or not found.end:
        return False
    if not found.has_all_coefficients():
        return True
    start = data[: found.end].rstrip(b"\xff")
    first = decode(data)
    return not all(np.array_equal(first, decode(start + tail + _END)) for tail in _TAILS[:2])


def _next_marker(data: bytes, at: int) -> int:
    """Return the offset of the next 0xFF that begins a marker with a segment, or the end."""
    while (at := data.find(b"\xff", at)) >= 0:
        if at + 1 < len(data) and data[at + 1] not in (0x00, 0xFF, *_ALONE):
            return at
        at += 1
    return len(data)
