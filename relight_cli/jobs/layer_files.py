"""The files that --layers names, one for each photo."""

from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.jobs.file_names import fit_name
from relight_cli.paths import is_folder
from relight_cli.photos.formats import require_format
from relight_cli.places.objects import place_of

SUFFIX = ".exr"
_TAIL = f"_layers{SUFFIX}"


def check_layers(layers: str) -> None:
    """Raise UsageError for a name of another format, MissingExtraError without OpenEXR."""
    path = place_of(layers)
    if not layers or (path.suffix and not _is_file(layers) and not _is_folder(layers)):
        raise UsageError(
            f"--layers {layers or repr(layers)}: layers are written as OpenEXR: end the name in .exr, or in / for a "
            "folder."
        )
    require_format("EXR")


def layers_path(layers: str, stem: str, subfolder: Path, *, several: bool) -> Path:
    """Return the file of the layers of a photo; if --layers is a folder, in `subfolder` of it, named after `stem`.

    Raises UsageError if one file is named for several photos.
    """
    if _is_file(layers):
        if several:
            raise UsageError(f"--layers {layers} is one file, but there are several photos: name a folder.")
        return place_of(layers)
    folder = place_of(layers) / subfolder
    return folder / fit_name(folder, stem, _TAIL)


def _is_file(layers: str) -> bool:
    return place_of(layers).suffix.lower() == SUFFIX and not _is_folder(layers)


def _is_folder(layers: str) -> bool:
    return layers.endswith(("/", "\\")) or is_folder(layers)
