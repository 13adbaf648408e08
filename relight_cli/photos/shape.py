"""The shape of a picture beyond its size: pixels that are not square, and the windows of an EXR."""

import math
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.metadata import Metadata

Corners = tuple[int, int, int, int]  # left, top, right, bottom; the last two inclusive

_LARGEST = 65535  # JFIF stores each number in 16 bits


@dataclass(frozen=True)
class Shape:
    """What a file says about the shape of its picture; a resolution in dpi may say the aspect of pixels, too."""

    aspect: Fraction = Fraction(1)  # width of a pixel divided by its height
    data_window: Corners | None = None  # of an EXR
    display_window: Corners | None = None

    def turned(self) -> "Shape":
        """Return the shape of the picture on its side."""
        return replace(self, aspect=1 / self.aspect)


SQUARE = Shape()


def cut_window(values: NDArray[Any], window: Corners, wanted: Corners, fill: float) -> NDArray[Any]:
    """Return the part of values (h, w, ...) of one window that is in another, `fill` where they have none."""
    left, top, right, bottom = wanted
    cut = np.full((bottom - top + 1, right - left + 1, *values.shape[2:]), fill, values.dtype)
    x, y = max(left, window[0]), max(top, window[1])
    across, down = max(0, min(right, window[2]) - x + 1), max(0, min(bottom, window[3]) - y + 1)
    found = values[y - window[1] :, x - window[0] :][:down, :across]
    cut[y - top :, x - left :][:down, :across] = found
    return cut


def is_inside(window: Corners, other: Corners) -> bool:
    """Return whether a window reaches nowhere beyond another."""
    (left, top, right, bottom), (first, highest, last, lowest) = window, other
    return first <= left and highest <= top and right <= last and bottom <= lowest


def aspect_of(width: Any, height: Any) -> Fraction:
    """Return the aspect of pixels from their width and height (or from dots per unit down and across); 1 if broken."""
    try:
        aspect = Fraction(width) / Fraction(height)
    except (ArithmeticError, TypeError, ValueError):
        return Fraction(1)
    aspect = aspect.limit_denominator(1000)
    return aspect if Fraction(1, 100) <= aspect <= 100 else Fraction(1)


def aspect_of_dots(info: dict[Any, Any]) -> Fraction:
    """Return the aspect of pixels that Pillow found in a PNG (pHYs) or a JPEG (JFIF) without a unit; 1 if none.

    PNG has dots per unit across and down, JFIF has the aspect itself: width, then height.
    """
    across, down = _pair(info.get("aspect"))
    wide, high = _pair(info.get("jfif_density")) if info.get("jfif_unit") == 0 else (1, 1)
    return aspect_of(down, across) * aspect_of(wide, high)


def _pair(value: object) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, tuple) and len(value) == 2 else (1, 1)


def with_aspect(metadata: Metadata) -> Shape | None:
    """Return the shape with the aspect of pixels that only the resolution says, for files without a resolution."""
    aspect = pixel_aspect(metadata)
    return metadata.shape if aspect == 1 else replace(metadata.shape or SQUARE, aspect=aspect)


def shape_losses(metadata: Metadata, kind: str) -> list[str]:
    """Return a note for each part of the shape that a format cannot store."""
    notes, aspect, shape = [], pixel_aspect(metadata), metadata.shape or SQUARE
    if aspect != 1 and (kind in ("WEBP", "AVIF", "HEIF") or (kind == "JPEG2000" and not metadata.dpi)):
        notes.append(
            f"its pixels are not square ({float(aspect):.4g} times as wide as high), which {kind} is not written with; "
            "other programs will show it stretched"
        )
    if shape.data_window != shape.display_window and kind != "EXR":
        notes.append("its data window differs from its display window; only the data window is kept")
    return notes


def write_jfif_aspect(file: BinaryIO, aspect: Fraction) -> None:
    """Write the aspect of pixels into the JFIF header of a JPEG, which begins with it (JFIF 1.02, page 5)."""
    if aspect != 1:
        file.seek(2)
        if file.read(9)[:2] == b"\xff\xe0":
            file.seek(13)
            file.write(struct.pack(">BHH", 0, *dots_of(1 / aspect)))


def pixel_aspect(metadata: Metadata) -> Fraction:
    """Return the width of a pixel divided by its height, as the shape or else the resolution says."""
    shape = metadata.shape or SQUARE
    if shape.aspect != 1 or not metadata.dpi:
        return shape.aspect
    across, down = metadata.dpi
    # Resolutions are stored as rounded numbers: those that differ by less than a percent mean square pixels.
    return Fraction(1) if math.isclose(across, down, rel_tol=0.01) else aspect_of(down, across)


def dots_of(aspect: Fraction) -> tuple[int, int]:
    """Return dots across and down, without a unit, of pixels with this aspect."""
    return min(aspect.denominator, _LARGEST), min(aspect.numerator, _LARGEST)
