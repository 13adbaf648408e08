"""Names of picture formats that are not read, by the first bytes, so that a message can name the real reason."""

from typing import BinaryIO

from relight_cli.photos.codecs.decoded import UnsupportedError
from relight_cli.photos.codecs.iso_items import AVIF, HEIF, brands_of
from relight_cli.photos.formats import frames_remedy

_VIDEO = "a video"
_MAGIC = (
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"II\xbc\x01", "a JPEG XR picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"8BPB", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"SIMPLE  =", "a FITS picture"),
    (128, b"DICM", "a DICOM picture"),
    (0, b"SDPX", "a DPX picture"),
    (0, b"XPDS", "a DPX picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\xabKTX", "a KTX texture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"FLIF", "a FLIF picture"),
    (0, b"BPG\xfb", "a BPG picture"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"icns", "an icon"),
    (4, b"ftypM4A ", "a sound recording"),
    (4, b"moov", _VIDEO),  # QuickTime without a box of brands
    (4, b"mdat", _VIDEO),
    (4, b"wide", _VIDEO),
    (0, b"\x1aE\xdf\xa3", _VIDEO),
    (0, b"\0\0\1\xba", _VIDEO),
    (0, b"\0\0\1\xb3", _VIDEO),
    (8, b"AVI LIST", _VIDEO),
    (0, b"0&\xb2u\x8ef\xcf\x11", _VIDEO),  # WMV
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"<!DOCTYPE html", "a web page"),
    (0, b"<html", "a web page"),
)


# Brands of other pictures (ISO 23008-12, annexes G to M); the other ISO media files are videos.
_PICTURES = {b"jpeg", b"jpgs", b"j2ki", b"j2is", b"avci", b"avcs", b"vvic", b"vvis", b"evbi", b"evbs"}
_PACKETS = ((0, 188), (4, 192))  # first mark and distance of the marks in MPEG-TS and M2TS (ISO 13818-1, section 2.4.3)
_START = 512  # bytes that are looked at


def refuse_known(file: BinaryIO) -> None:
    """Raise UnsupportedError for a file of one of these kinds, ValueError for an AVIF, which is damaged."""
    file.seek(0)
    start = file.read(_START)
    brands = brands_of(start)
    if brands & AVIF:
        raise ValueError("the AVIF is damaged or cut off")
    name = next((name for at, magic, name in _MAGIC if start[at : at + len(magic)] == magic), None)
    if name is None and ((brands and not brands & (HEIF | _PICTURES)) or _is_stream(start)):
        name = _VIDEO
    if name == _VIDEO:
        raise UnsupportedError("it is a video", f"give a frame: {frames_remedy('VIDEO')}")
    if name:
        raise UnsupportedError(f"it is {name}, which is not supported")


def _is_stream(start: bytes) -> bool:
    """Return whether a file begins with three packets of MPEG-TS."""
    return any(start[first : first + 2 * step + 1 : step] == b"GGG" for first, step in _PACKETS)
