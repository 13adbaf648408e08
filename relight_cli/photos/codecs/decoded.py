"""What a decoder gives."""

from collections.abc import Callable
from dataclasses import dataclass, field

from numpy.typing import NDArray

SizeCheck = Callable[[int, int], None]
"""Raises where a width and a height are too large; called before a pixel is decoded."""


@dataclass
class Decoded:
    """Pixels as stored in the file, not yet upright, with what was found beside them."""

    pixels: NDArray  # (H, W, C), C = 1 or 3; uint8, uint16 or float32
    alpha: NDArray | None = None  # (H, W), same dtype
    format: str = ""
    exif: bytes | None = None  # from "II" or "MM" on
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int | None = None  # where the container says it itself (TIFF), or the decoder has seen to it
    notes: list[str] = field(default_factory=list)
