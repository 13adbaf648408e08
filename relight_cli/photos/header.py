"""What the header of a photo tells, without a pixel being decoded."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image

from relight_cli.photos.codecs import exr as exr_photos
from relight_cli.photos.codecs import heif as heif_photos
from relight_cli.photos.codecs import jpeg2000, tiff_decoding
from relight_cli.photos.codecs import raw as raw_development
from relight_cli.photos.codecs.decoding import PILLOW_FORMATS, detect_format
from relight_cli.photos.formats import format_of
from relight_cli.photos.metadata import TOOL, reset_exif_orientation, reset_xmp_orientation, strip_exif_header


@dataclass(frozen=True)
class Header:
    """What a header says."""

    width: int  # of the picture as it lies in the file
    height: int
    exif: bytes | None = None
    xmp: bytes | None = None
    orientation: int | None = None  # where the container says it, or a decoder sees to it (1)
    text: str | None = None  # which software made it, where that is said outside EXIF

    @property
    def turn(self) -> int:
        """Tell the EXIF orientation, 1 to 8, that is to be undone. Raises ValueError for broken EXIF."""
        exif = reset_exif_orientation(self.exif)[1] if self.exif else None
        return self.orientation or exif or (reset_xmp_orientation(self.xmp)[1] if self.xmp else None) or 1

    @property
    def software(self) -> str | None:
        """Tell which software made the picture."""
        exif = Image.Exif()
        exif.load(self.exif or b"")
        return exif.get(ExifTags.Base.Software) or self.text


def read_header(path: Path) -> Header:
    """Read the header of a photo of any kind. Raises whatever the libraries raise, MissingExtraError among it."""
    with path.open("rb") as file:
        kind = detect_format(file)
        if kind == "TIFF":
            return _tiff(file)
        if kind == "RAW":
            return Header(*raw_development.upright_size(file), orientation=1)
        if kind == "HEIF":
            picture, _ = heif_photos.main_picture(file)
            width, height = picture.size
            exif = picture.info.get("exif")
            return Header(width, height, exif and strip_exif_header(exif), picture.info.get("xmp"), 1)
        if kind == "EXR":
            size, texts = exr_photos.read_texts(path)
            packet = texts.get("xmp")
            return Header(*size, xmp=packet.encode() if packet else None, text=texts.get("software"))
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            exif, xmp = image.info.get("exif"), image.info.get("xmp")
            if kind == "JPEG2000":
                file.seek(0)
                found = jpeg2000.read_metadata(file.read())
                exif, xmp = found.exif, found.xmp
            # Asked for EXIF, Pillow would decode a whole PNG that has none.
            return Header(*image.size, exif and strip_exif_header(exif), xmp, text=image.info.get("Software"))


def made_by_relight_cli(path: Path) -> bool:
    """Tell from a picture's header whether its Software tag names this tool; False for whatever cannot be read."""
    if format_of(path) == "RAW":  # which it never makes, and which takes long to open
        return False
    try:
        software = read_header(path).software
    except Exception:  # noqa: BLE001  libraries raise anything; what cannot be read is refused in its turn
        return False
    return str(software).startswith(f"{TOOL} ")


def _tiff(file: BinaryIO) -> Header:
    header = tiff_decoding.read_header(file, [])
    if header.raw:
        return Header(*raw_development.upright_size(file), header.exif, header.xmp, 1)
    return Header(header.width, header.height, header.exif, header.xmp, header.orientation)
