"""Encode photos: JPEG, WebP and AVIF through Pillow here, other formats in their own modules."""

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from relight_cli.cores import available_cores
from relight_cli.photos.codecs.exr import encode_exr
from relight_cli.photos.codecs.heif import BITS as HEIF_BITS
from relight_cli.photos.codecs.heif import encode_heif
from relight_cli.photos.codecs.jpeg2000 import encode_jpeg2000
from relight_cli.photos.codecs.jpeg_segments import segments_of
from relight_cli.photos.codecs.png_encoding import encode_png
from relight_cli.photos.codecs.storable import storable
from relight_cli.photos.codecs.tiff_encoding import encode_tiff
from relight_cli.photos.effort import Effort
from relight_cli.photos.library_warnings import library_warnings
from relight_cli.photos.metadata import Metadata, drop_exif_orientation
from relight_cli.photos.shape import pixel_aspect, shape_losses, write_jfif_aspect
from relight_cli.rasters.bit_depth import in_depth, to_unit
from relight_cli.rasters.rows import LazyRows, Raster, bands, to_array, with_alpha

_EXIF_HEADER = b"Exif\0\0"
# JPEG's code tables are optimised for pictures up to this size (files are a few percent smaller): that needs all
# coefficients in memory at once, six bytes a pixel.
OPTIMIZED_PIXELS = 1 << 26
_JPEG_PIXEL_BYTES = 10  # at most: three samples, each a code of 16 bits and a number of 10 bits
_PILLOW = ("JPEG", "WEBP", "AVIF")
WRITTEN_IN_BANDS = ("PNG", "TIFF", *_PILLOW)  # the others are encoded from an array of all samples
_MODES = {1: "L", 2: "RGBA", 3: "RGB", 4: "RGBA"}  # by channels: neither WebP nor AVIF has grey with alpha
MEMORY_HUNGRY = ("AVIF", "EXR", "JPEG2000")  # their encoders need 37, 24 and 17 bytes a pixel, the others 8 or less
# By benchmarks/encoders.py. AVIF: libaom's speed; WebP: its method.
_AVIF_SPEEDS = {Effort.FAST: 9, Effort.DEFAULT: 8, Effort.SMALL: 6}
_WEBP_METHODS = {Effort.FAST: 1, Effort.DEFAULT: 4, Effort.SMALL: 6}
_AVIF_THREADS = 2  # at least: with one thread libaom gives other bytes than with any other number
_DEPTHS = {  # all others are written with 8 bits
    "PNG": ("uint8", "uint16"),
    "TIFF": ("uint8", "uint16", "float32"),
    "JPEG2000": ("uint8", "uint16"),
    "HEIF": ("uint8", "uint16"),
    "EXR": ("float32",),
}
_LONGEST = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536}  # pixels a side, of libjpeg, libwebp and libaom
_lock = threading.Lock()
_writers: list[int] = []  # for each thread that writes an optimised JPEG, the size of Pillow's buffer to restore


def encode(
    file: BinaryIO,
    pixels: Raster,
    alpha: Raster | None,
    metadata: Metadata,
    *,
    kind: str,
    quality: int,
    effort: Effort = Effort.DEFAULT,
    extra: NDArray | None = None,
) -> tuple[str, ...]:
    """Encode (H, W, C) pixels and (H, W) alpha into an empty file, open to read and write; return notes on losses.

    A TIFF also holds `extra` samples (H, W, N) of the same dtype.
    JPEG has no alpha: the picture is blended with white. Metadata that the encoder refuses is left out.
    Raises OSError with its `errno` if the file cannot be written, ValueError for a picture that is too long, what the
    encoders raise for pixels that they cannot store, and MemoryError, also if memory runs out while pixels are made.
    """
    if max(pixels.shape[:2]) > (longest := _LONGEST.get(kind, sys.maxsize)):  # the encoders say other things
        raise ValueError(f"it holds at most {longest} pixels a side")
    pixels, alpha, notes = _in_depth_of(kind, pixels, alpha)
    if alpha is not None and kind == "JPEG":
        notes.append("JPEG cannot store transparency; the picture is blended with white")
        pixels, alpha = _blend_with_white(pixels, alpha), None
    notes += shape_losses(metadata, kind)
    metadata, lost = storable(metadata, kind)
    notes += lost
    samples = pixels if alpha is None else with_alpha(pixels, alpha)
    encoder = (
        _encoder(kind, samples, quality, effort)
        if extra is None
        else _encoder_with_extra(kind, samples, extra, notes, quality, effort)
    )
    refusal: Exception | None = None
    for attempt, dropped in _metadata_fallbacks(metadata):
        file.seek(0)
        file.truncate()
        try:
            # Pixels may be made as they are written: what is infinite in them is no warning of the encoder.
            with library_warnings() as warned, np.errstate(all="ignore"):
                encoder(file, attempt)
        except MemoryError:  # not caused by the metadata
            raise
        except Exception as error:  # encoders raise anything; the first refusal is passed on
            if isinstance(error, OSError) and error.errno:  # from the file system
                raise
            refusal = refusal or error
            continue
        if dropped:
            notes.append(f"the {dropped} metadata is dropped, because {kind} refuses it ({refusal})")
        notes += warned
        return tuple(notes)
    assert refusal is not None
    raise refusal


def _in_depth_of(kind: str, pixels: Raster, alpha: Raster | None) -> tuple[Raster, Raster | None, list[str]]:
    """Return pixels and alpha in a depth that the format stores, and a note if that rounds them."""
    notes: list[str] = []
    depths = _DEPTHS.get(kind, ("uint8",))
    if pixels.dtype.name in depths:
        return pixels, alpha, notes
    if kind != "EXR":
        bits = HEIF_BITS if kind == "HEIF" else 8 * np.dtype(depths[-1]).itemsize
        notes.append(f"{kind} is written with at most {bits} bits a channel; the rest is rounded")
    pixels = in_depth(pixels, np.dtype(depths[-1]))
    return pixels, None if alpha is None else in_depth(alpha, pixels.dtype), notes


def _metadata_fallbacks(metadata: Metadata) -> Iterator[tuple[Metadata, str]]:
    """Yield the metadata, then what is left without each part, then none; with the names of the dropped parts."""
    yield metadata, ""
    parts = {name: part for name, part in (("EXIF", "exif"), ("XMP", "xmp"), ("ICC", "icc")) if getattr(metadata, part)}
    for name, part in parts.items():
        yield replace(metadata, **{part: None}), name  # type: ignore[arg-type]
    if len(parts) > 1:
        yield Metadata(shape=metadata.shape), ", ".join(parts)


def _encoder(kind: str, samples: Raster, quality: int, effort: Effort) -> Callable[[BinaryIO, Metadata], object]:
    """Prepare the samples once; return a function that encodes them with given metadata into a file."""
    if kind == "PNG":
        return lambda file, metadata: encode_png(file, samples, metadata, effort)
    if kind == "TIFF":
        return lambda file, metadata: encode_tiff(file, samples, metadata, effort)
    if kind in _PILLOW:
        image, grey = _pillow_image(samples), samples.shape[2] == 1
        return lambda file, metadata: file.write(_encode_with_pillow(image, metadata, kind, quality, effort, grey=grey))
    array = to_array(samples)
    if kind == "JPEG2000":
        return lambda file, metadata: file.write(encode_jpeg2000(array, metadata, quality))
    if kind == "HEIF":
        return lambda file, metadata: file.write(encode_heif(array, metadata, quality, effort))
    return lambda file, metadata: encode_exr(file, array, metadata, effort)


def _encoder_with_extra(
    kind: str, samples: Raster, extra: NDArray, notes: list[str], quality: int, effort: Effort
) -> Callable[[BinaryIO, Metadata], object]:
    """Prepare a TIFF with extra samples; add a note if they cannot be kept."""
    if kind != "TIFF" or extra.dtype != samples.dtype:
        notes.append("its extra channels are dropped")
        return _encoder(kind, samples, quality, effort)
    shape = (*samples.shape[:2], samples.shape[2] + extra.shape[2])
    both = LazyRows(shape, samples.dtype, lambda rows: np.concatenate((samples[rows], extra[rows]), axis=-1))
    return lambda file, metadata: encode_tiff(file, both, metadata, effort, extra.shape[2])


def _pillow_image(samples: Raster) -> Image.Image:
    """Copy uint8 samples (H, W, 1 to 4) into a Pillow image, in bands: grey takes a byte a pixel, all else four."""
    height, width, channels = samples.shape
    image = Image.new(_MODES[channels], (width, height))
    for rows, band in bands(samples):
        if channels == 1:
            band = band[..., 0]
        elif channels == 2:
            band = band[..., [0, 0, 0, 1]]
        image.paste(Image.fromarray(np.ascontiguousarray(band)), (0, rows.start))
    return image


def _encode_with_pillow(
    image: Image.Image, metadata: Metadata, kind: str, quality: int, effort: Effort, *, grey: bool
) -> memoryview:
    options: dict[str, object] = {"quality": quality, "icc_profile": metadata.icc, "xmp": metadata.xmp or b""}
    exif = metadata.exif or b""
    if kind == "JPEG":
        optimized = effort != Effort.FAST and image.width * image.height <= OPTIMIZED_PIXELS
        options |= {
            "subsampling": "4:4:4",
            "optimize": optimized,
            "progressive": optimized and effort == Effort.SMALL,
            "exif": exif and _EXIF_HEADER + exif,
        }
        options |= {"extra": segments_of(metadata), "xmp": b""}
        if metadata.dpi:
            options["dpi"] = metadata.dpi
    elif kind == "WEBP":
        options |= {"exif": exif, "lossless": quality == 100, "exact": True}
        options |= {"method": _WEBP_METHODS[effort]}
    else:
        # Pillow rewrites EXIF with an Orientation, which AVIF does not need: it has a box for that.
        options |= {"exif": exif and drop_exif_orientation(exif)}
        options |= {"subsampling": "4:0:0" if grey else "4:4:4", "speed": _AVIF_SPEEDS[effort]}
        options |= {"max_threads": max(_AVIF_THREADS, available_cores())}
    file = io.BytesIO()  # Pillow would not report a full disk as such
    with _large_jpeg_buffer(image.width * image.height) if options.get("optimize") else contextlib.nullcontext():
        image.save(file, kind, **options)
    if kind == "JPEG" and not metadata.dpi:
        write_jfif_aspect(file, pixel_aspect(metadata))
    return file.getbuffer()


@contextlib.contextmanager
def _large_jpeg_buffer(pixels: int) -> Iterator[None]:
    """Let Pillow write any JPEG: for optimised code tables it gives libjpeg one buffer, which is too small for noise.

    The unwritten part of a larger buffer takes no memory. A thread that reads meanwhile reads larger blocks. The last
    of several threads that write restores the size.
    """
    with _lock:
        _writers.append(_writers[0] if _writers else ImageFile.MAXBLOCK)
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, _JPEG_PIXEL_BYTES * pixels)
    try:
        yield
    finally:
        with _lock:
            size = _writers.pop()
            if not _writers:
                ImageFile.MAXBLOCK = size


def _blend_with_white(pixels: Raster, alpha: Raster) -> Raster:
    """Blend uint8 pixels with white by alpha."""

    def make(rows: slice) -> NDArray[np.uint8]:
        opacity = to_unit(alpha[rows])[..., None]
        return np.rint(pixels[rows] * opacity + 255 * (1 - opacity)).astype(np.uint8)

    return LazyRows(pixels.shape, pixels.dtype, make)
