"""The shape of a video's frames: cropped, turned and mirrored by the display matrix; the aspect of their pixels."""

import struct
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class VideoShape:
    """How stored frames become upright ones."""

    cropped: tuple[int, int, int, int] = (0, 0, 0, 0)  # pixels at the left, right, top and bottom, as stored
    swapped: bool = False  # rows become columns, before any mirroring
    mirrored: bool = False  # left and right
    flipped: bool = False  # top and bottom
    aspect: Fraction = Fraction(1)  # width of an upright pixel divided by its height
    notes: tuple[str, ...] = ()

    def cropped_pixels(self, pixels: NDArray) -> NDArray:
        """Return (H, W, C) pixels without what is cropped, as they are stored."""
        left, right, top, bottom = self.cropped
        return pixels[top : pixels.shape[0] - bottom, left : pixels.shape[1] - right]

    def turned(self, pixels: NDArray) -> NDArray:
        """Return cropped (H, W, C) pixels upright."""
        turned = pixels.transpose(1, 0, 2) if self.swapped else pixels
        turned = turned[:, ::-1] if self.mirrored else turned
        return np.ascontiguousarray(turned[::-1] if self.flipped else turned)

    def turned_back(self, pixels: NDArray) -> NDArray:
        """Return upright (H, W, C) pixels as they are stored."""
        turned = pixels[::-1] if self.flipped else pixels
        turned = turned[:, ::-1] if self.mirrored else turned
        return np.ascontiguousarray(turned.transpose(1, 0, 2) if self.swapped else turned)


def shape_of(
    matrix: bytes | None, aspect: Fraction | None, cropped: tuple[int, int, int, int], size: tuple[int, int]
) -> VideoShape:
    """Return the shape by a display matrix (FFmpeg's, 9 integers), aspect and cropping, all of the pixels as stored.

    `size` is the width and height of a frame; a cropping that leaves nothing of it is not applied.
    """
    stored = aspect if aspect and aspect > 0 else Fraction(1)
    shape = _by_matrix(matrix) if matrix and len(matrix) == 36 else VideoShape()
    shape = replace(shape, aspect=1 / stored if shape.swapped else stored)
    left, right, top, bottom = cropped
    if left + right >= size[0] or top + bottom >= size[1]:
        return replace(shape, notes=(*shape.notes, "its cropping leaves nothing and is not applied"))
    return replace(shape, cropped=cropped)


def _by_matrix(matrix: bytes) -> VideoShape:
    """Return the nearest of the eight orientations (x' = a x + c y, y' = b x + d y; ISO 14496-12, section 8.3.2)."""
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix)
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    along, across = (c, b) if swapped else (a, d)
    small, large = sorted((abs(a) + abs(d), abs(b) + abs(c)))
    askew = ("it is turned by an angle that is not a quarter turn; the nearest is taken",)
    return VideoShape(
        swapped=swapped, mirrored=along < 0, flipped=across < 0, notes=askew if small > large / 1000 else ()
    )
