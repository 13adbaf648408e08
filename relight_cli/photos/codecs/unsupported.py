"""Names of picture formats that are not read, by the first bytes, so that a message can name the real reason."""

from typing import BinaryIO

from relight_cli.photos.codecs.decoded import UnsupportedError

VIDEO = "a video"
_FRAMES = "give a frame: 'relight-cli interpolate-timelapse VIDEO --between 0 --mode image -o FOLDER' writes them all"
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
    (4, b"ftypqt  ", VIDEO),
    (4, b"ftypisom", VIDEO),
    (4, b"ftypmp4", VIDEO),
    (0, b"\x1aE\xdf\xa3", VIDEO),
    (0, b"\0\0\1\xba", VIDEO),
    (8, b"AVI LIST", VIDEO),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"<!DOCTYPE html", "a web page"),
    (0, b"<html", "a web page"),
)


def refuse_known(file: BinaryIO) -> None:
    """Raise UnsupportedError for a file of one of these kinds, ValueError for an AVIF, which is damaged."""
    file.seek(0)
    start = file.read(160)
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        raise ValueError("the AVIF is damaged or cut off")
    for at, magic, name in _MAGIC:
        if start[at : at + len(magic)] == magic:
            if name == VIDEO:
                raise UnsupportedError("it is a video", _FRAMES)
            raise UnsupportedError(f"it is {name}, which is not supported")
