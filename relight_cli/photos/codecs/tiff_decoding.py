"""TIFF: the tags of any file, and the pixels of grey and RGB files with 8 bits, 16 bits or floats.

Pillow would silently reduce deep pixels to 8 bits, and its libtiff writes to stderr.
"""

import logging
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image
from tifffile import PHOTOMETRIC, SAMPLEFORMAT

from relight_cli.photos.codecs.tiff_colours import read_colours
from relight_cli.photos.colour_tags import ColourTags

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else its warnings reach stderr

# The tags of IFD0 that describe the picture; the others describe the file layout and mean nothing elsewhere.
DESCRIPTIVE_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
_PLAIN = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
_SENSOR = (PHOTOMETRIC.CFA, PHOTOMETRIC.LINEAR_RAW)
_COLOURS: dict[int, int] = {PHOTOMETRIC.RGB: 3, PHOTOMETRIC.SEPARATED: 4}
_CMYK = 1  # InkSet (TIFF 6.0, section 16)
_XMP, _ICC, _DNG_VERSION = 700, 34675, 50706
_READ_BYTES = 1 << 24  # at a time
_TO_DPI = {2: 1.0, 3: 2.54}  # factor by ResolutionUnit: dots per inch, per centimetre


@dataclass(frozen=True)
class TiffHeader:
    """The tags of the first picture in a TIFF file."""

    width: int
    height: int
    pages: int
    raw: bool  # camera raw; the first picture is not the photo
    direct: bool  # read_direct decodes it; else (palettes, 1 bit, CMYK, YCbCr) Pillow does
    exif: bytes | None
    icc: bytes | None
    xmp: bytes | None
    dpi: tuple[float, float] | None
    orientation: int | None
    colour: ColourTags | None = None


def read_header(file: BinaryIO, notes: list[str]) -> TiffHeader:
    """Read the tags of the first picture without its pixels; add a note if its EXIF data is dropped."""
    file.seek(8)
    canon_raw = file.read(2) == b"CR"
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        try:
            page = tiff.pages.first
        except IndexError as error:  # directories may be at the end of a file
            raise ValueError("the TIFF has no picture or is cut off") from error
        raw = canon_raw or page.is_reduced or _DNG_VERSION in page.tags or page.photometric in _SENSOR
        bits = page.bitspersample
        deep = page.sampleformat == SAMPLEFORMAT.IEEEFP or (max(bits) if isinstance(bits, tuple) else bits) > 8
        direct = deep or (bits == 8 and page.photometric in _PLAIN)
        width, height, pages = page.imagewidth, page.imagelength, len(tiff.pages)
        icc, xmp = (page.tags.valueof(code) for code in (_ICC, _XMP))
        unit = _TO_DPI.get(page.tags.valueof("ResolutionUnit", 2))
        resolution = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
        orientation = page.tags.valueof("Orientation")
        colour = read_colours(page, notes)
        exif = None
        try:
            exif = _read_exif(file, page.offset, tiff.byteorder, big=tiff.is_bigtiff)
        except Exception as error:  # noqa: BLE001  Pillow raises anything; broken metadata is never an error
            notes.append(f"its EXIF data cannot be read and is dropped ({error})")
    dpi = None
    if unit and all(isinstance(value, tuple) and value[1] for value in resolution):
        across, down = (unit * value[0] / value[1] for value in resolution)
        dpi = (across, down)
    return TiffHeader(
        width,
        height,
        pages,
        raw,
        direct,
        exif,
        icc if isinstance(icc, bytes) and icc else None,  # a tag of another type is broken, so there is no note
        xmp if isinstance(xmp, bytes) and xmp else None,
        dpi,
        int(orientation) if orientation in range(1, 9) else None,
        colour,
    )


def read_direct(file: BinaryIO, notes: list[str]) -> tuple[NDArray, NDArray | None]:
    """Decode the first picture as stored: (H, W, C) uint8, uint16 or float32 pixels and (H, W) alpha, not yet upright.

    Four channels are CMYK. Raises ValueError for pixels other than grey and RGB with 8 bits, 16 bits or floats, and
    CMYK with 16 bits.
    """
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        cmyk = page.photometric == PHOTOMETRIC.SEPARATED and page.bitspersample == 16 and _has_cmyk_inks(page)
        if page.photometric not in _PLAIN and not cmyk:
            raise ValueError(
                f"a TIFF with {PHOTOMETRIC(page.photometric).name} pixels deeper than 8 bits is not supported"
            )
        if page.axes not in ("YX", "YXS", "SYX") or page.bitspersample not in (8, 16, 32, 64):
            raise ValueError(f"a TIFF with {page.bitspersample} bits a sample is not supported")
        samples = page.asarray(buffersize=_READ_BYTES)
        axes, photometric, extra = page.axes, page.photometric, page.extrasamples
    if samples.dtype == np.float64:
        notes.append("its 64 bits a channel are read as 32")
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32, copy=False)
    elif samples.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a TIFF with {samples.dtype} samples is not supported")
    if axes != "YXS":
        samples = samples[..., None] if axes == "YX" else np.moveaxis(samples, 0, -1)

    colours = _COLOURS.get(photometric, 1)
    if samples.ndim != 3 or samples.shape[2] < colours + len(extra):
        raise ValueError("the TIFF has fewer samples than its tags say")
    pixels = samples[..., :colours]
    full = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    if photometric == PHOTOMETRIC.MINISWHITE:
        np.subtract(full, pixels, out=pixels, casting="unsafe")
    if not extra:
        return pixels, None
    kind = int(extra[0])
    if kind not in (1, 2):
        notes.append("its extra channels are dropped")
        return pixels, None
    alpha = samples[..., colours]
    if kind == 1:  # associated: the colours are stored multiplied by alpha
        unmultiplied = pixels * (full / np.maximum(alpha, 1 if full > 1 else 1e-6).astype(np.float32))[..., None]
        pixels = unmultiplied if full == 1.0 else np.rint(np.minimum(unmultiplied, full)).astype(pixels.dtype)
    return pixels, alpha


def _has_cmyk_inks(page: tifffile.TiffPage) -> bool:
    return page.sampleformat == SAMPLEFORMAT.UINT and page.tags.valueof("InkSet", _CMYK) == _CMYK


def _read_exif(file: BinaryIO, offset: int, order: str, *, big: bool) -> bytes | None:
    """Copy the descriptive tags, the Exif and the GPS directory of the picture at `offset` into an EXIF block.

    The block has to be built again, because offsets in a TIFF refer to the whole file.
    """
    if big and order == ">":
        raise ValueError("Pillow does not support big-endian BigTIFF")
    found = Image.Exif()
    found.endian, found.bigtiff = order, big
    found.load_from_fp(file, offset)
    kept = Image.Exif()
    kept.endian = found.endian
    for tag in DESCRIPTIVE_TAGS:
        if tag in found and not (tag == ExifTags.Base.ImageDescription and _describes_array(found[tag])):
            kept[tag] = found[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if directory in found:
            kept[directory] = with_interop(found, directory)
    return kept.tobytes()[6:] if len(kept) else None


def with_interop(exif: Image.Exif, directory: int) -> dict[int, Any]:
    """Return the tags of a directory, the Interop directory in the Exif directory as tags too, not as an offset."""
    values = dict(exif.get_ifd(directory))
    interop = exif.get_ifd(ExifTags.IFD.Interop) if values.pop(ExifTags.IFD.Interop, None) else {}
    return {**values, ExifTags.IFD.Interop: dict(interop)} if interop else values


def _describes_array(description: object) -> bool:
    """Return whether a program has written the shape of its array as the description (tifffile, ImageJ, OME)."""
    return str(description).startswith(('{"shape":', "ImageJ=", "<?xml", "<OME"))
