"""TIFF: the tags of any file, and the pixels of grey and RGB ones of 8 bits, 16 bits and float.

Pillow would flatten the deep ones to 8 bits without a word, and its libtiff writes to stderr by itself.
"""

import logging
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image
from tifffile import PHOTOMETRIC, SAMPLEFORMAT

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else its warnings reach stderr by themselves

# The descriptive tags of IFD0; the others tell how the file is laid out and mean nothing elsewhere.
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
_READ = 1 << 24  # bytes of the file at a time
_DOTS = {2: 1.0, 3: 2.54}  # ResolutionUnit: per inch, per centimetre


@dataclass(frozen=True)
class TiffHeader:
    """What a TIFF file says about its first picture."""

    width: int
    height: int
    pages: int
    raw: bool  # a camera's: what the first picture holds is not the photo
    direct: bool  # for read_direct; else (palettes, 1 bit, CMYK, YCbCr) for Pillow
    exif: bytes | None
    icc: bytes | None
    xmp: bytes | None
    dpi: tuple[float, float] | None
    orientation: int | None


def read_header(file: BinaryIO, notes: list[str]) -> TiffHeader:
    """Read the tags of the first picture without its pixels."""
    file.seek(8)
    canon_raw = file.read(2) == b"CR"
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        try:
            page = tiff.pages.first
        except IndexError as error:  # directories may stand at the end of a file
            raise ValueError("a TIFF without a picture, or cut off") from error
        raw = canon_raw or page.is_reduced or _DNG_VERSION in page.tags or page.photometric in _SENSOR
        bits = page.bitspersample
        deep = page.sampleformat == SAMPLEFORMAT.IEEEFP or (max(bits) if isinstance(bits, tuple) else bits) > 8
        direct = deep or (bits == 8 and page.photometric in _PLAIN)
        width, height, pages = page.imagewidth, page.imagelength, len(tiff.pages)
        icc, xmp = (page.tags.valueof(code) for code in (_ICC, _XMP))
        unit = _DOTS.get(page.tags.valueof("ResolutionUnit", 2))
        resolution = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
        orientation = page.tags.valueof("Orientation")
        exif = None
        try:
            exif = _read_exif(file, page.offset, tiff.byteorder, big=tiff.is_bigtiff)
        except Exception as error:  # noqa: BLE001  Pillow raises anything here, and metadata never costs a photo
            notes.append(f"its EXIF data is dropped, for it cannot be read ({error})")
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
        icc if isinstance(icc, bytes) and icc else None,  # a tag of another type is a fault, not a loss
        xmp if isinstance(xmp, bytes) and xmp else None,
        dpi,
        int(orientation) if orientation in range(1, 9) else None,
    )


def read_direct(file: BinaryIO, notes: list[str]) -> tuple[NDArray, NDArray | None]:
    """Decode the first picture as stored: (H, W, C) uint8, uint16 or float32 pixels and (H, W) alpha, not yet upright.

    Four channels are CMYK. Raises ValueError for kinds of pixels other than grey and RGB of 8 bits, 16 bits or float,
    and CMYK of 16 bits.
    """
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        inks = page.photometric == PHOTOMETRIC.SEPARATED and page.bitspersample == 16 and _are_cmyk(page)
        if page.photometric not in _PLAIN and not inks:
            raise ValueError(
                f"a TIFF of {PHOTOMETRIC(page.photometric).name} pixels deeper than 8 bits is not supported"
            )
        if page.axes not in ("YX", "YXS", "SYX") or page.bitspersample not in (8, 16, 32, 64):
            raise ValueError(f"a TIFF of {page.bitspersample} bits a sample is not supported")
        samples = page.asarray(buffersize=_READ)
        axes, photometric, extra = page.axes, page.photometric, page.extrasamples
    if samples.dtype == np.float64:
        notes.append("its 64 bits a channel are read as 32")
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32, copy=False)
    elif samples.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a TIFF of {samples.dtype} samples is not supported")
    if axes != "YXS":
        samples = samples[..., None] if axes == "YX" else np.moveaxis(samples, 0, -1)

    colours = _COLOURS.get(photometric, 1)
    if samples.ndim != 3 or samples.shape[2] < colours + len(extra):
        raise ValueError("a TIFF with fewer samples than its tags say")
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
        free = pixels * (full / np.maximum(alpha, 1 if full > 1 else 1e-6).astype(np.float32))[..., None]
        pixels = free if full == 1.0 else np.rint(np.minimum(free, full)).astype(pixels.dtype)
    return pixels, alpha


def _are_cmyk(page: tifffile.TiffPage) -> bool:
    return page.sampleformat == SAMPLEFORMAT.UINT and page.tags.valueof("InkSet", _CMYK) == _CMYK


def _read_exif(file: BinaryIO, offset: int, order: str, *, big: bool) -> bytes | None:
    """Gather the descriptive tags, the Exif and the GPS directory of the picture at an offset into an EXIF block.

    Here the offsets belong to the whole file, so that a new block is the only way.
    """
    if big and order == ">":
        raise ValueError("Pillow does not know big-endian BigTIFF")
    found = Image.Exif()
    found.endian, found.bigtiff = order, big
    found.load_from_fp(file, offset)
    kept = Image.Exif()
    kept.endian = found.endian
    for tag in DESCRIPTIVE_TAGS:
        if tag in found and not (tag == ExifTags.Base.ImageDescription and _tells_layout(found[tag])):
            kept[tag] = found[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if directory in found:
            kept[directory] = {
                tag: value for tag, value in found.get_ifd(directory).items() if tag != ExifTags.IFD.Interop
            }
    return kept.tobytes()[6:] if len(kept) else None


def _tells_layout(description: object) -> bool:
    """Tell whether a program has put the shape of its array where a description belongs (tifffile, ImageJ, OME)."""
    return str(description).startswith(('{"shape":', "ImageJ=", "<?xml", "<OME"))
