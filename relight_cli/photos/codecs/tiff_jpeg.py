"""JPEG data in the strips and tiles of a TIFF (TIFF Technical Note 2)."""

from typing import BinaryIO

import tifffile
from tifffile import COMPRESSION

from relight_cli.photos.codecs import jpeg
from relight_cli.photos.codecs.jpeg_damage import damage_note
from relight_cli.photos.codecs.tiff_pages import Place


def strip_damage_note(file: BinaryIO, place: Place) -> str | None:
    """Return a note if the JPEG data of a page is damaged; None for other pages, see `damage_note`."""
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = place.of(tiff)
        if page.compression != COMPRESSION.JPEG:
            return None
        tables = (page.jpegtables or b"")[:-2]  # without their end marker
        places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    for start, size in places:
        file.seek(start)
        strip = file.read(size)
        whole = tables + strip[2:] if tables else strip  # one start marker
        frame = jpeg.read_frame(whole)
        if note := damage_note(whole, scaled=bool(frame and not frame.is_lossless)):
            return note
    return None
