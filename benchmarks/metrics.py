"""How near a picture comes to the truth. Pictures are (H, W, 3), sRGB-encoded in [0, 1], masks (H, W)."""

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2gray, rgb2lab
from skimage.metrics import structural_similarity

from relight_cli.imaging.resizing import Picture

Mask = NDArray[np.bool_]


def linear(picture: Picture) -> Picture:
    """Decode sRGB (IEC 61966-2-1)."""
    return np.where(picture <= 0.04045, picture / 12.92, ((picture.clip(0.04) + 0.055) / 1.055) ** 2.4)


def encoded(light: Picture) -> Picture:
    """Encode linear light as sRGB, clipped to [0, 1]."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(0.003) ** (1 / 2.4) - 0.055).clip(0, 1)


def psnr(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Give the PSNR in dB, over a mask where one is given; at most 100."""
    squares = (picture - truth) ** 2
    return float(-10 * np.log10(max(1e-10, (squares if mask is None else squares[mask]).mean())))


def ssim(picture: Picture, truth: Picture) -> float:
    """Give the structural similarity of luma."""
    return float(structural_similarity(rgb2gray(picture), rgb2gray(truth), data_range=1))


def lab_error(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Give the mean absolute difference of LAB values, as the shadow-removal literature reports it."""
    difference = np.abs(rgb2lab(picture) - rgb2lab(truth)).sum(axis=2)
    return float((difference if mask is None else difference[mask]).mean())


def scale_invariant(picture: Picture, truth: Picture) -> Picture:
    """Give the picture times the one factor of linear light that brings it nearest to the truth."""
    estimate, wanted = linear(picture), linear(truth)
    return encoded(estimate * ((estimate * wanted).sum() / max(1e-12, (estimate**2).sum())))


def local_error(truth: NDArray, estimate: NDArray, mask: Mask, window: int = 20) -> float:
    """Give the LMSE (Grosse et al. 2009, section 4): windows each scaled at their best, over the truth's energy."""
    error = energy = 0.0
    for y in range(0, truth.shape[0] - window + 1, window // 2):
        for x in range(0, truth.shape[1] - window + 1, window // 2):
            part = np.s_[y : y + window, x : x + window]
            t, e = truth[part] * mask[part], estimate[part] * mask[part]
            scale = (t * e).sum() / (e**2).sum() if (e**2).sum() > 1e-5 else 0.0
            error, energy = error + ((t - scale * e) ** 2).sum(), energy + (t**2).sum()
    return float(error / energy)
