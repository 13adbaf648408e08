"""What is dropped on the page: kept under its own name, and looked at before anything is decoded."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError, UsageError
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.photos.formats import format_of
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.uploads import check_size
from relight_cli.studio.screen import Given

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


@dataclass(frozen=True)
class Upload:
    """A file that the browser has sent."""

    path: Path  # where it is stored
    name: str  # that it has on the user's disk


def sent_files(values: Any, root: Path) -> list[Upload]:
    """Return the uploads that the browser names: a list, one, or none. Raises UsageError for others than uploads."""
    found = values if isinstance(values, list) else [values] if values else []
    uploads = [Upload(Path(str(one["path"])), str(one.get("orig_name") or Path(one["path"]).name)) for one in found]
    if not all(one.path.resolve().is_relative_to(root.resolve()) and one.path.is_file() for one in uploads):
        raise UsageError("This file was not uploaded: drop it on the page again.")
    return uploads


def keep(upload: Upload, folder: Path, max_pixels: int) -> Given:
    """Return an upload under its own name in a folder; a copy of the name, not of the bytes, where the disk can.

    Raises UsageError for a name that is none, PhotoUnreadableError for what is no picture or has more than `max_pixels`
    pixels, by its header, OutputUnwritableError.
    """
    name = upload.name
    if not name or name in (".", "..") or set(name) & {"/", "\\", "\0"}:
        raise UsageError(f"{name[:80]!r} is no file name: give the file another one.")
    suffix = Path(name).suffix.lower()
    if not format_of(Path(name)):
        what = "a video; the studio takes photos, the command line videos too" if suffix in VIDEOS else "no picture"
        raise PhotoUnreadableError(f"{name}: {suffix or 'a file without a suffix'} is {what}.")
    place = folder / upload.path.parent.name / name  # the parent is named by the hash of the content
    try:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(upload.path, place)
    except OSError as error:
        raise OutputUnwritableError(f"{name}: cannot be kept in {folder} ({error.strerror}).") from error
    if not place.stat().st_size:
        raise PhotoUnreadableError(f"{name}: the file is empty; copy it again from its source.")
    try:
        check_size(place, max_pixels)
    except ProblemError as error:
        size = str(error).partition(": ")[2]
        raise PhotoUnreadableError(
            f"{name}: {size.rstrip('.')}; 'relight-cli studio --max-pixels' raises it."
        ) from None
    return Given(place, name)


def together(givens: list[Given], folder: Path) -> tuple[Given, ...]:
    """Return photos in one folder, as the command line would find them. Raises UsageError for two of one name."""
    names = [given.shown for given in givens]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name}: there are two photos of this name; rename one of them.")
    if len(givens) < 2:
        return tuple(givens)
    folder.mkdir(parents=True, exist_ok=True)
    for given in givens:
        if not (folder / given.shown).exists():
            _link(given.path, folder / given.shown)
    return tuple(Given(folder / given.shown, given.shown) for given in givens)


def _link(source: Path, place: Path) -> None:
    """Put a file at a place too, whole or not at all. Raises OutputUnwritableError."""
    try:
        os.link(source, place)
    except FileExistsError:  # another request has put it there meanwhile
        return
    except OSError:  # another disk, or one without links
        with atomic_file(place, overwrite=True) as temporary:
            shutil.copyfile(source, temporary)
