"""YCbCr pixels of a TIFF, whose tags say how they were made (TIFF 6.0, sections 20 and 21); Pillow ignores the tags."""

from dataclasses import dataclass
from itertools import product
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.codecs.decoded import UnsupportedError
from relight_cli.photos.codecs.tiff_colours import fractions
from relight_cli.rasters.rows import row_bands

_BT601 = (0.299, 0.587, 0.114)  # the default of YCbCrCoefficients
_FULL = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)  # ReferenceBlackWhite as programs write it, and its default
_SHARED = {1, 2, 4}  # pixels across or down that share chroma
_CHROMA = 127  # codes from no to full chroma


@dataclass(frozen=True)
class YCbCr:
    """How luma and chroma are made of RGB, and the codes of black and white of each of the three."""

    luma: tuple[float, ...] = _BT601  # shares of red, green and blue
    black_and_white: tuple[float, ...] = _FULL

    def to_rgb(self, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert (H, W, 3) samples to RGB, rounded and clipped."""
        red, green, blue = self.luma
        low, high = np.array(self.black_and_white[0::2]), np.array(self.black_and_white[1::2])
        scale = np.array([255, _CHROMA, _CHROMA]) / (high - low)
        rgb = np.empty_like(samples)
        for rows in row_bands(*samples.shape[:2]):
            y, cb, cr = np.moveaxis((samples[rows] - low) * scale, -1, 0)
            r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
            g = (y - red * r - blue * b) / green
            rgb[rows] = np.clip(np.rint(np.stack((r, g, b), axis=-1)), 0, 255).astype(np.uint8)
        return rgb


def is_plain_ycbcr(page: Any) -> bool:
    """Return whether a YCbCr page of tifffile has 8 bits and no compression; Pillow 12 finds these cut off."""
    return bool(page.compression == 1 and page.bitspersample == 8 and page.axes in ("YXS", "SYX"))


def read_samples(file: BinaryIO, page: Any) -> NDArray[np.uint8]:
    """Read the (H, W, 3) samples of a page for which `is_plain_ycbcr` holds, chroma repeated (TIFF 6.0, section 21).

    Raises ValueError for samples that are cut off, UnsupportedError for planes of chroma that are smaller.
    """
    across, down = page.tags.valueof("YCbCrSubSampling", (2, 2))
    if not {across, down} <= _SHARED:
        raise ValueError(f"its YCbCrSubSampling is {across}, {down}, not 1, 2 or 4")
    if page.axes == "SYX":
        if (across, down) != (1, 1):
            raise UnsupportedError("its chroma is a plane of its own with fewer samples")
        return np.ascontiguousarray(np.moveaxis(page.asarray(), 0, -1))
    height, width = page.imagelength, page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    places = list(product(range(0, height, rows), range(0, width, columns)))
    if len(page.dataoffsets) < len(places):
        raise ValueError("its pixels are cut off")
    samples = np.empty((height, width, 3), np.uint8)
    for (top, left), start in zip(places, page.dataoffsets, strict=False):
        file.seek(start)
        own = rows if page.is_tiled else min(rows, height - top)  # only a strip may be shorter than the others
        piece = samples[top : top + rows, left : left + columns]
        read = _read_blocks(file, -(-own // down), -(-columns // across), (across, down))
        piece[...] = read[: piece.shape[0], : piece.shape[1]]
    return samples


def _read_blocks(file: BinaryIO, high: int, wide: int, shared: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the samples of (`high`, `wide`) blocks: each has the luma of its pixels, then one Cb and one Cr."""
    across, down = shared
    data = file.read(size := high * wide * (across * down + 2))
    if len(data) < size:
        raise ValueError("its pixels are cut off")
    blocks = np.frombuffer(data, np.uint8).reshape(high, wide, -1)
    luma = blocks[..., :-2].reshape(high, wide, down, across).swapaxes(1, 2).reshape(high * down, wide * across)
    chroma = blocks[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.concatenate((luma[..., None], chroma), axis=-1)


def read_ycbcr(page: Any) -> YCbCr | None:
    """Return what the tags of a page of tifffile say; None for the defaults, and for tags that make no sense."""
    luma = fractions(page.tags.valueof("YCbCrCoefficients")) or _BT601
    levels = fractions(page.tags.valueof("ReferenceBlackWhite")) or _FULL
    if (len(luma), len(levels)) != (3, 6):
        return None
    if abs(sum(luma) - 1) > 0.01 or min(luma) <= 0 or any(high <= low for low, high in zip(levels[::2], levels[1::2])):  # noqa: B905
        return None
    return None if np.allclose((*luma, *levels), (*_BT601, *_FULL), atol=1e-3) else YCbCr(luma, levels)
