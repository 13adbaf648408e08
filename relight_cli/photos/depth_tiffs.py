"""TIFF depth maps: numbers of any type, which photos do not have, in the orientation and the photometry of the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.codecs.tiff_decoding import PLAIN
from relight_cli.photos.codecs.tiff_pages import choose_page
from relight_cli.photos.header import read_header
from relight_cli.photos.reading import read_photo, turn_upright
from relight_cli.rasters.rows import to_array


def read_depth_tiff(path: Path, max_pixels: int) -> tuple[NDArray[Any], str | None]:
    """Return the samples (h, w) or (h, w, channels), upright, and the quantity that refine-depth states.

    The page is that of a photo. Integers that are stored as min-is-white are turned over, so that brighter is more;
    floats are numbers and not brightness. Raises PhotoUnreadableError, and whatever the decoder raises.
    """
    with tifffile.TiffFile(path) as tiff:
        page = choose_page(tiff, None).of(tiff)
        if page.imagewidth * page.imagelength > max_pixels:
            raise PhotoUnreadableError(f"{path}: more pixels than the {max_pixels} allowed; raise --max-pixels")
        stated = _stated_quantity(page.description)
        if page.photometric not in PLAIN:  # a palette, YCbCr
            return np.asarray(to_array(read_photo(path, max_pixels=max_pixels).pixels)), stated
        samples, bits = page.asarray(), page.bitspersample
        if page.axes == "SYX":  # each channel on its own
            samples = np.moveaxis(samples, 0, -1)
        is_reversed = page.photometric == PHOTOMETRIC.MINISWHITE
    if samples.dtype.kind == "b":
        samples = samples.astype(np.uint8)
    if is_reversed and samples.dtype.kind in "iu":
        samples = ~samples if samples.dtype.kind == "i" else samples.dtype.type((1 << bits) - 1) - samples
    return turn_upright(samples, read_header(path).orientation), stated


def _stated_quantity(description: str) -> str | None:
    """Return the quantity in the description that refine-depth writes; None for that of another program."""
    try:
        stated = json.loads(description)
    except (ValueError, RecursionError):
        return None
    quantity = stated.get("quantity") if isinstance(stated, dict) else None
    return quantity if isinstance(quantity, str) else None
