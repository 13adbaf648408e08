"""Check a file's sha256 once, and remember the result with its size and modification time."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TypedDict


class _Entry(TypedDict):
    size: int  # bytes
    mtime_ns: int
    sha256: str


def matches(path: Path, sha256: str, record: Path, *, fresh: bool = False) -> bool:
    """Return whether `path` has this sha256; an earlier match counts unless the file has changed since or `fresh`.

    `record` is the JSON file of earlier matches. If it is missing, damaged or read-only, `path` is hashed again.
    Raises OSError if `path` cannot be read.
    """
    state = path.stat()
    # Read before hashing: if the file changes meanwhile, the entry does not fit it.
    entry = _Entry(size=state.st_size, mtime_ns=state.st_mtime_ns, sha256=sha256)
    key = str(path.resolve())
    if not fresh and _read(record).get(key) == entry:
        return True
    with path.open("rb") as body:
        same = hashlib.file_digest(body, "sha256").hexdigest() == sha256
    _write(record, key, entry if same else None)
    return same


def _read(record: Path) -> dict[str, _Entry]:
    try:
        entries = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _write(record: Path, key: str, entry: _Entry | None) -> None:
    """Set or delete one entry; two processes at once may lose one, whose file is then hashed again."""
    old = _read(record)
    new = {name: value for name, value in old.items() if name != key and Path(name).exists()}
    if entry is not None:
        new[key] = entry
    if new == old:
        return
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=record.parent, suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(new, out, indent=1)
            Path(draft).replace(record)
        finally:
            Path(draft).unlink(missing_ok=True)
