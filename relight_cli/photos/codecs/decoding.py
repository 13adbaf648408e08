"""Decode photos by content, not by name: JPEG, PNG, WebP and AVIF here, other formats in their own modules."""

import contextlib
import io
import math
import struct
import warnings
from dataclasses import replace
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from relight_cli.photos.codecs import (
    avif_colours,
    bmp,
    jpeg,
    jpeg2000,
    jpeg_segments,
    netpbm,
    png_colours,
    raw,
    tiff_decoding,
)
from relight_cli.photos.codecs.appended_parts import SEARCHED_FORMATS, appended_parts
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, split_alpha
from relight_cli.photos.codecs.exr import decode_exr
from relight_cli.photos.codecs.heif import decode_heif
from relight_cli.photos.codecs.heif_shape import apply_heif_shape, read_shape
from relight_cli.photos.codecs.png_chunks import read_png_metadata
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.codecs.tiff_pages import page_note
from relight_cli.photos.codecs.unsupported import refuse_known
from relight_cli.photos.colour_profiles import cmyk_to_srgb, converts_to_srgb
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.extras import extras_for_upright
from relight_cli.photos.metadata import Extras, reset_xmp_orientation, strip_exif_header
from relight_cli.photos.shape import Shape, aspect_of, aspect_of_dots
from relight_cli.photos.xmp_packets import GAIN_MAP, without_development
from relight_cli.rasters.bit_depth import expand_bits
from relight_cli.rasters.rows import row_bands

# The only decoders of Pillow that ever see the bytes (EPS would run Ghostscript); MPO is read as JPEG.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP", "GIF", "PPM")

_WRITTEN_AS = {"MPO": "JPEG", "BMP": "PNG", "GIF": "PNG", "PPM": "PNG"}

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}  # ISO 23008-12, annex B

Image.MAX_IMAGE_PIXELS = None  # check_size replaces it
# glibc returns freed blocks above its largest threshold (32 MiB) to the system. With Pillow's blocks of 16 MiB, a
# thread's heap keeps a freed picture of 200 MP (0.8 GB) forever if a small object follows it.
Image.core.set_block_size(1 << 26)
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # profiles with large tables do not fit Pillow's 1 MiB


def decode(file: BinaryIO, check_size: SizeCheck, page: int | None = None) -> Decoded:
    """Decode the first full-size picture of a seekable file, or page `page` (from 1). Raises what the decoders raise.

    `check_size(width, height)` is called with the size in the header before a pixel is decoded.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = _decode(file, check_size, page)
        if decoded.format == "AVIF":  # neither Pillow nor imagecodecs applies the clean aperture
            decoded = apply_heif_shape(decoded, read_shape(file))
    if decoded.format in SEARCHED_FORMATS:
        decoded.dropped |= appended_parts(file)
    decoded.notes += dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
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
        "PNG": _decode_png,
        "JPEG": _decode_jpeg,
        "BMP": _decode_bmp,
        "GIF": _decode_gif,
        "NETPBM": netpbm.decode_netpbm,
        "JPEG2000": jpeg2000.decode_jpeg2000,
        "RAW": raw.develop,
        "HEIF": decode_heif,
    }
    return decoders.get(kind, _decode_with_pillow)(file, check_size)


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
    }
    if found := next((kind for kind, begin in magic.items() if start.startswith(begin)), ""):
        return found
    if netpbm.is_netpbm(start):
        return "BITMAP" if start[:2] in netpbm.BITMAPS else "NETPBM"
    brands = _brands(start)
    if b"crx " in brands:  # Canon's CR3
        return "RAW"
    return "HEIF" if brands & _HEIF and not brands & _AVIF else ""


def _decode_png(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    width, height, depth = struct.unpack_from(">IIB", file.read(25), 16)  # IHDR (PNG, section 11.2.1)
    check_size(width, height)
    notes: list[str] = []
    colour, decoded = png_colours.read_colours(file, notes), None
    file.seek(0)
    with contextlib.suppress(Exception):  # Pillow also refuses a damaged text or EXIF chunk
        decoded = _decode_with_pillow(file, check_size, pixels=depth != 16)
    if decoded:
        decoded = _with_png_metadata(decoded, file)
    if decoded and depth != 16:
        return replace(decoded, colour=colour, notes=notes + decoded.notes)
    file.seek(0)
    pixels, alpha = split_alpha(imagecodecs.png_decode(_png_without_metadata(file)))
    if decoded:
        return replace(decoded, pixels=pixels, alpha=alpha, colour=colour, notes=notes + decoded.notes)
    return Decoded(pixels, alpha, "PNG", notes=[*notes, "its metadata is damaged and is dropped"], colour=colour)


def _decode_jpeg(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    frame = jpeg.read_start(file)
    file.seek(0)
    if frame and frame.bits > 8:
        data = file.read()
        decoded = _decode_with_pillow(io.BytesIO(jpeg.as_8_bits(data, frame)), check_size, pixels=False)
        pixels, alpha = split_alpha(expand_bits(jpeg.decode_deep(data, frame), frame.bits))
        return replace(decoded, pixels=pixels, alpha=alpha)
    try:
        decoded = _decode_with_pillow(file, check_size)
        file.seek(0)
        if frame and jpeg.ends_early(file.read(), frame, decoded.pixels, jpeg.decode_plain):
            decoded.notes.append("its scan data ends early: a part of the picture is missing")
        return decoded
    except OSError as error:
        file.seek(0)
        if error.errno or "truncated" not in str(error):
            raise
        whole = jpeg.complete(file.read(), jpeg.decode_plain)
        if whole is None:
            raise
        return _decode_with_pillow(io.BytesIO(whole), check_size)


def _decode_bmp(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    decoded = _decode_with_pillow(file, check_size)
    return replace(decoded, icc=bmp.read_profile(file, decoded.notes))


def _decode_gif(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    decoded = _decode_with_pillow(file, check_size)
    file.seek(12)
    (aspect,) = file.read(1)  # (GIF89a, section 18)
    return replace(decoded, shape=Shape(aspect_of(aspect + 15, 64)) if aspect else None)


def _decode_with_pillow(file: BinaryIO, check_size: SizeCheck, *, pixels: bool = True) -> Decoded:
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
        samples, alpha, icc = np.empty((0, 0, 1), np.uint8), None, info.get("icc_profile")
        colour = ColourTags(srgb=True) if image.mode == "CMYK" else None
        if pixels:
            bits = _avif_bits(file) if image.format == "AVIF" else 8
            if image.format == "AVIF":
                file.seek(0)
                colour = avif_colours.read_colours(file.read())
            if bits > 8:  # Pillow would reduce them to 8
                file.seek(0)
                samples, alpha = split_alpha(expand_bits(imagecodecs.avif_decode(file.read(), index=0), bits))
            else:
                samples, alpha, icc = _grey_or_rgb(image, icc, notes)
        return Decoded(
            samples,
            alpha,
            _WRITTEN_AS.get(str(image.format), str(image.format)),
            strip_exif_header(info["exif"]) if info.get("exif") else None,
            icc,
            xmp,
            _valid_dpi(info.get("dpi")) if aspect == 1 else None,
            notes=notes,
            extras=extras,
            dropped={GAIN_MAP} if gain_map else set(),
            shape=None if aspect == 1 else Shape(aspect),
            colour=colour,
        )


def _with_png_metadata(decoded: Decoded, file: BinaryIO) -> Decoded:
    """Add the metadata that Pillow does not interpret or, without decoding the pixels, does not reach."""
    found = read_png_metadata(file)
    return replace(
        decoded,
        exif=decoded.exif or found.exif,
        xmp=decoded.xmp or found.xmp,
        icc=decoded.icc or found.icc,
        extras=found.extras,
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
        return replace(developed, xmp=xmp, extras=Extras(header.extras.iptc))
    if (note := page_note(header.place, header.pages)) and page is None:
        notes.append(note)
    icc, dpi, orientation, shape, extra = header.icc, header.dpi, header.orientation, header.shape, None
    colour = header.colour
    file.seek(0)
    if header.direct:
        pixels, alpha, extra = tiff_decoding.read_direct(file, header.place, notes)
        if pixels.shape[2] == 4:
            pixels, icc, colour = _from_cmyk(pixels, icc, notes), None, ColourTags(srgb=True)
    else:
        with quiet(), Image.open(file, formats=("TIFF",)) as image:
            colour = ColourTags(srgb=True) if image.mode == "CMYK" else colour
            try:
                image.seek(header.place.page)
                pixels, alpha, icc = _grey_or_rgb(image, icc, notes)
            except OSError as error:
                if error.errno:  # from the file system
                    raise
                # Pillow's message is only an error number of libtiff.
                raise ValueError("its pixels are damaged or cut off") from error
        # Pillow has turned the pixels upright (by XMP if the tag is missing), but not the resolution.
        applied = orientation or reset_xmp_orientation(header.xmp or b"")[1] or 1
        if applied >= 5:
            dpi, shape = dpi and dpi[::-1], shape and shape.turned()
        header = replace(header, extras=extras_for_upright(header.extras, applied, notes))
        orientation = 1
    return Decoded(
        pixels,
        alpha,
        "TIFF",
        header.exif,
        icc,
        header.xmp,
        _valid_dpi(dpi),
        orientation,
        notes,
        header.extras,
        shape=shape,
        extra=extra,
        colour=colour,
    )


def _grey_or_rgb(
    image: Image.Image, icc: bytes | None, notes: list[str]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bytes | None]:
    """Decode an 8-bit picture of any mode to grey or RGB, alpha, and the profile if it still applies."""
    if image.mode == "CMYK":
        return _from_cmyk(np.asarray(image), icc, notes), None, None
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"):
        raise ValueError(f"pixels of mode {image.mode} are not supported")
    transparent = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    mode += "A" * transparent
    image.load()
    return *split_alpha(_samples(image if image.mode == mode else image.convert(mode))), icc


def _from_cmyk(inks: NDArray, icc: bytes | None, notes: list[str]) -> NDArray:
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


def _avif_bits(file: BinaryIO) -> int:
    """Read high_bitdepth and twelve_bit from the av1C box (AV1 in ISOBMFF, section 2.3.3): 8, 10 or 12 bits."""
    file.seek(0)
    head = file.read(1 << 16)
    box = head.find(b"av1C")
    if box < 0 or box + 6 >= len(head) or not head[box + 6] & 0x40:
        return 8
    return 12 if head[box + 6] & 0x20 else 10


def _brands(start: bytes) -> set[bytes]:
    """Return the brands in the first box of an ISO media file (ISO 14496-12, section 4.3); none for other files."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(len(start), int.from_bytes(start[:4]))
    return {start[8:12]} | {start[place : place + 4] for place in range(16, end, 4)}


def _valid_dpi(dpi: object) -> tuple[float, float] | None:
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError, struct.error):
        across, down = (float(value) for value in dpi)  # type: ignore[attr-defined]
        if math.isfinite(across) and math.isfinite(down) and across >= 1 and down >= 1:
            return across, down
    return None
