"""What the metadata of an output in a bucket say about how it was made, so that it need not be read to be recognised.

They are hashes alone. A store keeps metadata with the bytes that they were written with: who replaces an object
replaces its metadata, so an object that has them is as it was written.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from relight_cli.places.objects import ObjectPath

MADE, PHOTO, SOURCE = "relightmade", "relightphoto", "relightsource"  # Azure takes no hyphens
_HASHED = "sha256:"


def marks_of(path: Path) -> Mapping[str, str]:
    """Return the marks of an output; none if it is a file or an object that another program wrote. Raises OSError."""
    info = path.info() if isinstance(path, ObjectPath) else None
    return {name.lower(): value for name, value in info.metadata.items()} if info else {}


def marks_for(parameters: str, photo_sha256: object, source: Path) -> dict[str, str]:
    """Return the marks of an output, given `Provenance.parameters`, and its photo by hash and by place."""
    marks = {MADE: hashed(parameters)}
    if isinstance(photo_sha256, str):
        marks[PHOTO] = photo_sha256
        if version := version_of(source):
            marks[SOURCE] = version
    return marks


def hashed(parameters: str) -> str:
    """Return what stands for parameters in marks, which have no room for them."""
    return _HASHED + hashlib.sha256(parameters.encode()).hexdigest()


def version_of(source: Path) -> str | None:
    """Return the version of an object as its list said it or its store says it; None for files, or if none is known."""
    if not isinstance(source, ObjectPath):
        return None
    try:
        info = source.listed or source.info()
    except OSError:
        return None
    return f"{info.version}/{info.size}" if info and info.version else None


def known_sha256(output: Path, source: Path) -> str | None:
    """Return the hash of a photo that has not changed since its output was made, as the marks of the output have it."""
    marks = marks_of(output)
    version = version_of(source) if marks.get(SOURCE) else None
    return marks.get(PHOTO) if version and version == marks.get(SOURCE) else None
