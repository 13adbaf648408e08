"""Write a page, piece by piece, so that memory does not grow with it."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from relight_cli.pages.views import End, Entry, Frame, Head, Keyframe, Pair

_FILES = Path(__file__).parent
_SCRIPTS = ("elements.js", "viewer.js", "gestures.js", "charts.js", "relief.js", "pairs.js", "sequence.js", "page.js")
_MARK = re.compile(rb"\n<!-- relight-cli page, sha256 ([0-9a-f]{64}) -->\n\Z")
_MARK_BYTES = 128  # at the end of a file that hold the mark
_BLOCK = 1 << 20
View = Head | Entry | Pair | Frame | Keyframe | End


class Page:
    """A page that is being written to an empty file."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file, self._sha256 = file, hashlib.sha256()
        self._write(_start())
        self.add(head)

    def add(self, view: View) -> None:
        """Add a piece."""
        self._write(data_block(type(view).__name__.lower(), view))

    def end(self, view: End) -> None:
        """Add the last piece, and the mark by which `is_untouched_page` knows the page."""
        self.add(view)
        self._write(f'<script type="module">{_script()}</script>\n</body>\n</html>\n'.encode())
        self._file.write(f"\n<!-- relight-cli page, sha256 {self._sha256.hexdigest()} -->\n".encode())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._sha256.update(data)


def data_block(part: str, view: View) -> bytes:
    """Return a view as JSON in an element that browsers do not run; no text in it can end the element."""
    text = json.dumps(_rounded(asdict(view)), separators=(",", ":"))  # ASCII: also lone surrogates of file names
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    number = f' data-number="{view.number:d}"' if isinstance(view, Entry | Pair | Frame | Keyframe) else ""
    return f'<script type="application/json" data-part="{part}"{number}>{text}</script>\n'.encode("ascii")


def is_untouched_page(path: Path) -> bool:
    """Return whether a file is a page as relight-cli wrote it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MARK_BYTES))
            mark = _MARK.search(file.read())
            if mark is None:
                return False
            left, sha256 = size - len(mark[0]), hashlib.sha256()
            file.seek(0)
            while left:
                block = file.read(min(left, _BLOCK))
                left -= len(block)
                sha256.update(block)
                if not block:
                    return False
            return sha256.hexdigest().encode() == mark[1]
    except OSError:
        return False


def policy() -> str:
    """Return the Content-Security-Policy of the page: its own script and style, embedded pictures, and nothing else."""
    return (
        "default-src 'none'; img-src data:; "
        f"script-src '{_hash(_script())}'; style-src '{_hash(_style())}'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def _start() -> bytes:
    parts = {"policy": policy(), "style": _style()}
    shell = _text("page.html")
    fill: Callable[[re.Match[str]], str] = lambda found: parts[found[1]]  # noqa: E731
    return re.sub(r"\{\{ (\w+) \}\}", fill, shell).encode()


@lru_cache(maxsize=1)
def _script() -> str:
    return "\n".join(_text(name) for name in _SCRIPTS)


@lru_cache(maxsize=1)
def _style() -> str:
    return _text("page.css")


def _text(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _rounded(value: Any) -> Any:
    """Return JSON data with numbers of six digits, which are enough for a screen; those that JSON lacks become null."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
