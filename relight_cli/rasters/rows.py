"""Rasters whose rows are made when they are read, so that no stage holds another copy of a large photo.

A raster is an array (H, W, ...) or a `LazyRows` of that shape. Both are read in bands of rows: `raster[slice(0, 64)]`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relight_cli.cores import in_parallel

_BAND_PIXELS = 1 << 16


@dataclass(frozen=True)
class LazyRows:
    """Rows (H, W, ...) that a function makes when they are read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    make: Callable[[slice], NDArray]  # takes slice(start, stop) and returns those rows
    rereadable: bool = True  # False: rows can be read only once, from the top

    def __getitem__(self, rows: slice, /) -> NDArray:
        """Return the rows from `rows.start` to `rows.stop`."""
        return self.make(rows)


Raster: TypeAlias = NDArray | LazyRows
"""A picture or a map, (H, W, ...), in memory or made when it is read."""


@dataclass(frozen=True, kw_only=True)
class AdjustedRows(LazyRows):
    """Rows made from the same rows of another picture."""

    source: Raster
    adjust: Callable[[slice, NDArray], NDArray]  # takes slice(start, stop) and the rows of `source`


@dataclass(frozen=True, kw_only=True)
class LitRows(AdjustedRows):
    """Rows of an sRGB-encoded picture (H, W, 3), multiplied in linear light by 2^stops."""

    stops: Callable[[slice, NDArray], NDArray[np.float32]]  # takes what `adjust` takes


@dataclass(frozen=True, kw_only=True)
class ConvertedRows(LazyRows):
    """Rows (H, W, C) of another picture, each pixel converted by itself."""

    source: Raster
    convert: Callable[[NDArray], NDArray[np.float32]]  # takes rows (n, W, D), in the dtype of `source` or as float32
    mean_first: bool  # whether the mean of pixels may be converted instead of the pixels


def converted_rows(
    source: Raster, convert: Callable[[NDArray], NDArray[np.float32]], channels: int, *, mean_first: bool
) -> ConvertedRows:
    """Return float32 rows (H, W, `channels`), made by `convert` from those of `source`."""
    return ConvertedRows(
        shape=(*source.shape[:2], channels),
        dtype=np.dtype(np.float32),
        make=partial(_converted, source, convert),  # not a closure, which could not be pickled
        rereadable=is_rereadable(source),
        source=source,
        convert=convert,
        mean_first=mean_first,
    )


def _converted(source: Raster, convert: Callable[[NDArray], NDArray[np.float32]], rows: slice) -> NDArray[np.float32]:
    return convert(source[rows])


def adjusted_rows(
    source: Raster, adjust: Callable[[slice, NDArray], NDArray], *, rereadable: bool = True
) -> AdjustedRows:
    """Return float32 rows of the shape of `source`, made by `adjust` from its rows; see `rows_from`."""

    def make(rows: slice) -> NDArray:
        return adjust(rows, source[rows])

    dtype = np.dtype(np.float32)
    return AdjustedRows(shape=source.shape, dtype=dtype, make=make, rereadable=rereadable, source=source, adjust=adjust)


def rows_from(picture: Raster, source: Raster, rows: slice, own: NDArray) -> NDArray:
    """Return rows of a picture, given those of `source`, which are not made again if the picture is made from them."""
    if picture is source:
        return own
    if isinstance(picture, AdjustedRows) and picture.source is source:
        return picture.adjust(rows, own)
    return picture[rows]


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Yield slices of rows of about 64 k pixels each, so that float copies of a band stay in the cache."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def streamed_rows(shape: tuple[int, ...], pieces: Iterator[NDArray[np.float32]]) -> LazyRows:
    """Return float32 rows that come in pieces from the top. Raises ValueError when a row is read again."""
    first, kept = 0, np.empty((0, *shape[1:]), np.float32)

    def make(rows: slice) -> NDArray[np.float32]:
        """Return rows from the pieces, and keep what of a piece lies below them."""
        nonlocal first, kept
        if rows.start < first:
            raise ValueError(f"row {rows.start} has already been read; the next row is {first}")
        kept, first = kept[rows.start - first :], rows.start
        while len(kept) < rows.stop - rows.start:
            piece = next(pieces)
            kept = np.concatenate((kept, piece)) if len(kept) else piece
        return kept[: rows.stop - rows.start]

    return LazyRows(shape, np.dtype(np.float32), make, rereadable=False)


def is_rereadable(raster: Raster) -> bool:
    """Return whether rows can be read in any order, any number of times."""
    return isinstance(raster, np.ndarray) or raster.rereadable


def to_array(raster: Raster) -> NDArray:
    """Return all rows as an array; an array is returned unchanged."""
    if isinstance(raster, np.ndarray):
        return raster
    out = np.empty(raster.shape, raster.dtype)
    for rows, band in bands(raster):
        out[rows] = band
    return out


def bands(raster: Raster) -> Iterator[tuple[slice, NDArray]]:
    """Yield the rows of each band and their pixels, from the top; rows that can be read again are made on all cores."""
    places = list(row_bands(*raster.shape[:2]))
    if isinstance(raster, LazyRows) and raster.rereadable:
        yield from zip(places, in_parallel(raster.__getitem__, places), strict=True)
    else:
        yield from ((rows, raster[rows]) for rows in places)


def strips(raster: Raster, height: int) -> Iterator[NDArray]:
    """Yield contiguous strips of `height` rows from the top; the last may be shorter.

    Lazy rows are made in the same bands as by `to_array`, because rounding may depend on the number of rows in a band.
    """
    total, kept = raster.shape[0], []
    for rows, band in bands(raster):
        kept.append(band)
        if (count := sum(map(len, kept))) < height and rows.stop < total:
            continue
        joined = np.concatenate(kept) if kept[1:] else kept[0]
        end = count if rows.stop == total else count - count % height
        for top in range(0, end, height):
            yield np.ascontiguousarray(joined[top : min(top + height, end)])
        kept = [joined[end:]] if end < count else []


def with_alpha(pixels: Raster, alpha: Raster) -> LazyRows:
    """Return pixels (H, W, C) with an alpha (H, W) as their last channel."""
    shape = (*pixels.shape[:2], pixels.shape[2] + 1)

    def make(rows: slice) -> NDArray:
        return np.concatenate((pixels[rows], alpha[rows][..., None]), axis=-1)

    return LazyRows(shape, pixels.dtype, make, is_rereadable(pixels) and is_rereadable(alpha))
