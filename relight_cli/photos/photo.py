"""Photos: read upright in their own colours, written whole with everything that came with them."""

import contextlib
import io
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import MissingExtraError, OutputUnwritableError, PhotoUnreadableError
from relight_cli.photos.atomic_files import whole_file
from relight_cli.photos.codecs.decoding import Decoded, decode
from relight_cli.photos.codecs.encoding import encode
from relight_cli.photos.codecs.heif import BITS as HEIF_BITS
from relight_cli.photos.colour_profiles import (
    LINEAR,
    converts_both_ways,
    converts_to_srgb,
    is_srgb,
    profile_space,
    profile_to_srgb,
    srgb_to_profile,
)
from relight_cli.photos.formats import SUFFIXES, format_of
from relight_cli.photos.metadata import Metadata, reset_exif_orientation, reset_xmp_orientation
from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import Rows, whole
from relight_cli.rasters.samples import Made, Samples, gathered, in_depth

__all__ = ["SUFFIXES", "Metadata", "Photo", "format_of", "read_photo", "write_photo"]


_SPOOLED = 1 << 26  # bytes of a picture for a pipe that stay in memory


@dataclass(frozen=True)
class Photo:
    """A photo in its own profile and depth: decoded, or made when it is read."""

    pixels: Samples  # (H, W, C), C = 1 or 3; uint8, uint16 or float32 (1.0 = white); upright
    alpha: NDArray | None = None  # (H, W), same dtype as pixels
    format: str = "PNG"  # one of SUFFIXES
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()  # what could not be kept, for the user to know

    @property
    def srgb(self) -> "SrgbRows":
        """The sRGB-encoded colours (H, W, 3), nominally in [0, 1]; outside it where the photo's gamut is wider."""
        return SrgbRows(self)

    def to_srgb(self) -> NDArray[np.float32]:
        """Return the whole of `srgb` as an array."""
        return whole(self.srgb)

    def with_srgb(self, srgb: Rows) -> "Photo":
        """Return the photo with the colours of an (H, W, 3) sRGB picture, in its own profile and depth.

        Values are clipped and rounded (float pixels keep theirs), grey stays grey. A pixel whose colour is the one that
        `to_srgb` gave keeps its very samples, so that an unchanged picture is unchanged under any profile.
        """
        return replace(self, pixels=gathered(self.showing(srgb).pixels))

    def showing(self, srgb: Rows) -> "Photo":
        """Do as `with_srgb`, but make the pixels when they are read, from this photo's own and the picture."""
        if srgb.shape != (*self.pixels.shape[:2], 3):
            raise ValueError(f"colours of shape {srgb.shape} do not fit a photo of shape {self.pixels.shape}")
        icc, channels = self.metadata.icc, self.pixels.shape[2]
        exact = channels == 3 and (icc is None or is_srgb(icc))  # an unchanged sample comes back by itself

        def make(rows: slice) -> NDArray:
            new = np.asarray(srgb[rows], np.float32)
            if exact:
                return from_unit(new, self.pixels.dtype)
            own = self.pixels[rows]
            same = (new == profile_to_srgb(to_unit(own), icc)).all(axis=-1, keepdims=True)
            return np.where(same, own, from_unit(srgb_to_profile(new, icc, channels), own.dtype))

        return replace(self, pixels=Made(self.pixels.shape, self.pixels.dtype, make))


@dataclass(frozen=True)
class SrgbRows:
    """A photo's colours in sRGB, (H, W, 3), converted when asked for; see `rasters.rows`."""

    photo: Photo

    @property
    def shape(self) -> tuple[int, ...]:
        """Tell height, width and channels."""
        return (*self.photo.pixels.shape[:2], 3)

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Give rows of it; of a float photo they may be its own samples, not to be written into."""
        return np.ascontiguousarray(profile_to_srgb(to_unit(self.photo.pixels[rows]), self.photo.metadata.icc))


def read_photo(source: Path | BinaryIO, *, max_pixels: int) -> Photo:
    """Read a photo from a file or a binary stream (from its start, where it can seek), turned upright.

    The size in the header is checked before a pixel is decoded. Raises PhotoUnreadableError for anything that is not a
    whole photo of at most `max_pixels` pixels, MissingExtraError for one that only an extra reads.
    """
    name = str(source) if isinstance(source, Path) else "standard input"

    def check_size(width: int, height: int) -> None:
        if width * height > max_pixels:
            raise PhotoUnreadableError(
                f"{name}: {width} x {height} pixels are more than the {max_pixels} allowed; raise --max-pixels"
            )

    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            if not file.seekable():
                file = _read_stream(file, name, max_pixels)
            file.seek(0)
            if not file.read(1):
                raise PhotoUnreadableError(f"{name}: the file is empty; copy it again from its source")
            file.seek(0)
            decoded = decode(file, check_size)
    except PhotoUnreadableError:
        raise
    except MissingExtraError as error:
        raise MissingExtraError(f"{name}: {error}") from error
    except Exception as error:  # decoders raise anything: SyntaxError, TypeError, MemoryError ...
        raise PhotoUnreadableError(_unreadable(name, error)) from error
    return _upright(decoded)


def write_photo(
    photo: Photo,
    target: Path | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002
    quality: int = 95,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a photo to a file, whole or not at all, or to a binary stream; return a note for each thing left out.

    The format is the one given, else the suffix's, else (streams) the photo's own. `quality` is 1 to 100 for JPEG and
    AVIF, and for WebP, JPEG 2000 and HEIF, where 100 is lossless. Raises OutputUnwritableError, MissingExtraError,
    MemoryError.
    """
    name = str(target) if isinstance(target, Path) else "standard output"
    chosen = format or (format_of(target) if isinstance(target, Path) else photo.format)
    if chosen is None or chosen not in SUFFIXES.values():
        raise OutputUnwritableError(f"{name}: not a known kind of picture; end the name in {', '.join(SUFFIXES)}")
    notes: tuple[str, ...] = ()
    icc = photo.metadata.icc
    if chosen == "EXR":
        photo = _in_linear_light(photo)
    elif icc == LINEAR and chosen != "TIFF":
        photo = _in_srgb(photo)  # few bits are too coarse for linear light, and few programs expect it
    if photo.pixels.shape[2] == 1 and chosen in ("WEBP", "AVIF", "HEIF") and icc and profile_space(icc) == "gray":
        # These hold grey as colour, which a grey profile does not describe.
        photo, notes = _in_srgb(photo), (f"{chosen} holds no grey profile; the picture is converted to sRGB",)
    if chosen == "HEIF" != photo.format and photo.pixels.dtype == np.uint16:
        notes += (f"HEIF is written with at most {HEIF_BITS} bits a channel; the rest is rounded",)
    if isinstance(target, Path):
        with whole_file(target, overwrite=overwrite) as temporary, temporary.open("r+b") as file:
            return notes + _encode(file, photo, name, chosen, quality)
    try:
        with tempfile.SpooledTemporaryFile(_SPOOLED) as file:  # a pipe takes no going back
            notes += _encode(file, photo, name, chosen, quality)  # type: ignore[arg-type]
            file.seek(0)
            shutil.copyfileobj(file, target)
            target.flush()
    except OSError as error:
        raise OutputUnwritableError(f"{name}: cannot be written ({error.strerror}); check the pipe") from error
    return notes


def _encode(file: BinaryIO, photo: Photo, name: str, kind: str, quality: int) -> tuple[str, ...]:
    try:
        return encode(file, photo.pixels, photo.alpha, photo.metadata, kind=kind, quality=quality)
    except MissingExtraError as error:
        raise MissingExtraError(f"{name}: {error}") from error
    except MemoryError:  # the exit code of that is another
        raise
    except Exception as error:  # encoders raise anything, too
        if isinstance(error, OSError) and error.errno:  # the disk's
            raise
        reason = _one_line(error)
        raise OutputUnwritableError(f"{name}: cannot be encoded as {kind} ({reason}); choose PNG or TIFF") from error


def _read_stream(stream: BinaryIO, name: str, max_pixels: int) -> BinaryIO:
    """Read a pipe to its end, but no more than the largest allowed photo (four floats a pixel) could need."""
    limit = 16 * max_pixels + (64 << 20)
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise PhotoUnreadableError(f"{name}: more data than a photo of {max_pixels} pixels has; raise --max-pixels")
    return io.BytesIO(data)


def _upright(decoded: Decoded) -> Photo:
    """Turn a decoded picture upright, reset its orientation tags, and settle which profile it is in."""
    notes = decoded.notes
    exif, xmp, turns = decoded.exif, decoded.xmp, [decoded.orientation]
    if exif:
        try:
            exif, orientation = reset_exif_orientation(exif)
            turns.append(orientation)
        except ValueError as error:
            notes.append(f"its EXIF data is broken and dropped: {error}")
            exif = None
    if xmp:
        xmp, orientation = reset_xmp_orientation(xmp)
        turns.append(orientation)  # counts only where EXIF is silent (Metadata Working Group, section 5.2)
    orientation = next((turn for turn in turns if turn), 1)
    dpi = decoded.dpi[::-1] if decoded.dpi and orientation >= 5 else decoded.dpi
    photo = Photo(
        _turn(decoded.pixels, orientation),
        None if decoded.alpha is None else _turn(decoded.alpha, orientation),
        decoded.format,
        Metadata(exif, decoded.icc, xmp, dpi),
        tuple(notes),
    )
    return _settle_profile(photo)


def _turn(samples: NDArray, orientation: int) -> NDArray:
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


def _settle_profile(photo: Photo) -> Photo:
    """Keep a profile that converts both ways; convert once through one that only reads; drop one that does not."""
    icc = photo.metadata.icc
    if icc is None:
        return photo
    space = profile_space(icc)
    if photo.pixels.shape[2] == 1 or space == "rgb":
        if converts_both_ways(icc):
            return photo
        if space and space != "cmyk" and converts_to_srgb(icc, space):
            note = "its colour profile has no way back, so the picture is converted to sRGB"
            return replace(_in_srgb(photo), notes=(*photo.notes, note))
    note = "its colour profile is broken or of another kind and is dropped; the colours are taken as sRGB"
    return replace(photo, metadata=replace(photo.metadata, icc=None), notes=(*photo.notes, note))


def _in_srgb(photo: Photo) -> Photo:
    plain = replace(photo, metadata=replace(photo.metadata, icc=None))
    return plain.with_srgb(photo.srgb)


def _in_linear_light(photo: Photo) -> Photo:
    """Turn the colours into linear sRGB light in float32, of any brightness and gamut."""
    if photo.metadata.icc == LINEAR and photo.pixels.dtype == np.float32:
        return photo
    light = Photo(in_depth(photo.pixels, np.dtype(np.float32)), metadata=Metadata(icc=LINEAR)).showing(photo.srgb)
    alpha = None if photo.alpha is None else gathered(in_depth(photo.alpha, light.pixels.dtype))
    return replace(photo, pixels=light.pixels, alpha=alpha, metadata=replace(photo.metadata, icc=LINEAR))


def _unreadable(name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name}: no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return f"{name}: is a folder; name a photo in it"
    if isinstance(error, PermissionError):
        return f"{name}: may not be read; change its permissions"
    if isinstance(error, MemoryError):
        return f"{name}: needs more memory than there is; make the photo smaller"
    if type(error).__name__ == "UnidentifiedImageError":
        return f"{name}: not a picture of a known kind; convert it to JPEG, PNG or TIFF"
    return f"{name}: the picture cannot be decoded ({_one_line(error)}); copy it again or convert it to PNG"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
