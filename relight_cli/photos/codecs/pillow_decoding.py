"""Decode what Pillow reads: JPEG, WebP, AVIF, BMP, GIF, and the metadata of others."""

import contextlib
import math
import struct
from dataclasses import replace
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from relight_cli.photos.codecs import (
    avif_colours,
    bmp,
    iso_items,
    jpeg_segments,
)
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, split_alpha
from relight_cli.photos.codecs.heif_shape import main_property
from relight_cli.photos.codecs.unsupported import refuse_known
from relight_cli.photos.colour_profiles import cmyk_to_srgb, converts_to_srgb
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.exif_axes import exif_resolution
from relight_cli.photos.metadata import Extras, drop_exif_orientation, reset_exif_orientation, strip_exif_header
from relight_cli.photos.shape import Shape, aspect_of, aspect_of_dots
from relight_cli.photos.xmp_packets import GAIN_MAP
from relight_cli.rasters.bit_depth import expand_bits
from relight_cli.rasters.rows import row_bands

# The only decoders of Pillow that ever see the bytes (EPS would run Ghostscript); MPO is read as JPEG.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP", "GIF", "PPM")

_GIF_XMP, _GIF_XMP_END = b"!\xff\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"  # XMP specification, part 3, section 1.1.2
_WRITTEN_AS = {"MPO": "JPEG", "BMP": "PNG", "GIF": "PNG", "PPM": "PNG"}

Image.MAX_IMAGE_PIXELS = None  # check_size replaces it
# glibc returns freed blocks above its largest threshold (32 MiB) to the system. With Pillow's blocks of 16 MiB, a
# thread's heap keeps a freed picture of 200 MP (0.8 GB) forever if a small object follows it.
Image.core.set_block_size(1 << 26)
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # profiles with large tables do not fit Pillow's 1 MiB


def decode_with_pillow(file: BinaryIO, check_size: SizeCheck, *, pixels: bool = True) -> Decoded:
    """Decode a format that Pillow reads; without `pixels`, only the metadata."""
    notes: list[str] = []
    file.seek(0)
    try:
        image = Image.open(file, formats=PILLOW_FORMATS)
    except UnidentifiedImageError:
        refuse_known(file)
        raise
    with image:
        check_size(*image.size)
        frames = getattr(image, "n_frames", 1)
        jpeg = image.format in ("JPEG", "MPO")
        gain_map = jpeg and jpeg_segments.has_gain_map(image)
        if frames > 1 + gain_map:
            notes.append(f"only the first of {frames} pictures is used")
        info = image.info
        comment = info.get("comment")  # of a GIF
        xmp, extras = info.get("xmp") or None, Extras(comments=(comment,) if isinstance(comment, bytes) else ())
        if jpeg:
            xmp, extras = jpeg_segments.read_extras(image, notes)
        aspect = aspect_of_dots(info)
        samples, alpha = np.empty((0, 0, 1), np.uint8), None
        icc = jpeg_segments.read_profile(image, notes) if jpeg else info.get("icc_profile")
        colour = ColourTags(srgb=True) if image.mode == "CMYK" else None
        exif, orientation = strip_exif_header(info["exif"]) if info.get("exif") else None, None
        if pixels:
            bits = 8
            if image.format == "AVIF":
                file.seek(0)
                data = file.read()
                bits = _avif_bits(data)
                colour = avif_colours.read_colours(data)
                exif, orientation = _avif_exif(data, exif)
            if bits > 8:  # Pillow would reduce them to 8
                file.seek(0)
                samples, alpha = split_alpha(expand_bits(imagecodecs.avif_decode(file.read(), index=0), bits))
            else:
                samples, alpha, icc = grey_or_rgb(image, icc, notes)
        return Decoded(
            samples,
            alpha,
            _WRITTEN_AS.get(str(image.format), str(image.format)),
            exif,
            icc,
            xmp,
            valid_dpi(_resolution(image)) if aspect == 1 else None,
            orientation,
            notes=notes,
            extras=extras,
            dropped=({GAIN_MAP} if gain_map else set()) | (jpeg_segments.camera_data(image) if jpeg else set()),
            shape=None if aspect == 1 else Shape(aspect),
            colour=colour,
        )


def _resolution(image: Image.Image) -> object:
    """Return the resolution that Pillow found; in the EXIF data of a JPEG it reads only that across the picture."""
    if image.format in ("JPEG", "MPO") and "exif" in image.info and image.info.get("jfif_unit") not in (1, 2):
        return exif_resolution(strip_exif_header(image.info["exif"])) or image.info.get("dpi")
    return image.info.get("dpi")


def decode_bmp(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode a BMP with the colours that its header states."""
    decoded = decode_with_pillow(file, check_size)
    icc, colour = bmp.read_colours(file, decoded.notes)
    return replace(decoded, icc=icc, colour=colour)


def decode_gif(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode the first frame of a GIF, with its XMP data and the aspect of its pixels."""
    decoded = decode_with_pillow(file, check_size)
    file.seek(0)
    data = file.read()
    aspect = data[12]  # (GIF89a, section 18)
    _, _, packet = data.partition(_GIF_XMP)
    xmp, end, _ = packet.partition(_GIF_XMP_END)
    return replace(
        decoded, xmp=xmp if end and xmp else None, shape=Shape(aspect_of(aspect + 15, 64)) if aspect else None
    )


def grey_or_rgb(
    image: Image.Image, icc: bytes | None, notes: list[str]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bytes | None]:
    """Decode an 8-bit picture of any mode to grey or RGB, alpha, and the profile if it still applies."""
    if image.mode == "CMYK":
        return from_cmyk(np.asarray(image), icc, notes), None, None
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"):
        raise ValueError(f"pixels of mode {image.mode} are not supported")
    transparent = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    mode += "A" * transparent
    image.load()
    return *split_alpha(_samples(image if image.mode == mode else image.convert(mode))), icc


def from_cmyk(inks: NDArray, icc: bytes | None, notes: list[str]) -> NDArray:
    """Convert (H, W, 4) CMYK to sRGB, through its profile if lcms2 can convert from it."""
    notes.append("its CMYK colours are converted to sRGB")
    return cmyk_to_srgb(inks, icc if icc and converts_to_srgb(icc, "cmyk") else None)


def _samples(image: Image.Image) -> NDArray[np.uint8]:
    """Copy a picture's samples band by band; np.asarray of the whole picture needs two more copies meanwhile."""
    width, height = image.size
    samples = np.empty((height, width, *np.asarray(image.crop((0, 0, 1, 1))).shape[2:]), np.uint8)
    for rows in row_bands(height, width):
        samples[rows] = np.asarray(image.crop((0, rows.start, width, rows.stop)))
    return samples


def _avif_exif(data: bytes, found: bytes | None) -> tuple[bytes | None, int | None]:
    """Return the EXIF data of an AVIF as stored, without an orientation, and the orientation of its boxes.

    Pillow builds EXIF data of the two that loses texts and maker notes; that is `found`, which is kept if it must be.
    """
    with contextlib.suppress(ValueError):
        orientation = (reset_exif_orientation(found)[1] if found else None) or 1
        stored = iso_items.read_exif(data)
        if stored:
            return drop_exif_orientation(stored), orientation
    return found, None


def _avif_bits(data: bytes) -> int:
    """Return 8, 10 or 12 bits: high_bitdepth and twelve_bit of the main picture (AV1 in ISOBMFF, section 2.3.3).

    Of a grid, the first tile says them.
    """
    settings = main_property(data, b"av1C") or data.partition(b"av1C")[2]
    if len(settings) < 3 or not settings[2] & 0x40:
        return 8
    return 12 if settings[2] & 0x20 else 10


def valid_dpi(dpi: object) -> tuple[float, float] | None:
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError, struct.error):
        across, down = (float(value) for value in dpi)  # type: ignore[attr-defined]
        if math.isfinite(across) and math.isfinite(down) and across >= 1 and down >= 1:
            return across, down
    return None
