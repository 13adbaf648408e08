"""Camera raw files, developed to linear light by LibRaw; needs the extra [raw]."""

import io
from typing import BinaryIO

import numpy as np
from PIL import Image

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import strip_exif_header

MAGIC = (b"FUJIFILM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")  # those that are no TIFF


def develop(file: BinaryIO, check_size: SizeCheck, exif: bytes | None = None) -> Decoded:
    """Develop a raw file to upright (H, W, 3) uint16 of linear sRGB light, white balanced as the camera had it.

    No curve and no automatic brightness: what was twice as bright has twice the value, and what fills the sensor is
    white. Without `exif` that of the camera's own preview is taken. Raises MissingExtraError, and ValueError for what
    LibRaw cannot develop.
    """
    require_format("RAW")
    import rawpy

    file.seek(0)
    try:
        with quiet(), rawpy.imread(file) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            pixels = raw.postprocess(
                gamma=(1, 1),
                no_auto_bright=True,
                output_bps=16,
                use_camera_wb=True,
                output_color=rawpy.ColorSpace.sRGB,
            )
            exif = exif or _of_preview(raw)
    except rawpy.LibRawIOError as error:
        raise ValueError("a camera raw file that is cut off") from error
    except rawpy.LibRawError as error:
        said = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"a camera raw file that LibRaw cannot develop: {said}") from error
    return Decoded(np.ascontiguousarray(pixels), None, "TIFF", exif, LINEAR, orientation=1)


def upright_size(file: BinaryIO) -> tuple[int, int]:
    """Tell width and height of the developed picture. Raises as `develop` does."""
    require_format("RAW")
    import rawpy

    file.seek(0)
    with quiet(), rawpy.imread(file) as raw:
        sizes = raw.sizes
        return (sizes.height, sizes.width) if sizes.flip in (5, 6) else (sizes.width, sizes.height)


def _of_preview(raw: "object") -> bytes | None:
    try:
        preview = raw.extract_thumb()  # type: ignore[attr-defined]
        with Image.open(io.BytesIO(preview.data), formats=("JPEG",)) as image:
            exif = image.info.get("exif")
    except Exception:  # noqa: BLE001  no preview, or none that can be read: metadata never costs a photo
        return None
    return strip_exif_header(exif) if exif else None
