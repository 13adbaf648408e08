"""EXIF directories as Pillow reads and writes them, so that a TIFF stores what an EXIF block holds, and the reverse.

Pillow guesses the types of tags by their values; here they are those that the source has.
"""

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeAlias

from PIL import ExifTags, TiffImagePlugin, TiffTags

Tags: TypeAlias = dict[int, tuple[int, Any]]
"""Type (TIFF 6.0, section 2) and value of each tag of a directory; a directory inside it is a dict of values."""

_UNICODE = b"UNICODE\0"  # begins a text in 16 bits, in the byte order of the file (EXIF 2.32, section 4.6.5, table 9)


class Source(Protocol):
    """Where directories are: an `Image.Exif`, or a TIFF."""

    fp: Any
    endian: str | None  # "<" or ">"
    bigtiff: bool


@dataclass
class TiffSource:
    """A TIFF as the source of directories."""

    fp: BinaryIO
    endian: str | None
    bigtiff: bool


def read_tags(source: Source, offset: int, group: int | None = None) -> Tags:
    """Return the tags of the directory at an offset in a file; `group` is the tag that names it."""
    source.fp.seek(offset)
    # Pillow knows a BigTIFF by a header of the other byte order only.
    found = TiffImagePlugin.ImageFileDirectory_v2(
        b"II+\0" + bytes(12) if source.bigtiff else b"II*\0" + bytes(4),
        prefix=b"MM" if source.endian == ">" else b"II",
        group=group,
    )
    found.load(source.fp)
    values = dict(found)  # all are read, which sets their types
    kinds = found.tagtype | {tag: TiffTags.LONG for tag in values if found.tagtype[tag] == TiffTags.LONG8}  # of BigTIFF
    return {tag: (kinds[tag], value[0] if _is_single(value) else value) for tag, value in values.items()}


def read_directory(source: Source, offset: object, directory: int, order: str | None = None) -> Tags:
    """Return the tags of the Exif or GPS directory, the Interop directory inside it as tags too, not as an offset.

    No tags if `offset` is no number. `order` is the byte order ("<" or ">") in which they are written, None for that of
    the source.
    """
    if not isinstance(offset, int):
        return {}
    swapped = order not in (None, source.endian)
    tags = {
        tag: (kind, same_bytes(value, swapped=swapped))
        for tag, (kind, value) in read_tags(source, offset, directory).items()
    }
    _, inside = tags.pop(ExifTags.IFD.Interop, (0, None))
    interop = read_tags(source, inside, ExifTags.IFD.Interop) if isinstance(inside, int) else {}
    values = {tag: value for tag, (_, value) in interop.items()}
    return {**tags, ExifTags.IFD.Interop: (TiffTags.LONG, values)} if values else tags


def directory_bytes(tags: Tags, head: bytes, start: int, group: int | None = None) -> bytes:
    """Return a directory that is stored at `start` in a file with the header `head`."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=head, group=group)
    for tag, (kind, value) in tags.items():
        directory.tagtype[tag] = kind
        directory[tag] = value
    return directory.tobytes(start)


def exif_block(order: str, first: Tags, directories: dict[int, Tags]) -> bytes:
    """Return an EXIF block in a byte order: a first directory and those that it points to."""
    head = struct.pack("<2sHI", b"II", 42, 8) if order == "<" else struct.pack(">2sHI", b"MM", 42, 8)
    pointers: Tags = dict.fromkeys(directories, (TiffTags.LONG, 0))
    start = len(head) + len(directory_bytes(first | pointers, head, len(head)))
    bodies = b""
    for directory, tags in directories.items():
        pointers[directory] = (TiffTags.LONG, start + len(bodies))
        bodies += directory_bytes(tags, head, start + len(bodies), directory)
        bodies += bytes(len(bodies) % 2)
    return head + directory_bytes(first | pointers, head, len(head)) + bodies


def same_bytes(value: Any, *, swapped: bool = False) -> Any:
    """Return the value of a tag so that Pillow writes a text as the bytes that it has read.

    `swapped` changes the byte order of a text in 16 bits.
    """
    if swapped and isinstance(value, bytes) and value.startswith(_UNICODE):
        units = bytearray(value[len(_UNICODE) :])
        even = len(units) // 2 * 2
        units[0:even:2], units[1:even:2] = units[1:even:2], units[0:even:2]
        return _UNICODE + bytes(units)
    return _Text(value) if isinstance(value, str) else value


def _is_single(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 1


class _Text(str):
    """A text of EXIF data: Pillow reads its bytes as Latin-1, whatever they are, and would write them as ASCII."""

    __slots__ = ()

    def encode(self, encoding: str = "latin-1", errors: str = "replace") -> bytes:
        """Return the bytes that Pillow has read."""
        return super().encode("latin-1", "replace")
