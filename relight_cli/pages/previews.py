"""Copies of a picture for a page, made of its rows while they are read for another purpose."""

import math
import threading
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.colour_profiles import is_linear
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import pixel_aspect
from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import LazyRows, Raster, is_rereadable, row_bands

LONGEST = 16_383  # pixels of a side that every format of the page can store
_MOST = np.float32(1e6)  # of light, in whites: the curve of far more would overflow
Samples = NDArray[np.uint8]  # (h, w, C) with C = 1 or 3


@dataclass(frozen=True)
class Preview:
    """A picture as a page shows it: 8 bits, in the photo's own profile, or in one with a curve if that is linear."""

    samples: Samples
    icc: bytes | None
    size: tuple[int, int]  # height and width of the picture itself
    aspect: float = 1.0  # width of its pixels, divided by their height

    @property
    def scale(self) -> float:
        """Pixels of the picture along a side of one pixel of the preview."""
        return max(1.0, max(self.size) / max(self.samples.shape[:2]))

    def within(self, pixels: int) -> "Preview":
        """Return the preview with at most this many pixels."""
        height, width = size_within(self.samples.shape[0], self.samples.shape[1], pixels)
        if (height, width) == self.samples.shape[:2]:
            return self
        return replace(self, samples=_shrunk(self.samples, height, width))


def size_within(height: int, width: int, pixels: int) -> tuple[int, int]:
    """Return height and width of a picture that is made as small as `pixels`, and no longer than LONGEST."""
    scale = min(1.0, math.sqrt(pixels / (height * width)), LONGEST / max(height, width))
    wanted = max(1, math.floor(height * scale))
    columns = max(1, min(math.floor(width * scale), pixels // wanted))
    return max(1, min(wanted, pixels // columns)), columns


def preview_of(photo: Photo, pixels: int) -> Preview:
    """Return a preview of at most this many pixels; lazy rows are made for it."""
    maker, source = PreviewMaker(photo, pixels), photo.pixels
    if isinstance(source, np.ndarray) and maker.wanted != source.shape[:2]:
        return maker.of(*shown_samples(_shrunk(source, *maker.wanted), photo.metadata.icc))
    return maker.preview()


class PreviewMaker:
    """Makes a preview of a photo from the rows that are read through `watched`, and from those never read."""

    def __init__(self, photo: Photo, pixels: int) -> None:
        self._source, self._icc, self._alpha = photo.pixels, photo.metadata.icc, photo.alpha
        self._size: tuple[int, int] = (photo.pixels.shape[0], photo.pixels.shape[1])
        self._aspect = float(pixel_aspect(photo.metadata))
        self.wanted = size_within(*self._size, pixels)
        self._copy: _Copy = (
            _Whole(self._source, self._icc)
            if self.wanted == self._size
            else _Mean(self._source, self._icc, self.wanted)
        )
        self.watched = replace(photo, pixels=self._watching(photo.pixels))

    def _watching(self, source: Raster) -> LazyRows:
        def make(rows: slice) -> NDArray:
            band = source[rows]
            self._copy.add(rows, band)
            return band

        return LazyRows(source.shape, source.dtype, make, is_rereadable(source))

    def preview(self) -> Preview:
        """Return the preview; rows that nobody has read are read now. Raises what the reading raises."""
        for rows in row_bands(*self._size):
            if not self._copy.seen[rows].all():
                self._copy.add(rows, self._source[rows])
        return self.of(*self._copy.shown())

    def of(self, shown: Samples, icc: bytes | None) -> Preview:
        """Return the preview of samples (h, w, C) for a screen; where the photo is transparent it is white."""
        if self._alpha is not None:
            opacity = _shrunk(to_unit(self._alpha), *self.wanted).reshape(*self.wanted, 1)
            shown = np.rint(shown * opacity + 255 * (1 - opacity)).astype(np.uint8)
        return Preview(np.ascontiguousarray(shown), icc, self._size, self._aspect)


class _Copy(Protocol):
    seen: NDArray[np.bool_]  # (H,), the rows that were added

    def add(self, rows: slice, band: NDArray) -> None: ...
    def shown(self) -> tuple[Samples, bytes | None]: ...


class _Whole:
    """All pixels, with 8 bits."""

    def __init__(self, source: Raster, icc: bytes | None) -> None:
        self.seen, self._icc = np.zeros(source.shape[0], bool), icc
        self._samples = np.empty(source.shape, np.uint8)

    def add(self, rows: slice, band: NDArray) -> None:
        """Copy rows, in any order and from any thread."""
        self._samples[rows] = shown_samples(band, self._icc)[0]
        self.seen[rows] = True

    def shown(self) -> tuple[Samples, bytes | None]:
        """Return the copy and its profile."""
        return self._samples, shown_samples(self._samples[:1, :1], self._icc)[1]


class _Mean:
    """The mean over the area of each new pixel, (h, w, C), in the source's own samples."""

    def __init__(self, source: Raster, icc: bytes | None, size: tuple[int, int]) -> None:
        self.seen, self._icc, self._dtype = np.zeros(source.shape[0], bool), icc, source.dtype
        self._size, self._channels = size, source.shape[2]
        self._sums = np.zeros((size[0], size[1] * source.shape[2]), np.float32)
        self._lock = threading.Lock()

    def add(self, rows: slice, band: NDArray) -> None:
        """Add rows, in any order and from any thread; those that were added before are left out."""
        index = np.arange(rows.start, rows.stop)
        with self._lock:
            new = ~self.seen[rows]
            self.seen[rows] = True
        if not new.all():
            index, band = index[new], band[new]
        if not len(index):
            return
        height, width = self._size
        narrow = cv2.resize(np.ascontiguousarray(band), (width, len(band)), interpolation=cv2.INTER_AREA)
        scale = height / len(self.seen)
        first, last = int(index[0] * scale), min(height, math.ceil((index[-1] + 1) * scale))
        out = np.arange(first, last)[:, None]
        covered = np.minimum(out + 1, (index + 1) * scale) - np.maximum(out, index * scale)
        # Finite, since an infinite sample times a share of 0 would be none in all rows.
        samples = np.nan_to_num(narrow.reshape(len(index), -1).astype(np.float32))
        with np.errstate(over="ignore"):
            part = covered.clip(0).astype(np.float32) @ samples
        with self._lock:
            self._sums[first:last] += part

    def shown(self) -> tuple[Samples, bytes | None]:
        """Return the means for a screen, and their profile."""
        means = self._sums.reshape(*self._size, self._channels)
        if self._dtype != np.float32:
            means = np.rint(means).clip(0, np.iinfo(self._dtype).max).astype(self._dtype)
        return shown_samples(means, self._icc)


def shown_samples(samples: NDArray, icc: bytes | None) -> tuple[Samples, bytes | None]:
    """Return samples (h, w, C) with 8 bits for a screen, and their profile: linear light gets the curve of sRGB."""
    if icc is not None and is_linear(icc):
        finite = np.nan_to_num(to_unit(samples)).clip(-_MOST, _MOST)
        light = Photo(finite, metadata=Metadata(icc=icc)).in_display_curve()
        return from_unit(np.asarray(light.pixels), np.dtype(np.uint8)), light.metadata.icc
    return (samples if samples.dtype == np.uint8 else from_unit(to_unit(samples), np.dtype(np.uint8))), icc


def _shrunk(pixels: NDArray, height: int, width: int) -> NDArray:
    if pixels.shape[:2] == (height, width):
        return pixels
    small = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small).reshape(height, width, *pixels.shape[2:])
