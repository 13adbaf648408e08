"""Layers for compositing: the shadow that was taken away, and the light over an albedo."""

import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.imaging.bit_depth import row_bands
from relight_cli.imaging.rows import Rows, whole
from relight_cli.models.colour import LUMINANCE, linear_to_srgb, srgb_to_linear

Pixels = NDArray[np.float32]  # (H, W, C), sRGB-encoded

OUTLIERS = 0.001  # share of the pixels that may lie brighter than the light that is white


def linear(pixels: Pixels) -> Pixels:
    """Decode sRGB values, no number as black, none below it."""
    return srgb_to_linear(torch.from_numpy(np.nan_to_num(pixels)).clamp(min=0)).numpy()


def implied_shadow(photo: Pixels, deshadowed: Pixels) -> NDArray[np.uint8]:
    """Give the share of the light that the shadow took, (H, W, 1): 0 where there was none, 255 where it took all."""
    shadow = np.zeros((*photo.shape[:2], 1), np.uint8)
    for rows in row_bands(*photo.shape[:2]):
        before, after = (linear(x[rows]) @ np.array(LUMINANCE, np.float32) for x in (photo, deshadowed))
        shadow[rows, :, 0] = np.rint(255 * (1 - before / np.maximum(after, 1e-6)).clip(0, 1))
    return shadow


def exposed_albedo(photo: Rows, albedo: Rows) -> Rows:
    """Brighten an albedo until no light on it exceeds white, so that its shading fits into [0, 1].

    An albedo's scale is not known. Outliers among the pixels (highlights) keep the photo's value, under a white light.
    """
    quantiles, albedo = [], whole(albedo)
    for rows in row_bands(*photo.shape[:2]):
        light, surface = linear(photo[rows]), linear(albedo[rows])
        quantiles.append(np.quantile((light + 1e-3) / (surface + 1e-3), 1 - OUTLIERS))
    scale, exposed = max(1.0, float(np.median(quantiles))), np.empty_like(albedo)
    for rows in row_bands(*photo.shape[:2]):
        brighter = linear_to_srgb(torch.from_numpy(linear(albedo[rows])) * scale).numpy()
        exposed[rows] = np.maximum(brighter, np.nan_to_num(photo[rows]))
    return exposed


def shading(photo: Pixels, albedo: Pixels) -> Pixels:
    """Give the light on an albedo, photo / albedo in linear light, (H, W, C); white light on black."""
    light = np.empty_like(photo)
    for rows in row_bands(*photo.shape[:2]):
        surface = linear(albedo[rows])
        light[rows] = np.where(surface > 0, linear(photo[rows]) / np.maximum(surface, 1e-9), 1)
    return light
