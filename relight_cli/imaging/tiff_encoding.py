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
    return _append_directories(file.getvalue(), {tag: values for tag, values in directories.items() if values})


def _append_directories(tiff: bytes, directories: dict[int, dict[int, object]]) -> bytes:
    """Put sub-directories, and a new first directory that points to them, behind a little-endian TIFF (TIFF 6.0, 2)."""
    if not directories or tiff[:4] != b"II*\0":
        return tiff
    grown = bytearray(tiff)
    entries = []
    for tag, values in directories.items():
        grown += bytes(len(grown) % 2)  # directories begin on a word
        entries.append(struct.pack("<HHII", tag, 4, 1, len(grown)))
        directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II", group=tag)
        directory.update({key: value for key, value in values.items() if key != ExifTags.IFD.Interop})
        grown += directory.tobytes(len(grown))
    (first,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, first)
    entries += [tiff[start : start + 12] for start in range(first + 2, first + 2 + 12 * count, 12)]
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    grown += bytes(len(grown) % 2)
    struct.pack_into("<I", grown, 4, len(grown))
    return bytes(grown + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
