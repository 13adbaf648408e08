"""The preview of a light as a picture file."""

from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.photos.formats import SUFFIXES, require_format
from relight_cli.relighting.lights.light import Light


def write_preview(light: Light, output: str, *, overwrite: bool = False) -> None:
    """Write the preview of a light to a file, in the format of its name, or as PNG to stdout for "-".

    Raises UsageError for a name of no picture format, OutputUnwritableError, MissingExtraError.
    """
    import numpy as np

    from relight_cli.jobs.file_names import make_folder
    from relight_cli.jobs.streams import stdout_stream
    from relight_cli.photos.colour_profiles import LINEAR
    from relight_cli.photos.metadata import Metadata
    from relight_cli.photos.photo import Photo
    from relight_cli.photos.writing import write_photo
    from relight_cli.rasters.bit_depth import from_unit
    from relight_cli.relighting.lights.preview import preview

    kind = "PNG" if output == "-" else SUFFIXES.get(Path(output).suffix.lower())
    if kind is None:
        raise UsageError(f"--output {output} is not a known picture format: end it in {', '.join(SUFFIXES)}.")
    require_format(kind)
    drawn = Photo(preview(light), metadata=Metadata(icc=LINEAR))
    picture = drawn if kind == "EXR" else Photo(from_unit(drawn.to_srgb(), np.dtype(np.uint8)))
    if output != "-":
        make_folder(Path(output).parent)
    write_photo(picture, stdout_stream() if output == "-" else Path(output), format=kind, overwrite=overwrite)
