"""The fingerprint of an output's own pixels, which its record holds, so that a changed output is recognised."""

import contextlib
import hashlib
import io
import mmap
import re
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from relight_cli.photos.coded_pixels import coded_pixels

PENDING = "0" * 64  # stands for the fingerprint until the pixels are written
_FIELD = re.compile(r', "pixels": "([0-9a-f]{64})"\}\Z')
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def with_fingerprint(parameters: str, fingerprint: str = PENDING) -> str:
    """Return the record of an output: its `Provenance.parameters` and its fingerprint, as JSON."""
    return f'{parameters[:-1]}, "pixels": "{fingerprint}"}}'


def split_record(record: str) -> tuple[str, str | None]:
    """Return the parameters in a record, and its fingerprint if it has one."""
    found = _FIELD.search(record)
    if found is None:
        return record, None
    return record[: found.start()] + "}", None if found[1] == PENDING else found[1]


def fingerprint_of(data: bytes | mmap.mmap) -> str:
    """Return the fingerprint of a file: the SHA-256 of its coded pixels. Raises what `coded_pixels` raises."""
    digest = hashlib.sha256()
    with memoryview(data) as view:
        for piece in coded_pixels(view):
            digest.update(piece)
    return digest.hexdigest()


def seal(file: BinaryIO) -> None:
    """Put the fingerprint of a written file into its record, in place of PENDING; a file without it stays as it is.

    Raises OSError.
    """
    with _readable(file) as data:
        at = data.rfind(PENDING.encode())
        if at < 0:
            return
        try:
            fingerprint = fingerprint_of(data).encode()
        except Exception:  # noqa: BLE001  a file that cannot be taken apart has a record without a fingerprint
            return
        check = _png_check_sum(data, at, fingerprint) if data[1:4] == b"PNG" else None
        if data[:2] == b"\xff\xd8" and data.rfind(_XMP_EXTENSION, max(0, at - (1 << 16)), at) >= 0:
            return  # the extension of a long XMP packet is found by its hash
    file.seek(at)
    file.write(fingerprint)
    if check:
        file.seek(check[0])
        file.write(check[1])
    file.seek(0, io.SEEK_END)


def sealed(data: bytes) -> bytes:
    """Return an encoded file whose record has its fingerprint."""
    file = io.BytesIO(data)
    seal(file)
    return file.getvalue()


def is_untouched(path: Path, fingerprint: str | None) -> bool:
    """Return whether an existing output has the pixels of its record, shown upright; False for one that has none."""
    from relight_cli.photos.header import is_upright

    if fingerprint is None:
        return False
    try:
        with path.open("rb") as file, _readable(file) as data:
            same = fingerprint_of(data) == fingerprint
    except Exception:  # noqa: BLE001  libraries raise anything; what cannot be read is not what was written
        return False
    return same and is_upright(path)


@contextlib.contextmanager
def _readable(file: BinaryIO) -> "Iterator[mmap.mmap | bytes]":
    """Yield what a file holds: mapped if it is on a disk, else as bytes."""
    file.flush()
    if isinstance(file, io.BytesIO | tempfile.SpooledTemporaryFile) or not file.seek(0, io.SEEK_END):
        file.seek(0)
        yield file.read()
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _png_check_sum(data: "mmap.mmap | bytes", at: int, new: bytes) -> tuple[int, bytes] | None:
    """Return place and value of the check sum of the chunk that has `new` in the place `at` (PNG, section 5.3)."""
    start = 8
    while start < at:
        (length,) = struct.unpack_from(">I", data, start)
        end = start + 8 + length
        if at < end:
            body = data[start + 4 : at] + new + data[at + len(new) : end]
            return end, struct.pack(">I", zlib.crc32(body))
        start = end + 4
    return None
