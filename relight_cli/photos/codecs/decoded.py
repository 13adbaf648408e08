"""The result of a decoder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.metadata import Extras
from relight_cli.photos.shape import Shape
from relight_cli.rasters.rows import row_bands

if TYPE_CHECKING:
    from relight_cli.photos.colour_tags import ColourTags

_LEAST_ALPHA = 1e-6  # of 1

SizeCheck = Callable[[int, int], None]
"""Raises if a width and a height are too large; called before a pixel is decoded."""


class UnsupportedError(ValueError):
    """A picture of a known kind that cannot be decoded; the message says which, and `remedy` what to do."""

    def __init__(
        self, reason: str, remedy: str = "convert it to 16-bit TIFF or PNG in the program that wrote it"
    ) -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass
class Decoded:
    """Pixels as stored in the file, not yet upright, with their metadata."""

    pixels: NDArray  # (H, W, C), C = 1 or 3; uint8, uint16 or float32
    alpha: NDArray | None = None  # (H, W), same dtype
    format: str = ""
    exif: bytes | None = None  # from "II" or "MM" on
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int | None = None  # from the container (TIFF); 1 if the decoder has turned the pixels upright
    notes: list[str] = field(default_factory=list)
    extras: Extras = field(default_factory=Extras)
    dropped: set[str] = field(default_factory=set)  # names of parts that are not written again
    shape: Shape | None = None  # of the stored picture
    extra: NDArray | None = None  # (H, W, N), same dtype: samples that are neither colours nor alpha
    colour: "ColourTags | None" = None  # what the container says about colours besides `icc`
    recoloured: bool = False  # as in Photo
    undecided: str | None = None  # the name of an unknown colour space that an EXR states; empty: it states none


def split_alpha(samples: NDArray) -> tuple[NDArray, NDArray | None]:
    """Split (H, W) or (H, W, 1 to 4) samples into views of (H, W, C) pixels and (H, W) alpha."""
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    if channels in (1, 3):
        return samples, None
    return samples[..., :-1], samples[..., -1]


def coverage(alpha: NDArray) -> NDArray:
    """Return alpha, or its largest value where it is nothing: colours there are light without coverage.

    Floats of alpha below _LEAST_ALPHA are nothing, because colours divided by it may be infinite.
    """
    if alpha.dtype.kind == "f":
        return np.where(alpha >= _LEAST_ALPHA, alpha, alpha.dtype.type(1))
    return np.where(alpha > 0, alpha, np.iinfo(alpha.dtype).max)


def unassociate(pixels: NDArray, alpha: NDArray) -> None:
    """Divide (H, W, C) colours by the (H, W) alpha that they are multiplied by, in place.

    Light without coverage stays as it is; see `coverage`.
    """
    whole = pixels.dtype.kind != "f"
    full = np.float32(np.iinfo(pixels.dtype).max if whole else 1)
    for rows in row_bands(*pixels.shape[:2]):
        band = pixels[rows] * (full / coverage(alpha[rows]).astype(np.float32))[..., None]
        pixels[rows] = np.rint(np.minimum(band, full)) if whole else band
