"""JPEG 2000: 8 to 16 bits, with metadata in the boxes around its codestream (ISO 15444-1, annex I)."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.cores import available_cores
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, split_alpha, unassociate
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.metadata import Extras, Metadata, strip_exif_header
from relight_cli.rasters.bit_depth import expand_bits

MAGIC = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")  # with boxes, and a bare codestream
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3, section 1.1.6
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")  # what ExifTool, Exiv2 and Kakadu read
_KEPT_BOXES = (b"xml ", b"uuid", b"uinf", b"asoc")  # also GeoJP2 and GMLJP2
_COMMENT_BYTES = 65535 - 4  # in a segment
_COMMENT, _LATIN = b"\xff\x64", 1  # COM marker and its code for text (A.9.2)
_BY_ENCODERS = (b"Created by", b"Kakadu", b"Creator:")  # of the old file, not of the picture
_EXIF = b"JpgTiffExif->JP2"  # what ExifTool and Exiv2 read
_EXIFS = (_EXIF, bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"))  # the second is Photoshop's
_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I")
_INCH = 0.0254
_PROFILES = (b"\2", b"\3")  # restricted, and any ICC profile (15444-2, table M.23)
_METHODS = (b"\1", *_PROFILES, b"\5")  # enumerated, and code points of ITU-T H.273
_SRGB_SPACES, _ROMM = (0, 15, 16, 17, 18), 21  # 0, 15: black and white; 17: grey; 18: sYCC, which the decoder converts
ROMM_PRIMARIES = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585)  # ISO 22028-2
_OPACITY, _PREMULTIPLIED, _UNSPECIFIED = 1, 2, 65535  # kinds of channels (I.5.3.6)
_OTHER_SPACES = {
    **dict.fromkeys((1, 3, 4, 22, 23), "YCbCr"),
    **{11: "CMY", 12: "CMYK", 13: "YCCK", 14: "CIELab", 19: "CIEJab", 20: "e-sRGB", 24: "e-sYCC"},
}


def decode_jpeg2000(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode a picture; more than 8 bits become uint16. Raises ValueError for other pixels."""
    data = file.read()
    (*corners, components, depth) = _read_siz(data)
    check_size(corners[0] - corners[2], corners[1] - corners[3])  # the boxes may state another size
    found = read_metadata(data)
    notes: list[str] = []
    colour = _read_colours(data, notes)
    if found.icc or notes or (colour and not colour.srgb):  # the decoder would convert to 8-bit sRGB or refuse
        data = _with_colour_box(data, b"\1\0\0" + struct.pack(">I", 17 if components < 3 else 16))
    with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as image:
        check_size(*image.size)
        mode, dpi = image.mode, image.info.get("dpi")
    if mode not in _MODES:
        raise ValueError(f"a JPEG 2000 with pixels of mode {mode} is not supported")
    with quiet():  # openjpeg prints why it cannot convert subsampled colours
        samples = imagecodecs.jpeg2k_decode(data)
    if samples.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a JPEG 2000 with {samples.dtype} samples is not supported")
    if samples.dtype == np.uint16:
        samples = expand_bits(samples, (depth & 0x7F) + 1)
    pixels, alpha = split_alpha(samples)
    pixels, alpha = np.ascontiguousarray(pixels), None if alpha is None else np.ascontiguousarray(alpha)
    kinds, extra = _channel_kinds(data), None
    if alpha is not None and _PREMULTIPLIED in kinds:
        unassociate(pixels, alpha)
    elif alpha is not None and _UNSPECIFIED in kinds and _OPACITY not in kinds:
        extra, alpha = alpha[..., None], None
    return Decoded(
        pixels,
        alpha,
        "JPEG2000",
        found.exif,
        found.icc,
        found.xmp,
        dpi or _display_resolution(data),
        extras=found.extras,
        notes=notes,
        extra=extra,
        colour=colour,
    )


def encode_jpeg2000(samples: NDArray, metadata: Metadata, quality: int) -> bytes:
    """Encode (H, W, 1 to 4) samples: uint16 and quality 100 are lossless, else the PSNR is 20 + 0.3 x quality dB."""
    plane = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    lossless = quality == 100 or samples.dtype == np.uint16
    level = 0 if lossless else 20 + 3 * quality // 10
    data = imagecodecs.jpeg2k_encode(plane, level=level, codecformat="jp2", numthreads=available_cores())
    colour = b"\2\0\0" + metadata.icc if metadata.icc else None
    more = _channels_box(samples.shape[2]) + (_resolution_box(*metadata.dpi) if metadata.dpi else b"")
    data = _with_colour_box(bytes(data), colour, more)
    if metadata.extras.comments:
        data = _with_comments(data, metadata.extras.comments)
    for name, body in metadata.extras.boxes:
        data += _box(name, body)
    if metadata.extras.iptc:
        data += _box(b"uuid", _IPTC + metadata.extras.iptc)
    if metadata.xmp:
        data += _box(b"uuid", _XMP + metadata.xmp)
    return data + _box(b"uuid", _EXIF + metadata.exif) if metadata.exif else data


def read_metadata(data: bytes) -> Metadata:
    """Return the metadata in the boxes, except the resolution."""
    exif = icc = xmp = iptc = None
    boxes = []
    for name, body in iso_boxes(data) if data.startswith(MAGIC[0]) else ():
        if name == b"uuid" and body.startswith(_XMP):
            xmp = body[16:]
        elif name == b"uuid" and body.startswith(_EXIFS):
            exif = strip_exif_header(body[16:])
        elif name == b"uuid" and body.startswith(_IPTC):
            iptc = body[16:] or None
        elif name in _KEPT_BOXES:
            boxes.append((name, body))
        elif name == b"jp2h":
            first = next((part for kind, part in iso_boxes(body) if kind == b"colr" and part[:1] in _METHODS), b"")
            icc = first[3:] if first[:1] in _PROFILES else None
    comments = tuple(_comments(data))
    return Metadata(exif, icc, xmp, extras=Extras(iptc, comments=comments, boxes=tuple(boxes)))


def _read_colours(data: bytes, notes: list[str]) -> ColourTags | None:
    """Return what the first colour specification says that is no ICC profile (I.5.3.3); others are not for JP2.

    Raises ValueError for a colour space that the decoder does not convert.
    """
    header = dict(iso_boxes(data)).get(b"jp2h", b"") if data.startswith(MAGIC[0]) else b""
    boxes = [body for name, body in iso_boxes(header) if name == b"colr"]
    first = next((body for body in boxes if body[:1] in _METHODS), b"")
    if first[:1] == b"\1" and len(first) >= 7:
        (space,) = struct.unpack_from(">I", first, 3)
        if space in _SRGB_SPACES:
            return ColourTags(srgb=True)
        if space == _ROMM:
            return ColourTags(gamma=1.8, chromaticities=ROMM_PRIMARIES)
        if name := _OTHER_SPACES.get(space):
            raise ValueError(f"a JPEG 2000 with {name} colours is not supported")
        notes.append(f"its colour space (number {space}) is not known; the colours are read as sRGB")
    elif first[:1] == b"\5" and len(first) >= 9:
        primaries, transfer, matrix = struct.unpack_from(">HHH", first, 3)
        if matrix:
            raise ValueError("a JPEG 2000 with YCbCr code points is not supported")
        return ColourTags(
            (primaries, transfer), full_range=len(first) < 10 or first[9] >= 0x80, bits=_read_siz(data)[5] % 128 + 1
        )
    elif boxes and not first:
        notes.append("its colour space is in a form that is not known; the colours are read as sRGB")
    return None


def _channel_kinds(data: bytes) -> set[int]:
    """Return the kinds of channels that the header defines (I.5.3.6); none if it defines no channels."""
    header = dict(iso_boxes(data)).get(b"jp2h", b"") if data.startswith(MAGIC[0]) else b""
    body = dict(iso_boxes(header)).get(b"cdef", b"")
    return {struct.unpack_from(">H", body, at + 2)[0] for at in range(2, len(body) - 5, 6)}


def _channels_box(channels: int) -> bytes:
    """Return a box that says that the 2nd or 4th channel is alpha; nothing for colours alone."""
    if channels % 2:
        return b""
    kinds = [(number, 0, number + 1) for number in range(channels - 1)] + [(channels - 1, _OPACITY, 0)]
    return _box(b"cdef", struct.pack(">H", channels) + b"".join(struct.pack(">3H", *kind) for kind in kinds))


def _with_colour_box(data: bytes, colour: bytes | None, more: bytes = b"") -> bytes:
    """Replace the colour specification in the header (I.5.3.3), unless it is None, and add more boxes."""
    boxes = []
    for name, body in iso_boxes(data):
        if name == b"jp2h":
            parts = [_box(kind, colour if kind == b"colr" and colour else part) for kind, part in iso_boxes(body)]
            body = b"".join(parts) + more
        boxes.append(_box(name, body))
    return b"".join(boxes)


def _comments(data: bytes) -> Iterator[bytes]:
    """Yield the comments in the main header of the codestream (A.9.2), except those of encoders about themselves."""
    at = data.find(MAGIC[1]) + 2
    while 2 <= at <= len(data) - 6 and data[at] == 0xFF and data[at : at + 2] not in (b"\xff\x90", b"\xff\x93"):
        length, code = struct.unpack_from(">HH", data, at + 2)
        text = data[at + 6 : at + 2 + length]
        if (
            data[at : at + 2] == _COMMENT
            and code == _LATIN
            and text.strip(b"\0 ")
            and not text.startswith(_BY_ENCODERS)
        ):
            yield text
        at += 2 + max(2, length)


def _with_comments(data: bytes, comments: tuple[bytes, ...]) -> bytes:
    """Insert comments after the SIZ segment of the codestream."""
    pieces = (text[at : at + _COMMENT_BYTES] for text in comments for at in range(0, len(text), _COMMENT_BYTES))
    block = b"".join(_COMMENT + struct.pack(">HH", len(text) + 4, _LATIN) + text for text in pieces)
    boxes = []
    for name, body in iso_boxes(data):
        if name == b"jp2c":
            (length,) = struct.unpack_from(">H", body, 4)  # of SIZ, the first segment
            body = body[: 4 + length] + block + body[4 + length :]
        boxes.append(_box(name, body))
    return b"".join(boxes)


def iso_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of adjacent boxes of an ISO media file; stop at one that is cut off."""
    start = 0
    while start + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= len(data):
            (length,), head = struct.unpack_from(">Q", data, start + 8), 16
        end = start + length if length else len(data)
        if end < start + head or end > len(data):
            return
        yield name, data[start + head : end]
        start = end


def _box(name: bytes, body: bytes) -> bytes:
    if len(body) + 8 >= 1 << 32:
        return struct.pack(">I4sQ", 1, name, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, name) + body


def _resolution_box(across: float, down: float) -> bytes:
    """Return a box with dots per inch as whole dots per metre (I.5.3.7.1)."""
    scaled = [min(65535, round(dots / _INCH)) for dots in (down, across)]
    return _box(b"res ", _box(b"resc", struct.pack(">HHHHbb", scaled[0], 1, scaled[1], 1, 0, 0)))


def _display_resolution(data: bytes) -> tuple[float, float] | None:
    """Return the dots per inch at which to show a picture (I.5.3.7.2); Pillow reads only those of its capture."""
    body = data
    for name in (b"jp2h", b"res ", b"resd"):
        body = dict(iso_boxes(body)).get(name, b"") if data.startswith(MAGIC[0]) else b""
    if len(body) < 10 or not all(struct.unpack_from(">4H", body)):
        return None
    above, below, across, over, *powers = struct.unpack_from(">4H2b", body)
    return across / over * 10.0 ** powers[1] * _INCH, above / below * 10.0 ** powers[0] * _INCH


def _read_siz(data: bytes) -> tuple[int, ...]:
    """Return right, bottom, left and top, the number of components and the first one's depth from SIZ (A.5.1)."""
    start = data.find(MAGIC[1])
    if start < 0 or start + 43 > len(data):
        raise ValueError("the JPEG 2000 is cut off")
    return struct.unpack_from(">4I16xHB", data, start + 8)
