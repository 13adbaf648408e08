"""Pixels to files: JPEG, WebP and AVIF through Pillow, PNG through libpng, TIFF see tiff_encoding."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.imaging.bit_depth import change_depth, row_bands, to_unit
from relight_cli.imaging.exr_photos import encode_exr, says_more_than_software
from relight_cli.imaging.heif_photos import BITS as HEIF_BITS
from relight_cli.imaging.heif_photos import encode_heif
from relight_cli.imaging.jpeg2000 import encode_jpeg2000
from relight_cli.imaging.photo_metadata import Metadata, drop_exif_orientation
from relight_cli.imaging.tiff_encoding import encode_tiff

_EXIF_HEADER = b"Exif\0\0"
# JPEG's code tables are fitted to pictures up to this size (a few percent smaller files): it takes all coefficients in
# memory at once, six bytes a pixel.
OPTIMIZED_PIXELS = 1 << 26
HUNGRY = ("AVIF", "EXR", "JPEG2000")  # their encoders take 37, 24 and 17 bytes a pixel, the others 8 and less
_DEPTHS = {  # the others are written with 8 bits
    "PNG": ("uint8", "uint16"),
    "TIFF": ("uint8", "uint16", "float32"),
    "JPEG2000": ("uint8", "uint16"),
    "HEIF": ("uint8", "uint16"),
    "EXR": ("float32",),
}


def encode(
    pixels: NDArray, alpha: NDArray | None, metadata: Metadata, *, kind: str, quality: int
) -> tuple[bytes, tuple[str, ...]]:
    """Encode (H, W, C) pixels and (H, W) alpha; return the file and a note for each thing the format could not hold.

    JPEG has no alpha: the picture is laid over white. Metadata that the encoder refuses is left out.
    Raises whatever the encoders raise for pixels they cannot hold (WebP ends at 16383 pixels a side).
    """
    notes = []
    depths = _DEPTHS.get(kind, ("uint8",))
    if pixels.dtype.name not in depths:
        if kind != "EXR":
            bits = HEIF_BITS if kind == "HEIF" else 8 * np.dtype(depths[-1]).itemsize
            notes.append(f"{kind} is written with at most {bits} bits a channel; the rest is rounded")
        pixels = change_depth(pixels, np.dtype(depths[-1]))
        alpha = None if alpha is None else change_depth(alpha, pixels.dtype)
    if alpha is not None and kind == "JPEG":
        notes.append("JPEG holds no transparency; the picture is laid over white")
        pixels, alpha = _over_white(pixels, alpha), None
    if metadata.dpi and kind in ("WEBP", "AVIF", "HEIF", "EXR"):
        notes.append(f"{kind} holds no resolution; the dpi are dropped")
        metadata = replace(metadata, dpi=None)

    if kind == "EXR" and says_more_than_software(metadata.exif):
        notes.append("EXR holds no EXIF, which is dropped")
    samples = pixels if alpha is None else np.concatenate((pixels, alpha[..., None]), axis=-1)
    refusal: Exception | None = None
    for attempt, dropped in _ever_less(metadata):
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                data = _encode(samples, attempt, kind, quality)
        except Exception as error:  # noqa: BLE001  encoders raise anything; the last refusal is passed on
            refusal = refusal or error
            continue
        if dropped:
            notes.append(f"the {dropped} metadata is dropped, for {kind} refuses it ({refusal})")
        notes += dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
        return data, tuple(notes)
    assert refusal is not None
    raise refusal


def _ever_less(metadata: Metadata) -> Iterator[tuple[Metadata, str]]:
    """Give the metadata, then what is left without each part, then none."""
    yield metadata, ""
    parts = {name: part for name, part in (("EXIF", "exif"), ("XMP", "xmp"), ("ICC", "icc")) if getattr(metadata, part)}
    for name, part in parts.items():
        yield replace(metadata, **{part: None}), name
    if len(parts) > 1:
        yield Metadata(), ", ".join(parts)


def _encode(samples: NDArray, metadata: Metadata, kind: str, quality: int) -> bytes:
    if kind == "PNG":
        return _encode_png(samples, metadata)
    if kind == "TIFF":
        return encode_tiff(samples, metadata)
    if kind == "JPEG2000":
        return encode_jpeg2000(samples, metadata, quality)
    if kind == "HEIF":
        return encode_heif(samples, metadata, quality)
    if kind == "EXR":
        return encode_exr(samples, metadata)
    options: dict[str, object] = {"quality": quality, "icc_profile": metadata.icc, "xmp": metadata.xmp or b""}
    exif = metadata.exif or b""
    if kind == "JPEG":
        options |= {
            "subsampling": "4:4:4",
            "optimize": samples[..., 0].size <= OPTIMIZED_PIXELS,
            "exif": exif and _EXIF_HEADER + exif,
        }
        if metadata.dpi:
            options["dpi"] = metadata.dpi
    elif kind == "WEBP":
        options |= {"exif": exif, "lossless": quality == 100, "exact": True}
    else:
        # Pillow writes EXIF anew where it finds an Orientation; AVIF turns by a box of its own and needs none.
        options |= {"exif": exif and drop_exif_orientation(exif)}
        options |= {"subsampling": "4:0:0"} if samples.shape[2] == 1 else {"subsampling": "4:4:4"}
    if samples.shape[2] == 2:  # neither WebP nor AVIF has grey with alpha
        samples = samples[..., [0, 0, 0, 1]]
        options |= {"subsampling": "4:4:4"}
    image = Image.fromarray(np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _encode_png(samples: NDArray, metadata: Metadata) -> bytes:
    """Encode at zlib level 1, five times as fast as level 6, and put the metadata behind IHDR (PNG, section 11.3)."""
    # A last axis of one may carry any stride in numpy, at which imagecodecs balks.
    plane = samples[..., 0] if samples.shape[2] == 1 else samples
    data = imagecodecs.png_encode(np.ascontiguousarray(plane), level=1)
    chunks = []
    if metadata.icc:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in metadata.dpi), 1)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    end_of_header = 33  # signature, then IHDR: length, name, 13 bytes, check sum
    encoded = memoryview(data)
    return b"".join((encoded[:end_of_header], *chunks, encoded[end_of_header:]))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _over_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    laid = np.empty_like(pixels)
    for rows in row_bands(*pixels.shape[:2]):
        cover = to_unit(alpha[rows])[..., None]
        laid[rows] = np.rint(pixels[rows] * cover + 255 * (1 - cover)).astype(np.uint8)
    return laid
