"""TIFF: the tags of any file, and the pixels of grey and RGB files with 8 bits, 16 bits or floats.

Pillow would silently reduce deep pixels to 8 bits, and its libtiff writes to stderr.
"""

import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image
from tifffile import COMPRESSION, PHOTOMETRIC, SAMPLEFORMAT

from relight_cli.photos.codecs.decoded import UnsupportedError, unassociate
from relight_cli.photos.codecs.tiff_colours import read_colours
from relight_cli.photos.codecs.tiff_exif import Tags, TiffSource, exif_block, read_directory, read_tags, same_bytes
from relight_cli.photos.codecs.tiff_extras import read_tiff_extras
from relight_cli.photos.codecs.tiff_pages import Place, choose_page, is_camera_raw
from relight_cli.photos.codecs.tiff_ycbcr import YCbCr, is_plain_ycbcr, read_samples, read_ycbcr
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.metadata import Extras
from relight_cli.photos.shape import Shape, aspect_of

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
    ExifTags.Base.DocumentName,
    ExifTags.Base.PageName,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Rating,
    ExifTags.Base.RatingPercent,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
# Tags of the Exif directory that scanners and TIFF/EP (ISO 12234-2) have in IFD0.
_SHOT_TAGS = (
    *(ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.ExposureProgram, ExifTags.Base.ISOSpeedRatings),
    *(ExifTags.Base.DateTimeOriginal, ExifTags.Base.ShutterSpeedValue, ExifTags.Base.ApertureValue),
    *(ExifTags.Base.BrightnessValue, ExifTags.Base.ExposureBiasValue, ExifTags.Base.MaxApertureValue),
    *(ExifTags.Base.SubjectDistance, ExifTags.Base.MeteringMode, ExifTags.Base.LightSource, ExifTags.Base.Flash),
    ExifTags.Base.FocalLength,
)
PLAIN = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
_ASSOCIATED = 1
_ALPHA = (_ASSOCIATED, 2)  # ExtraSamples (TIFF 6.0, section 18)
_COLOURS: dict[int, int] = {PHOTOMETRIC.RGB: 3, PHOTOMETRIC.SEPARATED: 4}
_CMYK = 1  # InkSet (TIFF 6.0, section 16)
_XMP, _ICC = 700, 34675
_READ_BYTES = 1 << 24  # at a time
_TO_DPI = {2: 1.0, 3: 2.54}  # factor by ResolutionUnit: dots per inch, per centimetre


@dataclass(frozen=True)
class TiffHeader:
    """The tags of the photo in a TIFF file."""

    width: int
    height: int
    pages: int
    place: Place
    raw: bool  # camera raw; none of the pages is the photo
    kind: str  # of its pixels, for messages
    direct: bool  # read_direct decodes it; else (palettes, 1 bit, CMYK, YCbCr) Pillow does
    exif: bytes | None
    icc: bytes | None
    xmp: bytes | None
    dpi: tuple[float, float] | None
    orientation: int | None
    extras: Extras
    shape: Shape | None
    colour: ColourTags | None = None
    ycbcr: YCbCr | None = None  # if the pixels are YCbCr, but not as in a JPEG
    plain_ycbcr: bool = False  # read_plain_ycbcr reads it


def read_header(file: BinaryIO, notes: list[str], wanted: int | None = None) -> TiffHeader:
    """Read the tags of the photo, or of page `wanted` (from 1), without its pixels.

    Add a note if its EXIF data is dropped. Raises ValueError if there is no such page, UnsupportedError for inks other
    than those of CMYK.
    """
    file.seek(8)
    canon_raw = file.read(2) == b"CR"
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        try:
            first = tiff.pages.first
        except IndexError as error:  # directories may be at the end of a file
            raise ValueError("the TIFF has no picture or is cut off") from error
        raw = canon_raw or is_camera_raw(tiff)
        place = Place(0) if raw else choose_page(tiff, wanted)
        page = place.of(tiff)
        # A thumbnail before the photo often has the tags of the photo.
        tags = [one.tags for one in ((page, first) if first.is_reduced and wanted is None else (page,))]
        direct = _is_direct(page)
        if not direct and place.below is not None:
            raise ValueError(f"its picture is a sub-directory with {PHOTOMETRIC(page.photometric).name} pixels")
        kind = _kind(tiff, page)
        width, height, pages = page.imagewidth, page.imagelength, len(tiff.pages)
        icc, xmp = (_first_value(tags, code) for code in (_ICC, _XMP))
        unit = _TO_DPI.get(page.tags.valueof("ResolutionUnit", 2))
        resolution = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
        orientation = _first_value(tags, "Orientation")
        extras = read_tiff_extras(tiff, page, notes)
        colour = read_colours(page, notes)
        is_ycbcr = page.photometric == PHOTOMETRIC.YCBCR
        ycbcr, plain_ycbcr = read_ycbcr(page) if is_ycbcr else None, is_ycbcr and is_plain_ycbcr(page)
        exif = _exif_of_pages(file, tiff, [first, page] if len(tags) > 1 else [page], notes)
    dpi, aspect = None, Fraction(1)
    if all(isinstance(value, tuple) and value[1] for value in resolution):
        across, down = (value[0] / value[1] for value in resolution)
        dpi = (unit * across, unit * down) if unit else None
        aspect = aspect_of(down, across) if unit is None else aspect
    return TiffHeader(
        width,
        height,
        pages,
        place,
        raw,
        kind,
        direct,
        exif,
        icc if isinstance(icc, bytes) and icc else None,  # a tag of another type is broken, so there is no note
        xmp if isinstance(xmp, bytes) and xmp else None,
        dpi,
        int(orientation) if orientation in range(1, 9) else None,
        extras,
        None if aspect == 1 else Shape(aspect),
        colour,
        ycbcr,
        plain_ycbcr,
    )


def _exif_of_pages(
    file: BinaryIO, tiff: tifffile.TiffFile, pages: list[tifffile.TiffPage], notes: list[str]
) -> bytes | None:
    """Return the EXIF data of pages, if they have any; add a note if it is broken."""
    codes = (*DESCRIPTIVE_TAGS, *_SHOT_TAGS, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    try:
        if not any(code in one.tags for one in pages for code in codes):
            return None
        offsets = dict.fromkeys(one.offset for one in pages)
        return _read_exif(file, offsets, tiff.byteorder, big=tiff.is_bigtiff)
    except Exception as error:  # noqa: BLE001  Pillow raises anything; broken metadata is never an error
        notes.append(f"its EXIF data cannot be read and is dropped ({error})")
        return None


def read_plain_ycbcr(file: BinaryIO, header: TiffHeader) -> NDArray[np.uint8]:
    """Decode YCbCr pixels for which `is_plain_ycbcr` holds to RGB (H, W, 3), not yet upright."""
    with tifffile.TiffFile(file) as tiff:
        samples = read_samples(file, header.place.of(tiff))
    if header.ycbcr:
        return header.ycbcr.to_rgb(samples)
    return np.asarray(Image.frombytes("YCbCr", samples.shape[1::-1], samples.tobytes()).convert("RGB"))


def read_direct(file: BinaryIO, place: Place, notes: list[str]) -> tuple[NDArray, NDArray | None, NDArray | None]:
    """Decode a picture as stored: (H, W, C) uint8, uint16 or float32 pixels and (H, W) alpha, not yet upright.

    The last array has the samples (H, W, N) that are neither, if any. Four channels are CMYK. Raises ValueError for
    pixels other than grey and RGB with 8 bits, 16 bits or floats, and CMYK with 8 or 16 bits.
    """
    with tifffile.TiffFile(file) as tiff:
        page = place.of(tiff)
        cmyk = page.photometric == PHOTOMETRIC.SEPARATED and page.bitspersample in (8, 16) and _has_cmyk_inks(page)
        if page.photometric not in PLAIN and not cmyk:
            raise ValueError(
                f"a TIFF with {PHOTOMETRIC(page.photometric).name} pixels deeper than 8 bits is not supported"
            )
        if page.imagedepth > 1:
            raise UnsupportedError(f"it is a volume of {page.imagedepth} slices in one page")
        if page.axes not in ("YX", "YXS", "SYX") or page.bitspersample not in (8, 16, 32, 64):
            raise ValueError(f"a TIFF with {page.bitspersample} bits a sample is not supported")
        if page.compression == COMPRESSION.JPEG and _is_cut(file, page):
            raise ValueError("its pixels are cut off")  # the decoder would fill them with grey
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
    kinds = [int(kind) for kind in extra] or [0] * (samples.shape[2] - colours)  # a missing tag says nothing of them
    pixels = samples[..., :colours]
    full = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    if photometric == PHOTOMETRIC.MINISWHITE:
        np.subtract(full, pixels, out=pixels, casting="unsafe")
    number = next((number for number, kind in enumerate(kinds) if kind in _ALPHA), None)
    others = [colours + at for at in range(len(kinds)) if at != number]
    extra = samples[..., others] if others else None
    if number is None:
        return pixels, None, extra
    alpha = samples[..., colours + number]
    if kinds[number] == _ASSOCIATED:  # associated: the colours are stored multiplied by alpha
        unassociate(pixels, alpha)
    return pixels, alpha, extra


def _is_direct(page: tifffile.TiffPage) -> bool:
    """Return whether `read_direct` decodes a picture. Raises UnsupportedError for inks other than those of CMYK."""
    if page.photometric == PHOTOMETRIC.SEPARATED and page.tags.valueof("InkSet", _CMYK) != _CMYK:
        raise UnsupportedError("its inks are not those of CMYK")
    bits = page.bitspersample
    deep = page.sampleformat == SAMPLEFORMAT.IEEEFP or (max(bits) if isinstance(bits, tuple) else bits) > 8
    return deep or (bits == 8 and (page.photometric in PLAIN or _has_more_than_inks(page)))


def _kind(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> str:
    """Return what a page says about its pixels, such as "4-bit RGB pixels and LZW compression"."""
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    colours, compression = (getattr(value, "name", value) for value in (page.photometric, page.compression))
    swapped = ", in a big-endian BigTIFF" * (tiff.is_bigtiff and tiff.byteorder == ">")  # which Pillow does not open
    return f"{bits}-bit {colours} pixels and {compression} compression{swapped}"


def _is_cut(file: BinaryIO, page: tifffile.TiffPage) -> bool:
    """Return whether a file ends before the pixels of a page do, or a page lacks the place of some."""
    if len(page.dataoffsets) != len(page.databytecounts) or len(page.dataoffsets) < prod(page.chunked):
        return True
    return file.seek(0, io.SEEK_END) < max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True)))


def _has_cmyk_inks(page: tifffile.TiffPage) -> bool:
    return page.sampleformat == SAMPLEFORMAT.UINT and page.tags.valueof("InkSet", _CMYK) == _CMYK


def _has_more_than_inks(page: tifffile.TiffPage) -> bool:
    """Return whether a CMYK picture has extra samples, which Pillow would drop without a word."""
    plain = page.photometric == PHOTOMETRIC.SEPARATED and page.compression not in (6, 7)  # JPEG may invert the inks
    return plain and bool(page.extrasamples) and _has_cmyk_inks(page)


def _first_value(tags: list[tifffile.TiffTags], code: int | str) -> Any:
    return next((tag.value for one in tags if (tag := one.get(code)) is not None), None)


def _read_exif(file: BinaryIO, offsets: Iterable[int], order: str, *, big: bool) -> bytes | None:
    """Copy the descriptive tags, the Exif and the GPS directory of the pictures at `offsets` into an EXIF block.

    Tags of later pictures replace those of earlier ones. The block has to be built again, because offsets in a TIFF
    refer to the whole file.
    """
    source = TiffSource(file, order, big)
    first: Tags = {}
    directories: dict[int, Tags] = {}
    for offset in offsets:
        tags = {tag: (kind, same_bytes(value)) for tag, (kind, value) in read_tags(source, offset).items()}
        described = _describes_array(tags.get(ExifTags.Base.ImageDescription, (0, ""))[1])
        wanted = [tag for tag in DESCRIPTIVE_TAGS if not (described and tag == ExifTags.Base.ImageDescription)]
        first |= {tag: tags[tag] for tag in wanted if tag in tags}
        shot = {tag: tags[tag] for tag in _SHOT_TAGS if tag in tags}
        for directory, outside in ((ExifTags.IFD.Exif, shot), (ExifTags.IFD.GPSInfo, {})):
            _, place = tags.get(directory, (0, None))
            if own := outside | read_directory(source, place, directory):
                directories[directory] = directories.get(directory, {}) | own
    return exif_block(order, first, directories) if first or directories else None


def _describes_array(description: object) -> bool:
    """Return whether a program has written the shape of its array as the description (tifffile, ImageJ, OME)."""
    return str(description).startswith(('{"shape":', "ImageJ=", "<?xml", "<OME"))
