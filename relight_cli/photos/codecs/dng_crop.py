"""What LibRaw leaves to us of a DNG: DefaultCrop and DefaultUserCrop (DNG 1.7, chapter 4), and JPEG XL to name."""

import contextlib
from typing import Any, BinaryIO

import tifffile

_DNG_VERSION, _USER_CROP = 50706, 51125
_JPEG_XL = (50002, 52546)  # Compression


def dng_crop(file: BinaryIO, sizes: Any, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of the picture in what LibRaw develops (H, W, ...), upright; all if not a DNG.

    `sizes` are those of rawpy. Crops of other raw formats come from maker notes and are not applied.
    """
    height, width = shape[:2]
    user = _user_crop(file)
    if user is None:
        return slice(0, height), slice(0, width)
    top, left = sizes.crop_top_margin - sizes.top_margin, sizes.crop_left_margin - sizes.left_margin
    high, wide = sizes.crop_height, sizes.crop_width
    if not (wide and high and 0 <= top < top + high <= sizes.height and 0 <= left < left + wide <= sizes.width):
        top, left, high, wide = 0, 0, sizes.height, sizes.width
    rows = (top + user[0] * high) / sizes.height, (top + user[2] * high) / sizes.height
    columns = (left + user[1] * wide) / sizes.width, (left + user[3] * wide) / sizes.width
    # LibRaw mirrors the stored picture, then transposes it.
    if sizes.flip & 2:
        rows = 1 - rows[1], 1 - rows[0]
    if sizes.flip & 1:
        columns = 1 - columns[1], 1 - columns[0]
    if sizes.flip & 4:
        rows, columns = columns, rows
    return (
        slice(round(rows[0] * height), round(rows[1] * height)),
        slice(round(columns[0] * width), round(columns[1] * width)),
    )


def uses_jpeg_xl(file: BinaryIO) -> bool:
    """Return whether a page of a TIFF is compressed with JPEG XL (DNG 1.7)."""
    file.seek(0)
    with contextlib.suppress(Exception), tifffile.TiffFile(file) as tiff:
        first = tiff.pages.first
        return any(page.compression in _JPEG_XL for page in (first, *(first.pages or ())))
    return False


def _user_crop(file: BinaryIO) -> tuple[float, float, float, float] | None:
    """Return top, left, bottom and right of DefaultUserCrop, from 0 to 1; None for a file that is not a DNG."""
    file.seek(0)
    if file.read(2) not in (b"II", b"MM"):
        return None
    file.seek(0)
    with contextlib.suppress(Exception), tifffile.TiffFile(file) as tiff:  # LibRaw has read the file
        first = tiff.pages.first
        if _DNG_VERSION not in first.tags:
            return None
        for page in (first, *(first.pages or ())):
            found = page.tags.valueof(_USER_CROP)
            if not page.is_reduced and isinstance(found, tuple) and len(found) == 8:
                top, left, bottom, right = (found[at] / found[at + 1] for at in range(0, 8, 2))
                if 0 <= top < bottom <= 1 and 0 <= left < right <= 1:
                    return top, left, bottom, right
        return 0.0, 0.0, 1.0, 1.0
    return None
