"""Where a file holds its coded pixels: everything that a program changes when it changes the picture, and no metadata.

Coded pixels are compared, not decoded ones: that needs no decoder, whose rounding may change, and little time. What
names or rates a picture leaves them as they are; what writes the picture anew does not.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from relight_cli.photos.codecs.iso_items import item_extents, item_kinds
from relight_cli.photos.codecs.jpeg2000 import iso_boxes
from relight_cli.photos.gif_comments import split_comment

Data = memoryview
Pieces = Iterator[Data | bytes]

_JPEG_METADATA = (*range(0xE0, 0xF0), 0xFE)  # APP0 to APP15 and COM (ITU-T T.81, table B.1)
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_WEBP_PIXELS = (b"VP8 ", b"VP8L", b"ALPH")
_TIFF_TAGS = ("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "Predictor")
_CLUSTER = 0x1F43B675  # of Matroska (RFC 9559, section 5.1.3)
_SEGMENT = 0x18538067
RECORD = "made.npy"  # the member of an .npz that records how it was made


def coded_pixels(data: Data) -> Pieces:
    """Yield the coded pixels of a picture, a video or a map of depth, in the order of the file.

    Raises ValueError for a file of another format, and whatever a broken file causes.
    """
    for is_kind, pieces in _KINDS:
        if is_kind(bytes(data[:16])):
            return pieces(data)
    raise ValueError("not a format that relight-cli writes")


def _jpeg(data: Data) -> Pieces:
    """Yield tables, frame header and scans (ITU-T T.81, annex B)."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker == 0xDA:  # the scans; FF D9 ends them, since their own FF is followed by 00
            yield data[at : _find(data, b"\xff\xd9", at)]
            return
        if marker not in _JPEG_METADATA:
            yield data[at : at + 2 + length]
        at += 2 + length


def _png(data: Data) -> Pieces:
    at, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        if name in _PNG_PIXELS:
            yield data[at + 8 : at + 8 + length]
        at += length + 12


def _webp(data: Data) -> Pieces:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name in _WEBP_PIXELS:
            yield data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _tiff(data: Data) -> Pieces:
    import tifffile

    with tifffile.TiffFile(tifffile.FileHandle(io.BufferedReader(_MemoryFile(data)), name="picture")) as file:
        page = file.pages.first
        yield repr([str(page.tags.valueof(tag)) for tag in _TIFF_TAGS]).encode()
        for start, length in zip(page.dataoffsets, page.databytecounts, strict=True):
            yield data[start : start + length]


def _jpeg2000(data: Data) -> Pieces:
    yield from (body for name, body in _boxes(data) if name == b"jp2c")


def _iso_media(data: Data) -> Pieces:
    """Yield the samples of a video, or the items of a picture that are not metadata (ISO 14496-12, section 8.11)."""
    boxes = _boxes(data)
    meta = next((bytes(body[4:]) for name, body in boxes if name == b"meta"), None)
    if meta is None:
        yield from (body for name, body in boxes if name == b"mdat")
        return
    parts = dict(iso_boxes(meta))
    kinds = dict(item_kinds(parts[b"iinf"]))
    for item, extents in item_extents(parts[b"iloc"]):
        if kinds.get(item) not in (b"Exif", b"mime", b"uri "):
            yield from (data[start : start + length] for start, length in extents)


def _boxes(data: Data) -> list[tuple[bytes, Data]]:
    """Return name and content of the boxes of a file, without copies."""
    found, at = [], 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,), head = struct.unpack_from(">Q", data, at + 8), 16
        length = length or len(data) - at
        if length < head:
            raise ValueError("a box is broken")
        found.append((name, data[at + head : at + length]))
        at += length
    return found


def _matroska(data: Data) -> Pieces:
    """Yield the clusters of a WebM (RFC 8794 and RFC 9559)."""
    at = 0
    while at < len(data):
        name, at = _variable(data, at, marked=True)
        length, at = _variable(data, at, marked=False)
        if name == _SEGMENT:
            continue  # its elements follow
        if name == _CLUSTER:
            yield data[at : at + length]
        at += length


def _variable(data: Data, at: int, *, marked: bool) -> tuple[int, int]:
    """Return a number of variable length and the place behind it; `marked` numbers keep the bit of their length."""
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length])
    return value if marked else value & ((1 << 7 * length) - 1), at + length


def _gif(data: Data) -> Pieces:
    """Yield all but the last comment and the trailer."""
    end = bytes(data[-(1 << 20) :])
    yield data[: len(data) - len(end) + split_comment(end)[0]]


def _exr(data: Data) -> Pieces:
    """Yield the chunks of an OpenEXR file of one part (OpenEXR file layout)."""
    at = 8
    while data[at]:  # attributes: name, type, size, value
        for _ in range(2):
            at = _find(data, b"\0", at) + 1
        (length,) = struct.unpack_from("<I", data, at)
        at += 4 + length
    (first,) = struct.unpack_from("<Q", data, at + 1)  # the table of chunks begins with the first of them
    yield data[first:]


def _npz(data: Data) -> Pieces:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for name in file.namelist():
            if name != RECORD:
                yield name.encode()
                yield file.read(name)


class _MemoryFile(io.RawIOBase):
    """A file in memory that is not copied."""

    def __init__(self, data: Data) -> None:
        self._data, self._at = data, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        piece = self._data[self._at : self._at + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _find(data: Data, wanted: bytes, start: int) -> int:
    """Return the place of `wanted` at or after `start`. Raises ValueError if there is none."""
    step = 1 << 20
    for at in range(start, len(data), step):
        if (found := bytes(data[at : at + step + len(wanted) - 1]).find(wanted)) >= 0:
            return at + found
    raise ValueError("the file is cut off")


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[Data], Pieces]], ...] = (
    (lambda head: head.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP", _webp),
    (lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), _tiff),
    (lambda head: head[4:8] == b"jP  ", _jpeg2000),
    (lambda head: head[4:8] == b"ftyp", _iso_media),
    (lambda head: head.startswith(b"\x1aE\xdf\xa3"), _matroska),
    (lambda head: head.startswith(b"GIF8"), _gif),
    (lambda head: head.startswith(b"v/1\x01"), _exr),
    (lambda head: head.startswith(b"PK\x03\x04"), _npz),
)
