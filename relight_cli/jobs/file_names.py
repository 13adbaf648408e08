"""Names of files that the file system takes."""

import hashlib
import os
from pathlib import Path

from relight_cli.errors import OutputUnwritableError
from relight_cli.paths import is_folder
from relight_cli.places.objects import ObjectPath

USUAL_LIMIT = 255  # bytes of a name on most file systems; of Windows, which counts UTF-16 units, a safe bound
KEPT_FREE = 24  # bytes for what is added to the name of an output: _uncertainty, _shading.tif, .NAME.runs


def fit_name(folder: Path, stem: str, tail: str) -> str:
    """Return `stem` + `tail`, with the end of the stem replaced by a hash if the folder takes no name that long.

    Room is kept for names that are made from this one, so that a name does not depend on what else is written.
    """
    room = name_limit(folder) - KEPT_FREE - len(os.fsencode(tail))
    if len(os.fsencode(stem)) <= room:
        return stem + tail
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    kept = stem
    while kept and len(os.fsencode(kept)) > room - len(mark):
        kept = kept[:-1]
    return kept + mark + tail


def name_limit(folder: Path) -> int:
    """Return how many bytes the name of a file in a folder may have; the folder need not exist."""
    if isinstance(folder, ObjectPath):
        return USUAL_LIMIT
    existing = next((place for place in (folder, *folder.parents) if is_folder(place)), Path())
    try:
        limit = os.pathconf(existing, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # Windows has no pathconf
        return USUAL_LIMIT
    return limit if limit > 0 else USUAL_LIMIT


def require_short_name(path: Path) -> None:
    """Raise OutputUnwritableError if a name that the user chose is too long for its folder."""
    if len(os.fsencode(path.name)) > (limit := name_limit(path.parent)):
        message = f"{path}: its name is longer than the {limit} bytes that its folder takes; choose a shorter name."
        raise OutputUnwritableError(message)


def make_folder(folder: Path) -> None:
    """Create a folder for outputs and its parents. Raises OutputUnwritableError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder}: the folder cannot be created ({error.strerror}): choose another --output."
        raise OutputUnwritableError(message) from error
