"""TIFF with 8 bits, 16 bits or floats, and the EXIF directories that tifffile does not write."""

import io
import math
import struct
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import imagecodecs
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from relight_cli.cores import Pool
from relight_cli.photos.codecs.tiff_decoding import DESCRIPTIVE_TAGS
from relight_cli.photos.codecs.tiff_exif import Tags, directory_bytes, read_directory
from relight_cli.photos.codecs.tiff_extras import extra_tags
from relight_cli.photos.effort import Effort
from relight_cli.photos.exif_axes import exif_resolution
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.shape import dots_of, pixel_aspect
from relight_cli.rasters.rows import Raster, strips

_LEVELS = {Effort.FAST: 1, Effort.DEFAULT: 1, Effort.SMALL: 12}  # of libdeflate, by benchmarks/encoders.py
_XMP = 700
_STRIP = 1 << 18  # bytes in a strip, as in tifffile
_BATCH = 16  # strips compressed at a time
_BIG = 3 << 30  # bytes of samples that need a BigTIFF
_LONG, _LONG8 = 4, 16  # types (TIFF 6.0, section 2, and BigTIFF)


def encode_tiff(
    file: BinaryIO,
    samples: Raster,
    metadata: Metadata,
    effort: Effort = Effort.DEFAULT,
    unspecified: int = 0,
) -> None:
    """Write (H, W, 1 to 4) uint8, uint16 or float32 samples; the 2nd or 4th is unassociated alpha.

    `unspecified` more samples may follow. Compress with deflate and a predictor. EXIF tags become
    directories of the file, because TIFF has no EXIF block. Raises OSError.
    """
    height, width, channels = samples.shape
    colours = channels - unspecified
    extrasamples = ("unassalpha",) * (colours in (2, 4)) + ("unspecified",) * unspecified
    row = width * channels * samples.dtype.itemsize
    rows = min(height, max(1, _STRIP // row))
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    dpi = metadata.dpi or _dpi_of_exif(metadata)
    extra: list[tuple[int, int | str, int, bytes, bool]] = extra_tags(metadata.extras)
    extra += [(_XMP, "B", len(metadata.xmp), metadata.xmp, True)] if metadata.xmp else []
    for tag in DESCRIPTIVE_TAGS:
        if isinstance(exif.get(tag), str):
            # Pillow reads the bytes as Latin-1, whatever they are; this restores the same bytes.
            extra.append((int(tag), "s", 0, exif[tag].encode("latin-1", "replace"), True))
        elif isinstance(exif.get(tag), bytes):
            extra.append((int(tag), "B", len(exif[tag]), exif[tag], True))
        elif isinstance(exif.get(tag), int) and 0 <= exif[tag] < 1 << 16:
            extra.append((int(tag), "H", 1, struct.pack("<H", exif[tag]), True))
    tifffile.imwrite(
        tifffile.FileHandle(file, name="picture"),  # tifffile requires a name
        _compressed_strips(samples, rows, _LEVELS[effort]),
        shape=samples.shape[:2] if channels == 1 else samples.shape,
        dtype=samples.dtype,
        rowsperstrip=rows,
        byteorder="<",
        bigtiff=height * row > _BIG,
        photometric="rgb" if colours > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=extrasamples or None,
        compression="zlib",
        predictor=True,
        metadata=None,
        software=False,
        iccprofile=metadata.icc,
        resolution=dpi or _dots(metadata),
        resolutionunit="INCH" if dpi else "NONE",  # without a unit they say the aspect of pixels
        extratags=extra,
    )
    pointers = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    directories = {int(tag): read_directory(exif, exif.get(tag), tag, "<") for tag in pointers}
    _append_directories(file, {tag: values for tag, values in directories.items() if values})


def _dpi_of_exif(metadata: Metadata) -> tuple[float, float] | None:
    """Return the resolution that EXIF data says of square pixels: a TIFF has one place for it and for the picture's."""
    found = exif_resolution(metadata.exif) if metadata.exif and pixel_aspect(metadata) == 1 else None
    return found if found and all(0 < dots < math.inf for dots in found) else None


def _dots(metadata: Metadata) -> tuple[int, int] | None:
    aspect = pixel_aspect(metadata)
    return None if aspect == 1 else dots_of(aspect)


def _compressed_strips(samples: Raster, rows: int, level: int) -> Iterator[bytes]:
    """Yield strips of `rows` rows as stored in the file: differences between neighbours, deflated."""
    predict = imagecodecs.floatpred_encode if samples.dtype.kind == "f" else imagecodecs.delta_encode

    def compress(strip: NDArray) -> bytes:
        return bytes(imagecodecs.deflate_encode(predict(strip, axis=-2).tobytes(), level=level))

    with Pool(tifffile.TIFF.MAXWORKERS, "deflate") as pool:
        for batch in strips(samples, rows * _BATCH):
            yield from pool.map(compress, [batch[top : top + rows] for top in range(0, len(batch), rows)])


def _append_directories(file: BinaryIO, directories: dict[int, Tags]) -> None:
    """Append sub-directories and a new first directory that points to them to a little-endian TIFF (TIFF 6.0, 2)."""
    if not directories:
        return
    file.seek(0)
    head = file.read(16)
    big = head[2] == 43
    counter, entry, offset, size = ("<Q", "<HHQQ", "<Q", 20) if big else ("<H", "<HHII", "<I", 12)
    entries = []
    for tag, values in directories.items():
        start = _next_word(file)
        if start >= 1 << 32 and ExifTags.IFD.Interop in values:  # Pillow stores its offset in 32 bits
            warnings.warn("the Interop directory is dropped, because the file is larger than 4 GiB", stacklevel=3)
            values = {key: value for key, value in values.items() if key != ExifTags.IFD.Interop}
        entries.append(struct.pack(entry, tag, _LONG8 if big else _LONG, 1, start))
        file.write(directory_bytes(values, head if big else head[:8], start, tag))
    place = 8 if big else 4
    (first,) = struct.unpack_from(offset, head, place)
    file.seek(first)
    (count,) = struct.unpack(counter, file.read(struct.calcsize(counter)))
    entries += [file.read(size) for _ in range(count)]
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    start = _next_word(file)
    file.write(struct.pack(counter, len(entries)) + b"".join(entries) + bytes(struct.calcsize(offset)))
    file.seek(place)
    file.write(struct.pack(offset, start))


def _next_word(file: BinaryIO) -> int:
    """Pad a file to an even length, seek to its end and return that offset: directories begin on a word."""
    end = file.seek(0, io.SEEK_END)
    file.write(bytes(end % 2))
    return end + end % 2
