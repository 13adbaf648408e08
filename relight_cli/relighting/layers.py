"""Layers for compositing: the shadow that was removed, and the light on an albedo."""

import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE
from relight_cli.rasters.rows import (
    AdjustedRows,
    LazyRows,
    Raster,
    adjusted_rows,
    is_rereadable,
    row_bands,
    rows_from,
    to_array,
)
from relight_cli.relighting.linear_light import decode_srgb, encode_srgb

Pixels = NDArray[np.float32]  # (H, W, C), sRGB-encoded

OUTLIERS = 0.001  # share of the pixels whose shading may exceed white


def to_linear(pixels: Pixels) -> Pixels:
    """Decode sRGB values to linear light; NaN and negative values become black."""
    return decode_srgb(np.maximum(np.nan_to_num(pixels), np.float32(0)))


def shadow_layer(photo: Raster, deshadowed: Raster) -> LazyRows:
    """Return the share of the light that the shadow removed, (H, W, 1) uint8: 0 for none, 255 for all of it."""

    def make(rows: slice) -> NDArray[np.uint8]:
        before, after = (to_linear(x[rows]) @ np.array(LUMINANCE, np.float32) for x in (photo, deshadowed))
        kept = np.divide(before, after, out=np.ones_like(after), where=after > before)  # black that stays black is kept
        return np.rint(255 * (1 - kept)).astype(np.uint8)[..., None]

    return LazyRows((*photo.shape[:2], 1), np.dtype(np.uint8), make)


def expose_albedo(photo: Raster, albedo: Raster) -> AdjustedRows:
    """Brighten an albedo until no light on it exceeds white, so that its shading fits into [0, 1].

    An albedo's scale is not known. Outliers (highlights) take the photo's value, so that their shading is white.
    """
    quantiles, albedo = [], albedo if is_rereadable(albedo) else to_array(albedo)
    for rows in row_bands(*photo.shape[:2]):
        own = photo[rows]
        light, surface = to_linear(own), to_linear(rows_from(albedo, photo, rows, own))
        with np.errstate(all="ignore"):  # infinite samples say nothing
            ratio = (light + 1e-3) / (surface + 1e-3)
        quantiles.append(np.quantile(np.where(np.isfinite(ratio), ratio, 1.0), 1 - OUTLIERS))
    scale = max(1.0, float(np.median(quantiles)))

    def brighten(rows: slice, own: Pixels) -> Pixels:
        surface = to_linear(rows_from(albedo, photo, rows, own))
        return np.maximum(encode_srgb(surface * np.float32(scale)), np.nan_to_num(own))

    return adjusted_rows(photo, brighten)


def shading_layer(photo: Raster, albedo: Raster, channels: int) -> LazyRows:
    """Return the light on an albedo, photo / albedo in linear light, (H, W, channels) float32; 1 on black."""

    def make(rows: slice) -> Pixels:
        surface, light = (to_linear(picture[rows][..., :channels]) for picture in (albedo, photo))
        return np.where(surface > 0, light / np.maximum(surface, 1e-9), np.float32(1))

    return LazyRows((*photo.shape[:2], channels), np.dtype(np.float32), make)
