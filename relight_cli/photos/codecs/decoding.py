"""Decode photos by content, not by name; the formats are in their own modules."""

import io
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from relight_cli.photos.codecs import (
    iso_items,
    jpeg,
    jpeg2000,
    netpbm,
    radiance,
    raw,
    tiff_decoding,
)
from relight_cli.photos.codecs.appended_parts import SEARCHED_FORMATS, appended_parts
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError, split_alpha
from relight_cli.photos.codecs.exr import decode_exr
from relight_cli.photos.codecs.heif import decode_heif
from relight_cli.photos.codecs.heif_shape import apply_heif_shape, read_shape
from relight_cli.photos.codecs.jpeg_damage import damage_note
from relight_cli.photos.codecs.pillow_decoding import (
    decode_bmp,
    decode_gif,
    decode_with_pillow,
    from_cmyk,
    grey_or_rgb,
    valid_dpi,
)
from relight_cli.photos.codecs.png_decoding import decode_png
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.codecs.stream_colours import complete_colours
from relight_cli.photos.codecs.tiff_colours import widen_palette
from relight_cli.photos.codecs.tiff_jpeg import strip_damage_note
from relight_cli.photos.codecs.tiff_pages import page_note
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.exif_axes import turn_exif
from relight_cli.photos.extras import extras_for_upright
from relight_cli.photos.library_warnings import library_warnings
from relight_cli.photos.metadata import Extras, reset_xmp_orientation
from relight_cli.photos.xmp_axes import turn_xmp
from relight_cli.photos.xmp_packets import without_development
from relight_cli.rasters.bit_depth import expand_bits


def decode(file: BinaryIO, check_size: SizeCheck, page: int | None = None) -> Decoded:
    """Decode the first full-size picture of a seekable file, or page `page` (from 1). Raises what the decoders raise.

    `check_size(width, height)` is called with the size in the header before a pixel is decoded.
    """
    with library_warnings() as warned:
        decoded = _decode(file, check_size, page)
        if decoded.format == "AVIF":  # neither Pillow nor imagecodecs applies the clean aperture
            head = iso_items.read_head(file)
            decoded = apply_heif_shape(decoded, read_shape(head))
            decoded.dropped |= iso_items.dropped_parts(head)
    complete_colours(decoded, file)
    if decoded.format in SEARCHED_FORMATS:
        decoded.dropped |= appended_parts(file)
    decoded.notes += warned
    return decoded


def _decode(file: BinaryIO, check_size: SizeCheck, page: int | None) -> Decoded:
    kind = detect_format(file)
    if kind == "TIFF":
        return _decode_tiff(file, check_size, page)
    if kind == "EXR":
        return decode_exr(file, check_size, page)
    if page not in (None, 1):
        raise ValueError(f"there is no page {page}: only TIFF and EXR have pages")
    decoders = {
        "PNG": decode_png,
        "JPEG": _decode_jpeg,
        "BMP": decode_bmp,
        "GIF": decode_gif,
        "NETPBM": netpbm.decode_netpbm,
        "JPEG2000": jpeg2000.decode_jpeg2000,
        "RADIANCE": radiance.decode_radiance,
        "RAW": raw.develop,
        "HEIF": decode_heif,
    }
    return decoders.get(kind, decode_with_pillow)(file, check_size)


def detect_format(file: BinaryIO) -> str:
    """Return the format by the first bytes, "" if Pillow has to detect it; a TIFF may also be camera raw."""
    file.seek(0)
    start = file.read(64)
    file.seek(0)
    magic = {
        "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        "PNG": (b"\x89PNG",),
        "JPEG": (b"\xff\xd8\xff",),
        "JPEG2000": jpeg2000.MAGIC,
        "EXR": (b"\x76\x2f\x31\x01",),
        "RAW": raw.MAGIC,
        "BMP": (b"BM",),
        "GIF": (b"GIF8",),
        "RADIANCE": radiance.MAGIC,
    }
    if found := next((kind for kind, begin in magic.items() if start.startswith(begin)), ""):
        return found
    if netpbm.is_netpbm(start):
        return "BITMAP" if start[:2] in netpbm.BITMAPS else "NETPBM"
    brands = iso_items.brands_of(start)
    if b"crx " in brands:  # Canon's CR3
        return "RAW"
    return "HEIF" if brands & iso_items.HEIF and not brands & iso_items.AVIF else ""


def _decode_jpeg(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    frame = jpeg.read_start(file)
    file.seek(0)
    if frame and frame.bits > 8:
        data = file.read()
        decoded = decode_with_pillow(io.BytesIO(jpeg.as_8_bits(data, frame)), check_size, pixels=False)
        pixels, alpha = split_alpha(expand_bits(jpeg.decode_deep(data, frame), frame.bits))
        return replace(decoded, pixels=pixels, alpha=alpha)
    try:
        decoded = decode_with_pillow(file, check_size)
    except OSError as error:
        file.seek(0)
        whole = None if error.errno else _completed_jpeg(file.read())
        if whole is None:
            raise
        decoded = decode_with_pillow(io.BytesIO(whole), check_size)
    file.seek(0)
    data = file.read()
    missing = jpeg.missing_scan_data(data, frame, decoded.pixels, jpeg.decode_plain) if frame else None
    if note := missing or damage_note(data, scaled=bool(frame and not frame.is_lossless)):
        decoded.notes.append(note)
    return decoded


def _completed_jpeg(data: bytes) -> bytes | None:
    try:
        return jpeg.complete(data, jpeg.decode_plain)
    except OSError:
        return None


def _open_tiff(file: BinaryIO, kind: str) -> Image.Image:
    try:
        return Image.open(file, formats=("TIFF",))
    except UnidentifiedImageError as error:
        raise UnsupportedError(f"it is a TIFF with {kind}, which is not supported") from error


def _upright_header(header: tiff_decoding.TiffHeader, orientation: int, notes: list[str]) -> tiff_decoding.TiffHeader:
    """Return the header of a picture that is turned upright from an orientation of 1 to 8."""
    return replace(
        header,
        exif=header.exif and turn_exif(header.exif, orientation),
        xmp=header.xmp and turn_xmp(header.xmp, orientation),
        extras=extras_for_upright(header.extras, orientation, notes),
    )


def _decode_tiff(file: BinaryIO, check_size: SizeCheck, page: int | None = None) -> Decoded:
    notes: list[str] = []
    header = tiff_decoding.read_header(file, notes, page)
    check_size(header.width, header.height)
    if header.raw:  # the first picture may be a thumbnail or a preview
        if page not in (None, 1):
            raise ValueError(f"there is no page {page}: only TIFF and EXR have pages")
        developed = raw.develop(file, check_size, header.exif)
        xmp = without_development(header.xmp) if header.xmp else None
        return replace(developed, xmp=xmp, dpi=valid_dpi(header.dpi), extras=Extras(header.extras.iptc))
    if (note := page_note(header.place, header.pages)) and page is None:
        notes.append(note)
    icc, dpi, orientation, shape, extra = header.icc, header.dpi, header.orientation, header.shape, None
    colour = header.colour
    file.seek(0)
    if header.direct:
        pixels, alpha, extra = tiff_decoding.read_direct(file, header.place, notes)
        if pixels.shape[2] == 4:
            pixels, icc, colour = from_cmyk(pixels, icc, notes), None, ColourTags(srgb=True)
    elif header.plain_ycbcr:
        pixels, alpha = tiff_decoding.read_plain_ycbcr(file, header), None
    else:
        with quiet(), _open_tiff(file, header.kind) as image:
            colour = ColourTags(srgb=True) if image.mode == "CMYK" else colour
            try:
                image.seek(header.place.page)
                widen_palette(image)
                if header.ycbcr and image.mode == "YCbCr":  # else libjpeg has made RGB of it
                    pixels, alpha = header.ycbcr.to_rgb(np.asarray(image)), None
                else:
                    pixels, alpha, icc = grey_or_rgb(image, icc, notes)
            except OSError as error:
                if error.errno:  # from the file system
                    raise
                # Pillow's message is only an error number of libtiff.
                raise ValueError("its pixels are damaged or cut off") from error
        # Pillow has turned the pixels upright (by XMP if the tag is missing), but not the resolution.
        applied = orientation or reset_xmp_orientation(header.xmp or b"")[1] or 1
        if applied >= 5:
            dpi, shape = dpi and dpi[::-1], shape and shape.turned()
        header, orientation = _upright_header(header, applied, notes), 1
    if note := strip_damage_note(file, header.place):
        notes.append(note)
    return Decoded(
        pixels,
        alpha,
        "TIFF",
        header.exif,
        icc,
        header.xmp,
        valid_dpi(dpi),
        orientation,
        notes,
        header.extras,
        shape=shape,
        extra=extra,
        colour=colour,
    )
