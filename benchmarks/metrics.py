"""Compare a picture with the truth. Pictures are (H, W, 3), sRGB-encoded in [0, 1], masks (H, W)."""

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import rgb2gray, rgb2lab
from skimage.metrics import structural_similarity

from relight_cli.models.colour import linear_to_srgb
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.layers import to_linear

Mask = NDArray[np.bool_]


def encoded(light: Picture) -> Picture:
    """Return linear light encoded as sRGB, clipped to [0, 1]."""
    return linear_to_srgb(torch.from_numpy(light)).clamp(0, 1).float().numpy()


def psnr(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Return the PSNR in dB, inside the mask if there is one; at most 100."""
    squares = (picture - truth) ** 2
    return float(-10 * np.log10(max(1e-10, (squares if mask is None else squares[mask]).mean())))


def ssim(picture: Picture, truth: Picture) -> float:
    """Return the structural similarity of luma."""
    return float(structural_similarity(rgb2gray(picture), rgb2gray(truth), data_range=1))


def lab_error(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Return the mean absolute difference of LAB values, as the shadow-removal literature reports it."""
    difference = np.abs(rgb2lab(picture) - rgb2lab(truth)).sum(axis=2)
    return float((difference if mask is None else difference[mask]).mean())


def scale_invariant(picture: Picture, truth: Picture) -> Picture:
    """Return the picture, scaled in linear light by the factor that brings it nearest to the truth."""
    estimate, wanted = to_linear(picture), to_linear(truth)
    return encoded(estimate * ((estimate * wanted).sum() / max(1e-12, (estimate**2).sum())))


def local_error(truth: NDArray, estimate: NDArray, mask: Mask, window: int = 20) -> float:
    """Return the LMSE (Grosse et al. 2009, section 4): errors of optimally scaled windows, over the truth's energy."""
    error = energy = 0.0
    for y in range(0, truth.shape[0] - window + 1, window // 2):
        for x in range(0, truth.shape[1] - window + 1, window // 2):
            part = np.s_[y : y + window, x : x + window]
            t, e = truth[part] * mask[part], estimate[part] * mask[part]
            scale = (t * e).sum() / (e**2).sum() if (e**2).sum() > 1e-5 else 0.0
            error, energy = error + ((t - scale * e) ** 2).sum(), energy + (t**2).sum()
    return float(error / energy)
