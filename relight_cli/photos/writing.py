"""Write photos: whole or not at all, in the depth and profile that the format can store."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from relight_cli.errors import MissingExtraError, OutputUnwritableError, UsageError
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.photos.cicp import grey_profile_of
from relight_cli.photos.codecs.encoding import encode
from relight_cli.photos.codecs.exr_layers import encode_layers
from relight_cli.photos.codecs.heif import BITS as HEIF_BITS
from relight_cli.photos.colour_profiles import is_linear, profile_space
from relight_cli.photos.effort import Effort
from relight_cli.photos.fingerprints import seal
from relight_cli.photos.formats import LINEAR_FORMATS, SUFFIXES, format_of
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.photo import Photo
from relight_cli.photos.working_space import WorkingSpace, in_working_space
from relight_cli.places.objects import place_of

_GREY = ("JPEG", "PNG", "TIFF", "JPEG2000")  # formats that store grey as such
_SPOOLED = 1 << 26  # bytes of an encoded picture for a pipe that stay in memory


def write_photo(
    photo: Photo,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002
    quality: int = 95,
    effort: Effort | str = Effort.DEFAULT,
    overwrite: bool = False,
    working_space: WorkingSpace | None = None,
) -> tuple[str, ...]:
    """Write a photo to a file, whole or not at all, or to a binary stream; return a note for each loss.

    The format is `format`, else that of the suffix, else (streams) the photo's own. `quality` is 1 to 100 for JPEG and
    AVIF, and for WebP, JPEG 2000 and HEIF, where 100 is lossless. `effort` is "fast", "default" or "small":
    the time that the encoder takes for a smaller file. With a `working_space` the colours are written in it, as floats,
    to EXR or TIFF alone. Raises UsageError, OutputUnwritableError, MissingExtraError, MemoryError.
    """
    effort = _known_effort(effort)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is out of range: give 1 to 100.")
    target = place_of(target) if isinstance(target, str | Path) else target
    target = Path(target) if isinstance(target, os.PathLike) and not isinstance(target, Path) else target
    name = str(target) if isinstance(target, Path) else "standard output"
    chosen = format or (format_of(target) if isinstance(target, Path) else photo.format)
    if working_space and not isinstance(target, Path) and format is None and chosen not in LINEAR_FORMATS:
        chosen = LINEAR_FORMATS[0]
    if chosen is None or chosen not in SUFFIXES.values():
        raise OutputUnwritableError(f"{name}: not a known picture format; end the name in {', '.join(SUFFIXES)}")
    if working_space and chosen not in LINEAR_FORMATS:
        raise OutputUnwritableError(f"{name}: {working_space.name} is written to .exr and .tif alone; choose one")
    photo, notes = in_working_space(photo, working_space, chosen) if working_space else _as_stored(photo, chosen)
    if isinstance(target, Path):
        with atomic_file(target, overwrite=overwrite) as temporary, temporary.open("r+b") as file:
            notes += _encode(file, photo, name, chosen, quality, effort)
            seal(file)
            return notes
    try:
        with tempfile.SpooledTemporaryFile(_SPOOLED) as file:  # encoders seek, which a pipe cannot
            notes += _encode(file, photo, name, chosen, quality, effort)  # type: ignore[arg-type]
            seal(file)  # type: ignore[arg-type]
            file.seek(0)
            shutil.copyfileobj(file, target)
            target.flush()
    except OSError as error:
        raise OutputUnwritableError(f"{name}: cannot be written ({error.strerror}); check the pipe") from error
    return notes


def _as_stored(photo: Photo, kind: str) -> tuple[Photo, tuple[str, ...]]:
    """Return a photo in colours that a format stores, and notes on what that changes."""
    notes: tuple[str, ...] = ()
    icc = photo.metadata.icc
    if kind == "EXR":
        photo = photo.in_linear_light()
    elif icc and kind != "TIFF" and is_linear(icc) and _needs_curve(photo, kind):
        photo = photo.in_display_curve()
    if photo.pixels.shape[2] == 1 and kind in ("WEBP", "AVIF", "HEIF") and icc and profile_space(icc) == "gray":
        # These formats store grey as RGB, which a grey profile does not describe.
        photo, notes = photo.in_srgb(), (f"{kind} cannot store a grey profile; the picture is converted to sRGB",)
    elif photo.pixels.shape[2] == 1 and kind in _GREY and kind != photo.format and photo.metadata.icc:
        # Readers ignore an RGB profile of a picture without colours.
        icc = grey_profile_of(photo.metadata.icc) or photo.metadata.icc
        photo = replace(photo, metadata=replace(photo.metadata, icc=icc))
    if kind == "HEIF" != photo.format and photo.pixels.dtype == np.uint16:
        notes += (f"HEIF is written with at most {HEIF_BITS} bits a channel; the rest is rounded",)
    return photo, notes


def write_layers(
    layered: LayeredPhoto,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    effort: Effort | str = Effort.DEFAULT,
    overwrite: bool = False,
) -> None:
    """Write layers as one OpenEXR to a file, whole or not at all, or to a binary stream.

    Memory holds some rows; a temporary file holds the samples until they are compressed. Raises UsageError,
    OutputUnwritableError, MissingExtraError.
    """
    effort = _known_effort(effort)
    if not isinstance(target, str | os.PathLike):
        _encode_layers(target, layered, "standard output", effort)
        return
    path = place_of(target if isinstance(target, str | Path) else Path(target))
    if path.suffix.lower() != ".exr":
        raise OutputUnwritableError(f"{path}: layers are written as OpenEXR; end the name in .exr")
    with atomic_file(path, overwrite=overwrite) as temporary, temporary.open("r+b") as file:
        _encode_layers(file, layered, str(path), effort)
        seal(file)


def _encode_layers(file: BinaryIO, layered: LayeredPhoto, name: str, effort: Effort) -> None:
    try:
        encode_layers(file, layered, effort)
    except MissingExtraError as error:
        raise MissingExtraError(f"{name}: {error}") from error
    except (MemoryError, OSError):  # have their own exit codes
        raise
    except Exception as error:  # the encoder raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputUnwritableError(f"{name}: the layers cannot be encoded ({reason}); leave out --layers") from error


def _known_effort(effort: Effort | str) -> Effort:
    if effort not in tuple(Effort):
        raise UsageError(f"effort {effort} is not known: give {', '.join(Effort)}.")
    return Effort(effort)


def _needs_curve(photo: Photo, kind: str) -> bool:
    """Return whether linear light gets a curve: few programs expect it, and it needs more bits.

    Eight bits of a file that says so stay as they are, and so do more bits where they are not rounded.
    """
    if photo.pixels.dtype == np.float32 or photo.format == "TIFF":  # light of an EXR, a camera or a renderer
        return True
    return photo.pixels.dtype == np.uint16 and (kind in ("JPEG", "WEBP", "AVIF") or kind == "HEIF" != photo.format)


def _encode(file: BinaryIO, photo: Photo, name: str, kind: str, quality: int, effort: Effort) -> tuple[str, ...]:
    try:
        parts = photo.pixels, photo.alpha, photo.metadata
        return encode(file, *parts, kind=kind, quality=quality, effort=effort, extra=photo.extra)
    except MissingExtraError as error:
        raise MissingExtraError(f"{name}: {error}") from error
    except MemoryError:  # has its own exit code
        raise
    except Exception as error:  # encoders raise anything
        if isinstance(error, OSError) and error.errno:  # from the file system
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputUnwritableError(f"{name}: cannot be encoded as {kind} ({reason}); choose PNG or TIFF") from error
