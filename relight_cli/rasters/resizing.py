"""Resizing of pictures: area mean to shrink, bicubic interpolation to grow."""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.cores import in_parallel
from relight_cli.rasters.bit_depth import in_depth
from relight_cli.rasters.rows import ConvertedRows, LazyRows, Raster, converted_rows, row_bands, to_array

Picture = NDArray[np.float32]

_COSTLY = 4  # times the wanted size, from which a picture is shrunk before it is converted
_CUBIC_A = -0.75  # parameter a of the cubic kernel (Keys 1981), as in OpenCV


def resized_rows(picture: Raster, height: int, width: int) -> LazyRows:
    """Return a picture (H, W, C) in another size; its rows are made when they are read.

    A side that shrinks is averaged over the area of each new pixel; a side that grows is interpolated bicubically.
    """
    picture = _averaged_first(picture, height, width)
    own_height, own_width = picture.shape[:2]

    def at_new_width(rows: slice) -> Picture:
        """Return rows of the picture, resized to `width`."""
        if own_width == width:
            return picture[rows]
        out = np.empty((rows.stop - rows.start, width, *picture.shape[2:]), np.float32)
        method = cv2.INTER_CUBIC if width > own_width else cv2.INTER_AREA

        def resize(band: slice) -> None:
            part = picture[slice(rows.start + band.start, rows.start + band.stop)]
            out[band] = cv2.resize(part, (width, len(part)), interpolation=method).reshape(out[band].shape)

        for _ in in_parallel(resize, list(row_bands(len(out), own_width))):
            pass
        return out

    def make(rows: slice) -> Picture:
        if own_height == height:
            return at_new_width(rows)
        first, weights = _row_weights(own_height, height, rows)
        needed = at_new_width(slice(first, first + weights.shape[1]))
        return _weighted(weights, needed.reshape(len(needed), -1)).reshape(len(weights), *needed.shape[1:])

    return LazyRows((height, width, *picture.shape[2:]), np.dtype(np.float32), make)


def _averaged_first(picture: Raster, height: int, width: int) -> Raster:
    """Shrink what a converted picture is made of to twice the wanted size, which leaves few pixels to convert."""
    if not isinstance(picture, ConvertedRows) or not picture.mean_first:
        return picture
    if min(picture.shape[0] / height, picture.shape[1] / width) < _COSTLY:
        return picture
    values = resized_rows(in_depth(picture.source, picture.dtype), 2 * height, 2 * width)
    return converted_rows(values, picture.convert, picture.shape[2], mean_first=False)


def _row_weights(length: int, wanted: int, rows: slice) -> tuple[int, Picture]:
    """Return the first source row that `rows` of a resized picture need, and weights (rows, n) for n rows from there.

    `length` is the height of the source and `wanted` that of the resized picture.
    """
    scale = length / wanted
    index = np.arange(rows.start, rows.stop)
    if scale > 1:
        top, bottom = index[:, None] * scale, (index[:, None] + 1) * scale
        first, last = int(top[0, 0]), min(length, int(np.ceil(bottom[-1, 0] - 1e-9)))
        source = np.arange(first, last)
        covered = np.minimum(bottom, source + 1) - np.maximum(top, source)
        return first, (covered.clip(0) / scale).astype(np.float32)
    centre = (index + 0.5) * scale - 0.5
    taps = np.floor(centre).astype(int)[:, None] + np.arange(-1, 3)
    kernel = _cubic_kernel(np.abs(centre[:, None] - taps))
    taps = taps.clip(0, length - 1)
    first = int(taps.min())
    weights = np.zeros((len(index), int(taps.max()) + 1 - first), np.float32)
    np.add.at(weights, (np.arange(len(index))[:, None], taps - first), kernel)
    return first, weights


def _weighted(weights: Picture, rows: Picture) -> Picture:
    """Return `weights @ rows`, in which samples that are not finite count only where their weight is not 0."""
    finite = np.isfinite(rows)
    if finite.all():
        return weights @ rows
    made, odd = weights @ np.where(finite, rows, 0), ~finite.all(axis=0)
    with np.errstate(invalid="ignore"):  # infinities of both signs
        made[:, odd] = [weight[weight != 0] @ rows[weight != 0][:, odd] for weight in weights]
    return made


def _cubic_kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    a, d = _CUBIC_A, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def resized(picture: Raster, height: int, width: int) -> Picture:
    """Return a resized picture as an array; see `resized_rows`."""
    if picture.shape[:2] == (height, width):
        return to_array(picture)
    return to_array(resized_rows(picture, height, width))


def copy_within(picture: Raster, longest: int) -> Picture:
    """Return a picture (H, W, C) as an array whose longer side is at most `longest` pixels."""
    height, width = picture.shape[:2]
    return resized(picture, *fit_within(height, width, longest))


def fit_within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return height and width of a picture whose longer side is at most `longest` pixels; 0 sets no limit."""
    if not longest or max(height, width) <= longest:
        return height, width
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
