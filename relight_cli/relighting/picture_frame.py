"""The part of a reference that shows something, inside the bars of a letterbox or an even frame around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.rows import LazyRows, Raster

Maps = NDArray[np.float32]

ALIKE = 12 / 255  # difference from the colour of a bar that its pixels have at most: codecs ring
NEARLY_ALL = 0.95  # share of such pixels in a line of a bar
ENDS = 0.5  # share of other pixels next to a bar: an even sky or table has no straight end
LEAST = 0.01  # of a side that a bar takes at least
SOFT = 8  # lines at the end of a bar that may mix it with the picture: a block of JPEG


@dataclass(frozen=True)
class Content:
    """The part of a picture inside its frame, in shares of its sides; the whole picture by default."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0

    @property
    def is_whole(self) -> bool:
        """Whether the picture has no frame."""
        return self == WHOLE

    def agrees(self, other: "Content") -> bool:
        """Return whether another picture has the same frame, but for its soft border."""
        sides = ("top", "bottom", "left", "right")
        return all(abs(getattr(self, side) - getattr(other, side)) <= LEAST for side in sides)

    def matrix(self) -> NDArray[np.float64]:
        """Return the matrix (3, 3) from points of the picture to those of this part, both in [0, 1]."""
        x, y = 1 / (self.right - self.left), 1 / (self.bottom - self.top)
        return np.array([[x, 0, -x * self.left], [0, y, -y * self.top], [0, 0, 1]])

    def of(self, picture: Raster) -> Raster:
        """Return this part of a picture (H, W, ...), a pixel at least; lazy rows stay lazy."""
        if self.is_whole:
            return picture
        height, width = picture.shape[:2]
        rows, columns = _lines(self.top, self.bottom, height), _lines(self.left, self.right, width)
        if isinstance(picture, np.ndarray):
            return picture[rows, columns]

        def make(part: slice) -> NDArray:
            return picture[slice(rows.start + part.start, rows.start + part.stop)][:, columns]

        shape = (rows.stop - rows.start, columns.stop - columns.start, *picture.shape[2:])
        return LazyRows(shape, picture.dtype, make, picture.rereadable)


def _lines(first: float, last: float, side: int) -> slice:
    """Return the lines of a side of so many pixels between two shares of it, one at least."""
    start = min(side - 1, round(first * side))
    return slice(start, max(start + 1, round(last * side)))


WHOLE = Content()


def content_of(picture: Maps) -> Content:
    """Return the part of a picture (h, w, 3), sRGB, that is inside bars at opposite sides or an even frame.

    Bars have one colour, the same at both sides, and end in a straight line.
    """
    height, width = picture.shape[:2]
    top = left = 0
    bottom, right = height, width
    for _ in range(2):  # wide bars at the sides hide where thin ones above and below end
        before, after = _bars(picture[top:bottom, left:right])
        top, bottom = top + before, bottom - after
        before, after = _bars(picture[top:bottom, left:right].swapaxes(0, 1))
        left, right = left + before, right - after
    return Content(top / height, bottom / height, left / width, right / width)


def _bars(lines: Maps) -> tuple[int, int]:
    """Return how many lines of a picture (n, m, 3) are bars at its start and at its end; 0 unless both are."""
    ends = lines[[0, -1]]
    first, last = np.median(ends, axis=1)
    if np.abs(first - last).max() > ALIKE or _others(ends, first).max() > 1 - NEARLY_ALL:
        return 0, 0
    other = _others(lines, first)
    counts = _bar(other), _bar(other[::-1])
    return counts if min(counts) >= LEAST * len(other) and sum(counts) < len(other) else (0, 0)


def _others(lines: Maps, colour: NDArray) -> NDArray:
    """Return the share (n,) of pixels of other colours in each line of a picture (n, m, 3)."""
    return np.asarray((np.abs(lines - colour).max(axis=2) > ALIKE).mean(axis=1))


def _bar(other: NDArray) -> int:
    """Return how many lines of a picture are a bar at its start, given the share of other pixels in each (n,)."""
    inside, ends = np.flatnonzero(other > 1 - NEARLY_ALL), np.flatnonzero(other >= ENDS)
    if len(ends) == 0 or ends[0] - inside[0] > SOFT or inside[0] == 0:
        return 0
    return int(ends[0]) + 1
