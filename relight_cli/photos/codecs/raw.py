"""Camera raw files, developed to linear light by LibRaw; needs the extra [raw]."""

import io
from typing import BinaryIO

import numpy as np
from PIL import Image

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError
from relight_cli.photos.codecs.dng_crop import dng_crop, uses_jpeg_xl
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import strip_exif_header

MAGIC = (b"FUJIFILM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")  # of raw formats that are not TIFF


def develop(file: BinaryIO, check_size: SizeCheck, exif: bytes | None = None) -> Decoded:
    """Develop a raw file to upright (H, W, 3) uint16 linear sRGB light, with the camera's white balance.

    No curve, and nothing that depends on the frame: twice the light has twice the value, and a full sensor is white. Of
    a DNG only the part that its DefaultCrop names. Without `exif` the EXIF data of the camera's preview is used. Raises
    MissingExtraError, and ValueError if LibRaw cannot develop the file.
    """
    require_format("RAW")
    import rawpy

    file.seek(0)
    try:
        with quiet(), rawpy.imread(file) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            known = raw.num_colors < 3 or min(raw.camera_whitebalance[:3]) > 0
            pixels = raw.postprocess(
                gamma=(1, 1),
                no_auto_bright=True,
                output_bps=16,
                use_camera_wb=known,  # without one, LibRaw would take a balance from the frame itself
                adjust_maximum_thr=0,  # else the brightest pixel of the frame becomes white
                output_color=rawpy.ColorSpace.sRGB,
            )
            exif = exif or _preview_exif(raw)
            pixels = pixels[dng_crop(file, raw.sizes, pixels.shape)]
    except rawpy.LibRawIOError as error:
        raise ValueError("the camera raw file is cut off") from error
    except rawpy.LibRawError as error:
        if uses_jpeg_xl(file):
            raise UnsupportedError("its raw data is compressed with JPEG XL, which LibRaw cannot develop") from error
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"LibRaw cannot develop the camera raw file: {reason}") from error
    notes = [] if known else ["it states no white balance and is developed for daylight"]
    return Decoded(np.ascontiguousarray(pixels), None, "TIFF", exif, LINEAR, orientation=1, notes=notes)


def upright_size(file: BinaryIO) -> tuple[int, int]:
    """Return width and height of the developed picture. Raises MissingExtraError and what LibRaw raises."""
    require_format("RAW")
    import rawpy

    file.seek(0)
    with quiet(), rawpy.imread(file) as raw:
        sizes = raw.sizes
        shape = (sizes.width, sizes.height) if sizes.flip & 4 else (sizes.height, sizes.width)
        rows, columns = dng_crop(file, sizes, shape)
        return columns.stop - columns.start, rows.stop - rows.start


def _preview_exif(raw: "object") -> bytes | None:
    try:
        preview = raw.extract_thumb()  # type: ignore[attr-defined]
        with Image.open(io.BytesIO(preview.data), formats=("JPEG",)) as image:
            exif = image.info.get("exif")
    except Exception:  # noqa: BLE001  no preview that can be read; missing metadata is never an error
        return None
    return strip_exif_header(exif) if exif else None
