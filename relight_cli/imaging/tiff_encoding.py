"""TIFF of 8, 16 bits and float, with the EXIF directories that tifffile leaves to others."""

import io
import struct

import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from relight_cli.imaging.photo_metadata import Metadata
from relight_cli.imaging.tiff_decoding import DESCRIPTIVE_TAGS

_XMP = 700


def encode_tiff(samples: NDArray, metadata: Metadata) -> bytes:
    """Encode (H, W, 1 to 4) uint8, uint16 or float32 samples, the 2nd or 4th being unassociated alpha.

    Deflate at level 1 with a predictor. EXIF tags move into directories of the file, as TIFF has no block for them.
    """
    channels = samples.shape[2]
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    extra = [(_XMP, "B", len(metadata.xmp), metadata.xmp, True)] if metadata.xmp else []
    for tag in DESCRIPTIVE_TAGS:
        if isinstance(exif.get(tag), str):
            # Pillow reads the bytes as Latin-1, whatever they are; this gives the same bytes back.
            extra.append((int(tag), "s", 0, exif[tag].encode("latin-1", "replace"), True))
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        samples[..., 0] if channels == 1 else samples,
        byteorder="<",
        bigtiff=samples.nbytes > 3 << 30,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=("unassalpha",) if channels in (2, 4) else None,
        compression="zlib",
        compressionargs={"level": 1},
        predictor=True,
        metadata=None,
        software=False,
        iccprofile=metadata.icc,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        extratags=extra,
    )
    directories = {int(tag): exif.get_ifd(tag) for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    _append_directories(file, {tag: values for tag, values in directories.items() if values})
    return file.getvalue()


def _append_directories(file: io.BytesIO, directories: dict[int, dict[int, object]]) -> None:
    """Put sub-directories, and a new first directory that points to them, behind a little-endian TIFF (TIFF 6.0, 2)."""
    head = bytes(file.getbuffer()[:8])
    if not directories or head[:4] != b"II*\0":
        return
    entries = []
    for tag, values in directories.items():
        start = _next_word(file)
        entries.append(struct.pack("<HHII", tag, 4, 1, start))
        directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II", group=tag)
        directory.update({key: value for key, value in values.items() if key != ExifTags.IFD.Interop})
        file.write(directory.tobytes(start))
    (first,) = struct.unpack_from("<I", head, 4)
    file.seek(first)
    (count,) = struct.unpack("<H", file.read(2))
    entries += [file.read(12) for _ in range(count)]
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    start = _next_word(file)
    file.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<I", start))


def _next_word(file: io.BytesIO) -> int:
    """Go to the end of a file, made even, and tell where that is: directories begin on a word."""
    end = file.seek(0, io.SEEK_END)
    file.write(bytes(end % 2))
    return end + end % 2
