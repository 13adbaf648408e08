"""Write many layers as one OpenEXR of a single part, which Nuke and Blender read as layers and passes."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.exr import header_of, write_file
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.effort import Effort
from relight_cli.photos.fingerprints import split_record
from relight_cli.photos.formats import require_format
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.provenance import history
from relight_cli.rasters.rows import bands

RECIPE = "relight-cli:recipe"  # the attribute that says, as JSON, how the file was made
_LARGEST_HALF = np.float32(65504)


def encode_layers(file: BinaryIO, layered: LayeredPhoto, effort: Effort = Effort.DEFAULT) -> None:
    """Write the channels as half floats, those of `layered.exact` as float32.

    The library encodes whole planes. They are kept in a temporary file, of 2 or 4 bytes a sample, and mapped, so that
    memory holds a few bands of rows. Raises MissingExtraError, OSError and what the library raises.
    """
    require_format("EXR")
    metadata = _readable(layered.metadata)
    header = header_of(metadata, layered.pixels.shape, effort)
    header.setdefault("chromaticities", REC709)
    if metadata.xmp and (entries := history(metadata.xmp)) and (record := entries[-1].get("parameters")):
        header[RECIPE] = split_record(record)[0]
    with tempfile.TemporaryDirectory() as folder:
        planes, path = _planes(layered, Path(folder) / "planes"), Path(folder) / "layers.exr"
        write_file(header, planes, path)
        planes.clear()  # an open map cannot be removed on Windows
        with path.open("rb") as made:
            shutil.copyfileobj(made, file)


def _readable(metadata: Metadata) -> Metadata:
    """Return metadata without an XMP packet that is no text in UTF-8."""
    try:
        (metadata.xmp or b"").decode()
    except UnicodeDecodeError:
        return replace(metadata, xmp=None)
    return metadata


def _planes(layered: LayeredPhoto, path: Path) -> dict[str, NDArray]:
    """Write the planes (H, W) of the channels one after the other to a file; return them mapped from it."""
    height, width, _ = layered.pixels.shape
    types = [np.dtype(np.float32 if name in layered.exact else np.float16) for name in layered.channels]
    starts = np.cumsum([0, *(height * width * dtype.itemsize for dtype in types)])
    with path.open("wb") as file:
        for rows, band in bands(layered.pixels):
            for number, dtype in enumerate(types):
                plane = band[..., number]
                if dtype == np.float16:
                    plane = plane.clip(-_LARGEST_HALF, _LARGEST_HALF)
                file.seek(int(starts[number]) + rows.start * width * dtype.itemsize)
                file.write(plane.astype(dtype).tobytes())
    planes = zip(layered.channels, types, starts, strict=False)
    shape = (height, width)
    return {name: np.memmap(path, dtype, "r", offset=int(start), shape=shape) for name, dtype, start in planes}
