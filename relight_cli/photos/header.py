"""Headers of photos, read without decoding a pixel: size, orientation, metadata, and how this tool made the picture."""

import contextlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image

from relight_cli.photos.codecs import exr, heif, jpeg2000, netpbm, radiance, raw, tiff_decoding
from relight_cli.photos.codecs.decoding import detect_format
from relight_cli.photos.codecs.heif_shape import read_shape
from relight_cli.photos.codecs.iso_items import read_head
from relight_cli.photos.codecs.pillow_decoding import PILLOW_FORMATS
from relight_cli.photos.codecs.png_chunks import read_png_metadata
from relight_cli.photos.fingerprints import split_record
from relight_cli.photos.formats import format_of
from relight_cli.photos.gif_comments import read_comment
from relight_cli.photos.metadata import TOOL, reset_exif_orientation, reset_xmp_orientation, strip_exif_header
from relight_cli.photos.provenance import history
from relight_cli.photos.special_files import require_no_special_file
from relight_cli.photos.xmp_packets import in_utf8
from relight_cli.places.marks import MADE, marks_of
from relight_cli.places.objects import ObjectPath, held

_START = 1 << 18  # bytes of a PNG in a bucket in which its metadata are looked for


@dataclass(frozen=True)
class Header:
    """The header of a photo."""

    width: int  # as stored, before the picture is turned upright
    height: int
    exif: bytes | None = None
    xmp: bytes | None = None
    container_orientation: int | None = None  # from the container; 1 if the decoder turns the picture upright
    software_text: str | None = None  # name of the software, if it is stored outside EXIF

    @property
    def orientation(self) -> int:
        """EXIF orientation of the stored picture, 1 to 8. Raises ValueError for broken EXIF."""
        exif = reset_exif_orientation(self.exif)[1] if self.exif else None
        return self.container_orientation or exif or (reset_xmp_orientation(self.xmp)[1] if self.xmp else None) or 1

    @property
    def software(self) -> str | None:
        """Name of the software that made the picture."""
        exif = Image.Exif()
        exif.load(self.exif or b"")
        return exif.get(ExifTags.Base.Software) or self.software_text


def read_header(path: Path) -> Header:
    """Read the header of a photo of any format. Raises MissingExtraError and whatever the libraries raise."""
    require_no_special_file(path)
    header = _read_header(path)
    return replace(header, xmp=in_utf8(header.xmp)) if header.xmp else header


def _read_header(path: Path) -> Header:
    with path.open("rb") as file:
        kind = detect_format(file)
        if kind == "TIFF":
            return _tiff(file)
        if kind == "RAW":
            return Header(*raw.upright_size(file), container_orientation=1)
        if kind == "HEIF":
            picture, _ = heif.open_primary(file)
            width, height = picture.size
            exif = picture.info.get("exif")
            return Header(width, height, exif and strip_exif_header(exif), picture.info.get("xmp"), 1)
        if kind == "EXR":
            with held(path) as copy:  # OpenEXR takes a name
                size, texts = exr.read_texts(copy)
            packet = texts.get("xmp")
            return Header(*size, xmp=packet.encode() if packet else None, software_text=texts.get("software"))
        if kind == "NETPBM":
            return Header(*netpbm.read_size(file))
        if kind == "RADIANCE":
            return Header(*radiance.read_size(file))
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            exif, xmp = image.info.get("exif"), image.info.get("xmp")
            if kind == "JPEG2000":
                file.seek(0)
                found = jpeg2000.read_metadata(file.read())
                exif, xmp = found.exif, found.xmp
            elif kind == "PNG":
                if isinstance(path, ObjectPath):  # what stands after the pixels is not worth reading all of them
                    file.seek(0)
                    chunks = read_png_metadata(io.BytesIO(file.read(_START)))
                else:
                    chunks = read_png_metadata(file)
                exif, xmp = chunks.exif, chunks.xmp
            size = image.size
            if image.format == "AVIF":
                with contextlib.suppress(ValueError):
                    rows, columns = read_shape(read_head(file)).crop(*size)
                    size = (columns.stop - columns.start, rows.stop - rows.start)
            if kind == "GIF":
                with held(path) as copy:
                    return Header(*size, software_text=read_comment(copy))
            # image.getexif() would decode the whole of a PNG without EXIF.
            return Header(*size, exif and strip_exif_header(exif), xmp, software_text=image.info.get("Software"))


def made_by_relight_cli(path: Path) -> bool:
    """Return whether the Software tag of a picture names this tool; False if its header cannot be read."""
    if format_of(path) == "RAW":  # never made by this tool, and slow to open
        return False
    try:
        if MADE in marks_of(path):
            return True
        software = read_header(path).software
    except Exception:  # noqa: BLE001  libraries raise anything; reading the photo later reports the error
        return False
    return str(software).startswith(f"{TOOL} ")


def has_header(path: Path) -> bool:
    """Return whether the header of a picture can be read; decoders may read a picture all the same."""
    try:
        read_header(path)
    except Exception:  # noqa: BLE001  decoders raise anything
        return False
    return True


def is_upright(path: Path) -> bool:
    """Return whether a picture is shown as it is stored; True if it does not say, as a video or a map."""
    try:
        return read_header(path).orientation == 1
    except Exception:  # noqa: BLE001  as above
        return True


def recorded_parameters(path: Path) -> str | None:
    """Return the `Provenance.parameters` in a picture's history, if the last entry is from this tool."""
    record = read_record(path)
    return record and split_record(record)[0]


def read_record(path: Path) -> str | None:
    """Return the `Provenance.record` in a picture's history, if the last entry is from this tool."""
    try:
        xmp = read_header(path).xmp
    except Exception:  # noqa: BLE001  libraries raise anything; a picture that cannot be read has no record
        return None
    entries = history(xmp) if isinstance(xmp, bytes) else []
    ours = entries and entries[-1].get("softwareAgent", "").startswith(f"{TOOL} ")
    return entries[-1].get("parameters") if ours else None


def _tiff(file: BinaryIO) -> Header:
    header = tiff_decoding.read_header(file, [])
    if header.raw:
        return Header(*raw.upright_size(file), header.exif, header.xmp, 1)
    return Header(header.width, header.height, header.exif, header.xmp, header.orientation)
