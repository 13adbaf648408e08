"""Read photos: decoded by content, turned upright, in a colour profile that converts both ways."""

import contextlib
import io
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import MissingExtraError, PhotoUnreadableError, UsageError, names_no_file, one_line
from relight_cli.photos.codecs.decoded import Decoded, UnsupportedError
from relight_cli.photos.codecs.decoding import decode
from relight_cli.photos.colour_profiles import converts_both_ways, converts_to_srgb, profile_space
from relight_cli.photos.colour_tags import InputColour, resolve_colours
from relight_cli.photos.exif_axes import turn_exif
from relight_cli.photos.extras import drop_stale_xmp, extras_for_upright
from relight_cli.photos.metadata import Metadata, reset_exif_orientation, reset_xmp_orientation
from relight_cli.photos.photo import Photo
from relight_cli.photos.special_files import require_no_special_file
from relight_cli.photos.working_space import WorkingSpace, take_for
from relight_cli.photos.xmp_axes import turn_xmp
from relight_cli.places.objects import held, place_of
from relight_cli.places.transfers import TransferError
from relight_cli.places.urls import is_url

MAX_PIXELS = 500_000_000


def read_photo(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    input_colour: InputColour = None,
    working_space: WorkingSpace | None = None,
) -> Photo:
    """Read a photo from a file or a binary stream (from its start, if it can seek), and turn it upright.

    `page` is the page of a TIFF or the part of an EXR, from 1; None is the first one that is neither a thumbnail nor
    without colours. `input_colour` holds for a file that says nothing about its colours: "linear", "srgb" (the
    default), or an ICC profile as a file or its bytes; without it, EXR and float TIFF that say nothing are in the
    `working_space`. The size in the header is checked before a pixel is decoded.
    Raises PhotoUnreadableError for anything but a complete photo of at most `max_pixels` pixels, MissingExtraError for
    a format whose extra is not installed, UsageError for an `input_colour` that is not a profile.
    """
    source = place_of(source) if isinstance(source, str | Path) else source
    source = Path(source) if isinstance(source, os.PathLike) and not isinstance(source, Path) else source
    name = str(source) if isinstance(source, Path) else "standard input"

    def check_size(width: int, height: int) -> None:
        if width * height == 0:
            raise PhotoUnreadableError(f"{name}: its width or height is 0; copy it again from its source")
        if width * height > max_pixels:
            raise PhotoUnreadableError(
                f"{name}: {width} x {height} pixels are more than the {max_pixels} allowed; raise --max-pixels"
            )

    if isinstance(source, Path):
        require_no_special_file(source)
    try:
        with contextlib.ExitStack() as stack:
            place = stack.enter_context(held(source)) if isinstance(source, Path) else source
            file = stack.enter_context(place.open("rb")) if isinstance(place, Path) else place
            if not file.seekable():
                file = _read_stream(file, name, max_pixels)
            file.seek(0)
            if not file.read(1):
                raise PhotoUnreadableError(f"{name}: the file is empty; copy it again from its source")
            file.seek(0)
            decoded = decode(file, check_size, page)
            if not (working_space and input_colour is None and take_for(decoded, working_space)):
                resolve_colours(decoded, input_colour)
    except (PhotoUnreadableError, UsageError):
        raise
    except MissingExtraError as error:
        raise MissingExtraError(f"{name}: {error}") from error
    except Exception as error:  # decoders raise anything: SyntaxError, TypeError, MemoryError ...
        raise PhotoUnreadableError(_unreadable(name, error)) from error
    return _upright_photo(decoded)


def _read_stream(stream: BinaryIO, name: str, max_pixels: int) -> BinaryIO:
    """Read a pipe to its end, but no more than the largest allowed photo (four floats a pixel) could need."""
    limit = 16 * max_pixels + (64 << 20)
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise PhotoUnreadableError(f"{name}: more data than a photo of {max_pixels} pixels has; raise --max-pixels")
    return io.BytesIO(data)


def _upright_photo(decoded: Decoded) -> Photo:
    """Turn a decoded picture upright, reset its orientation tags, and replace an unusable profile."""
    notes = decoded.notes
    exif, exif_orientation, xmp_orientation = decoded.exif, None, None
    xmp = drop_stale_xmp(decoded)
    if exif:
        try:
            exif, exif_orientation = reset_exif_orientation(exif)
        except ValueError as error:
            notes.append(f"its EXIF data is broken and dropped: {error}")
            exif = None
    if xmp:
        xmp, xmp_orientation = reset_xmp_orientation(xmp)
    # EXIF counts before XMP (Metadata Working Group, section 5.2).
    orientation = decoded.orientation or exif_orientation or xmp_orientation or 1
    stored = exif_orientation or orientation  # what the metadata describe, also if the decoder has turned the picture
    exif, xmp = exif and turn_exif(exif, stored), xmp and turn_xmp(xmp, stored)
    dpi = decoded.dpi[::-1] if decoded.dpi and orientation >= 5 else decoded.dpi
    shape = decoded.shape.turned() if decoded.shape and orientation >= 5 else decoded.shape
    photo = Photo(
        turn_upright(decoded.pixels, orientation),
        None if decoded.alpha is None else turn_upright(decoded.alpha, orientation),
        decoded.format,
        Metadata(
            exif, decoded.icc, xmp, dpi, extras_for_upright(decoded.extras, orientation, notes), shape, decoded.colour
        ),
        tuple(notes),
        None if decoded.extra is None else turn_upright(decoded.extra, orientation),
        decoded.recoloured,
    )
    return _with_usable_profile(photo)


def turn_upright(samples: NDArray, orientation: int) -> NDArray:
    """Turn (H, W, ...) samples upright from an EXIF orientation of 1 to 8 (EXIF 2.32, section 4.6.4.A)."""
    if orientation == 1:
        return samples
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)


def _with_usable_profile(photo: Photo) -> Photo:
    """Keep a profile that converts both ways, convert to sRGB from one that converts one way, drop any other."""
    icc = photo.metadata.icc
    if icc is None:
        return photo
    space = profile_space(icc)
    if photo.pixels.shape[2] == 1 or space == "rgb":
        if converts_both_ways(icc):
            return photo
        if space and space != "cmyk" and converts_to_srgb(icc, space):
            note = "its colour profile converts only one way, so the picture is converted to sRGB"
            return replace(photo.in_srgb(), notes=(*photo.notes, note))
    note = "its colour profile is broken or does not fit its pixels and is dropped; the colours are read as sRGB"
    return replace(photo, metadata=replace(photo.metadata, icc=None, colour=None), notes=(*photo.notes, note))


def _unreadable(name: str, error: Exception) -> str:
    if names_no_file(error):
        return f"{name}: no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return f"{name}: is a folder; name a photo in it"
    if isinstance(error, PermissionError):
        if is_url(name):
            return f"{name}: cannot be read ({error.strerror}); check the name and your credentials"
        return f"{name}: no permission to read the file; change its permissions"
    if isinstance(error, TransferError):
        return f"{name}: cannot be read ({error.strerror}); check the connection and try again"
    if isinstance(error, MemoryError):
        return f"{name}: the photo needs more memory than is available; make it smaller"
    if str(error).startswith("there is no page"):
        return f"{name}: {one_line(error)}; choose another --page"
    if isinstance(error, UnsupportedError):
        return f"{name}: {one_line(error)}; {error.remedy}"
    if type(error).__name__ == "UnidentifiedImageError":
        return f"{name}: not a picture in a known format; convert it to JPEG, PNG or TIFF"
    reason = "its data is damaged or cut off" if isinstance(error, struct.error) else one_line(error)
    return f"{name}: the picture cannot be decoded ({reason}); copy it again or convert it to PNG"
