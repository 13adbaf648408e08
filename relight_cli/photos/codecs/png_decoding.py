"""Decode PNG: Pillow for up to 8 bits and metadata, libpng for 16 bits."""

import contextlib
import io
import struct
import zlib
from dataclasses import replace
from typing import BinaryIO

import imagecodecs

from relight_cli.photos.codecs import (
    png_colours,
)
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError, split_alpha
from relight_cli.photos.codecs.pillow_decoding import decode_with_pillow
from relight_cli.photos.codecs.png_chunks import has_chunk, read_png_metadata

_GREY = 0  # colour type
_FROM_APPS = "undo that with 'pngcrush -revert-iphone-optimizations IN OUT', or take the picture from the app's sources"


def decode_png(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode a PNG of any depth with its metadata; damaged metadata gives a note."""
    if has_chunk(file, b"CgBI"):
        raise UnsupportedError("it is a PNG of an app for iPhones (CgBI)", _FROM_APPS)
    file.seek(0)
    width, height, depth, kind, interlaced = struct.unpack_from(">IIBBxxB", file.read(29), 16)  # IHDR (PNG, 11.2.1)
    check_size(width, height)
    # Pillow takes the transparent one of 4 or 16 greys for one of 256.
    by_pillow = depth != 16 and not (depth in (2, 4) and kind == _GREY and has_chunk(file, b"tRNS"))
    notes: list[str] = []
    colour, decoded = png_colours.read_colours(file, notes), None
    file.seek(0)
    with contextlib.suppress(Exception):  # Pillow also refuses a damaged text or EXIF chunk
        decoded = decode_with_pillow(file, check_size, pixels=by_pillow)
    if decoded is None:
        with contextlib.suppress(Exception):
            decoded = decode_with_pillow(_undamaged_png(file), check_size, pixels=by_pillow)
            notes.append("a part of its metadata is damaged and is dropped")
    if decoded:
        decoded = _with_png_metadata(decoded, file)
        if decoded.icc is None and has_chunk(file, b"iCCP"):
            notes.append("its colour profile is damaged and dropped")
    if decoded and by_pillow:
        _require_all_rows(file, decoded, interlaced=bool(interlaced))
        return replace(decoded, colour=colour, notes=notes + decoded.notes)
    file.seek(0)
    pixels, alpha = split_alpha(imagecodecs.png_decode(_png_without_metadata(file)))
    if decoded:
        return replace(decoded, pixels=pixels, alpha=alpha, colour=colour, notes=notes + decoded.notes)
    return Decoded(pixels, alpha, "PNG", notes=[*notes, "its metadata is damaged and is dropped"], colour=colour)


def _require_all_rows(file: BinaryIO, decoded: Decoded, *, interlaced: bool) -> None:
    """Raise ValueError if the rows of a picture end too early; Pillow leaves the others black.

    Only a picture whose last row is of one colour is decoded again, and one whose rows are interlaced, whose last ones
    in the file stand everywhere.
    """
    if interlaced or (decoded.pixels[-1] == decoded.pixels[-1, 0]).all():
        file.seek(0)
        try:
            imagecodecs.png_decode(_png_without_metadata(file))
        except imagecodecs.PngError as error:  # libpng is stricter than Pillow in other things
            if "Not enough image data" in str(error):
                raise ValueError("its pixels are cut off") from error


def _with_png_metadata(decoded: Decoded, file: BinaryIO) -> Decoded:
    """Add the metadata that Pillow does not interpret or, without decoding the pixels, does not reach."""
    found = read_png_metadata(file)
    if found.damaged:
        decoded.notes.append(f"its texts Raw profile type {', '.join(found.damaged)} are damaged and dropped")
    return replace(
        decoded,
        exif=decoded.exif or found.exif,
        xmp=decoded.xmp or found.xmp,
        icc=decoded.icc or found.icc,
        extras=found.extras,
    )


def _undamaged_png(file: BinaryIO) -> BinaryIO:
    """Return the chunks whose check sums are right, and those for the pixels."""
    kept = io.BytesIO()
    file.seek(0)
    kept.write(file.read(8))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        body = file.read(length + 4)
        if name[:1].isupper() or body[length:] == struct.pack(">I", zlib.crc32(name + body[:length])):
            kept.write(head + body)
    return kept


def _png_without_metadata(file: BinaryIO) -> bytes:
    """Return only the chunks for the pixels (PNG, section 5.3); libpng reports damage in the others on stderr."""
    kept = io.BytesIO()
    kept.write(file.read(8))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name[:1].isupper() or name == b"tRNS":
            kept.write(head)
            kept.write(file.read(length + 4))
        else:
            file.seek(length + 4, io.SEEK_CUR)
    return kept.getvalue()
