"""Compare a picture with the truth. Pictures are (H, W, 3), sRGB-encoded in [0, 1], masks (H, W)."""

import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2gray, rgb2lab
from skimage.metrics import structural_similarity

from relight_cli.evaluation.protocol import Mask, Picture, Scores
from relight_cli.models.colour import linear_to_srgb
from relight_cli.relighting.layers import to_linear


def encoded(light: Picture) -> Picture:
    """Return linear light encoded as sRGB, clipped to [0, 1]."""
    return linear_to_srgb(torch.from_numpy(light)).clamp(0, 1).float().numpy()


def psnr(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Return the PSNR in dB, inside the mask if there is one; at most 100."""
    squares = (picture - truth) ** 2
    return float(-10 * np.log10(max(1e-10, (squares if mask is None else squares[mask]).mean())))


def ssim(picture: Picture, truth: Picture) -> float:
    """Return the structural similarity of luma (Wang et al. 2004; windows of 7 x 7)."""
    return float(structural_similarity(rgb2gray(picture), rgb2gray(truth), data_range=1))


def lab_error(picture: Picture, truth: Picture, mask: Mask | None = None) -> float:
    """Return the mean absolute difference of LAB values, as the shadow-removal literature reports it ("RMSE")."""
    difference = np.abs(rgb2lab(picture) - rgb2lab(truth)).sum(axis=2)
    return float((difference if mask is None else difference[mask]).mean())


def scale_invariant(picture: Picture, truth: Picture) -> Picture:
    """Return the picture, scaled in linear light by the factor that brings it nearest to the truth."""
    estimate, wanted = to_linear(picture), to_linear(truth)
    return encoded(estimate * ((estimate * wanted).sum() / max(1e-12, (estimate**2).sum())))


def picture_scores(picture: Picture, truth: Picture) -> Scores:
    """Return PSNR, SSIM and LAB error of a picture."""
    return {"PSNR": psnr(picture, truth), "SSIM": ssim(picture, truth), "LAB": lab_error(picture, truth)}


def resized_bicubic(picture: Picture, height: int, width: int) -> Picture:
    """Return a picture in another size: bicubic (a = -0.5) without aliasing, as imresize of MATLAB."""
    planes = [
        Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        for plane in np.moveaxis(np.atleast_3d(picture), 2, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2).clip(0, 1)
