"""HEIC and HEIF pictures, through libheif: 8 bits, and 10 or 12 bits as uint16; needs the extra [heif]."""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError, split_alpha, unassociate
from relight_cli.photos.codecs.heif_shape import read_shape
from relight_cli.photos.codecs.iso_items import dropped_parts, read_head
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.effort import Effort
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import Metadata, strip_exif_header
from relight_cli.photos.shape import Shape
from relight_cli.rasters.bit_depth import expand_bits, reduce_bits

# Presets of x265, by benchmarks/encoders.py; libheif's own is "slow".
# Of x265. Coding units of 8 pixels cost half of the time of "fast", and save 1 % of the bytes.
_ENCODER = {
    Effort.FAST: {"preset": "ultrafast"},
    Effort.DEFAULT: {"preset": "fast", "x265:min-cu-size": "16"},
    Effort.SMALL: {"preset": "slow"},
}
BITS = 10  # written for uint16; the depth that phones and viewers support
_CONSTANT_LUMINANCE = 10  # of the matrix coefficients (ITU-T H.273, table 4)
_MODES = {(1, 1): "L", (1, 3): "RGB", (1, 4): "RGBA", (2, 1): "I;16", (2, 3): "RGB;16", (2, 4): "RGBA;16"}


def decode_heif(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode the primary picture, which libheif turns upright. Raises MissingExtraError and what libheif raises."""
    picture, count = open_primary(file)
    check_size(*picture.size)
    notes = [f"only the main one of {count} pictures is used"] if count > 1 else []
    samples = np.array(picture)
    if samples.dtype == np.uint16:
        bits = int(picture.info["bit_depth"])
        samples = expand_bits(samples >> (16 - bits), bits)
    pixels, alpha = split_alpha(samples)
    if alpha is not None and picture.premultiplied_alpha:
        unassociate(pixels, alpha)
    head = read_head(file)
    said, dropped = read_shape(head), dropped_parts(head)
    aspect = 1 / said.aspect if said.on_its_side else said.aspect
    exif, codes = picture.info.get("exif"), picture.info.get("nclx_profile")
    if codes and codes["matrix_coefficients"] == _CONSTANT_LUMINANCE:  # libheif takes it for the other one of BT.2020
        raise UnsupportedError("its colours are BT.2020 with constant luminance")
    return Decoded(
        np.ascontiguousarray(pixels),
        None if alpha is None else np.ascontiguousarray(alpha),
        "HEIF",
        strip_exif_header(exif) if exif else None,
        picture.info.get("icc_profile") or None,
        picture.info.get("xmp") or None,
        orientation=1,  # from boxes, which libheif applies; EXIF is ignored (HEIF, ISO 23008-12, section 6.5.10)
        notes=notes,
        dropped=dropped | {"depth map"} if picture.info.get("depth_images") else dropped,
        shape=None if aspect == 1 else Shape(aspect),
        colour=codes and ColourTags((codes["color_primaries"], codes["transfer_characteristics"])),
    )


def open_primary(file: BinaryIO) -> tuple[Any, int]:
    """Return the primary picture, not decoded, and the number of pictures. Raises as `decode_heif` does."""
    require_format("HEIF")
    import pillow_heif

    pictures = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    return pictures[pictures.primary_index], len(pictures)


def encode_heif(samples: NDArray, metadata: Metadata, quality: int, effort: Effort = Effort.DEFAULT) -> bytes:
    """Encode (H, W, 1 to 4) uint8 or uint16 samples; the 2nd or 4th is alpha.

    Quality 100 keeps every 8-bit colour sample; uint16 is rounded to BITS. Raises MissingExtraError, and what libheif
    raises.
    """
    require_format("HEIF")
    import pillow_heif

    if samples.shape[2] == 2:  # pillow_heif has no grey with alpha
        samples = samples[..., [0, 0, 0, 1]]
    if samples.dtype == np.uint16:
        samples = reduce_bits(samples, BITS) << np.uint16(16 - BITS)
    height, width, channels = samples.shape
    mode = _MODES[samples.dtype.itemsize, channels]
    picture = pillow_heif.from_bytes(mode, (width, height), np.ascontiguousarray(samples).tobytes())
    # 4:2:0 is what phones write and hardware decodes.
    options: dict[str, object] = {"quality": quality, "chroma": 444 if quality == 100 else 420}
    if quality == 100 and channels > 1:
        options |= {"quality": -1, "matrix_coefficients": 0}  # lossless, without a change of colour space
    options["enc_params"] = _ENCODER[effort]
    parts = {"exif": metadata.exif, "icc_profile": metadata.icc, "xmp": metadata.xmp}
    file = io.BytesIO()
    picture.save(file, **options, **{name: part for name, part in parts.items() if part})
    return file.getvalue()
