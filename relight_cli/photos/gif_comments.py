"""The comment of a GIF, as its last block (GIF89a, sections 15, 24 and 27)."""

import os
from pathlib import Path

_COMMENT, _TRAILER = b"!\xfe", b";"
_PIECE = 127  # bytes of a sub-block; neither its length nor ASCII contains the 0xFE of _COMMENT
_SEARCHED = 1 << 20  # bytes at the end of a file


def add_comment(path: Path, text: str) -> None:
    """Insert an ASCII comment before the trailer of a GIF. Raises ValueError for a file without a trailer."""
    data = text.encode("ascii")
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != _TRAILER:
            raise ValueError("the GIF has no trailer")
        file.seek(-1, os.SEEK_END)
        file.write(_COMMENT + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0" + _TRAILER)


def read_comment(path: Path) -> str | None:
    """Return the comment that `add_comment` inserted; None if the last block is not a comment."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _SEARCHED))
        return split_comment(file.read())[1]


def split_comment(end: bytes) -> tuple[int, str | None]:
    """Return how long the last bytes of a GIF are without a comment as its last block and the trailer; and its text."""
    start, text = end.rfind(_COMMENT), b""
    at = start + len(_COMMENT) if start >= 0 else len(end)
    while at < len(end) and (length := end[at]):
        text += end[at + 1 : at + 1 + length]
        at += 1 + length
    if start >= 0 and end[at:] == b"\0" + _TRAILER:
        return start, text.decode("ascii", "replace")
    return len(end) - len(_TRAILER), None
