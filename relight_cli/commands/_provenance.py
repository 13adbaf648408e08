"""What an output says in its metadata of how it was made, or that it says nothing."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.commands._options import PhotoOptions

if TYPE_CHECKING:
    from relight_cli.commands._batch import ModelFacts
    from relight_cli.imaging.photo import Photo

# Options that say how to go about it, not what comes out.
MANNERS = {
    "output",
    "overwrite",
    "skip_existing",
    "recursive",
    "weights_dir",
    "offline",
    "model",  # auto or by name; which one it came to is told
    "device",
    "tile_batch",
    "max_pixels",
    "report",
    "quiet",
    "verbose",
    "plot",
}

Finish = Callable[["Photo"], tuple["Photo", tuple[str, ...]]]
"""From a photo to the one to write, and notes."""


def shaping(options: PhotoOptions) -> dict[str, object]:
    """Give the options that shape the picture; of files only the names, for folders are private."""
    wanted = {name: value for name, value in asdict(options).items() if name not in MANNERS}
    return {name: value.name if isinstance(value, Path) else value for name, value in wanted.items()}


def provenance(task: str, model: "ModelFacts", options: PhotoOptions, reported: dict[str, str]) -> Finish:
    """Give what signs the photos of a run, or with --strip takes all metadata from them but the profile."""
    from relight_cli.imaging.provenance import Provenance, signed, stripped

    files = {name: Path(value).name for name, value in reported.items()}
    made = Provenance(task, model.name, model.revision, model.sha256, {**shaping(options), **files})

    def finish(photo: "Photo") -> tuple["Photo", tuple[str, ...]]:
        metadata, notes = (stripped(photo.metadata), ()) if options.strip else signed(photo.metadata, made)
        return replace(photo, metadata=metadata), notes

    return finish
