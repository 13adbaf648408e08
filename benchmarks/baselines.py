"""Classical methods, each a short published formula. Pictures are (H, W, 3), sRGB-encoded in [0, 1]."""

import cv2
import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from skimage.color import lab2rgb, rgb2lab

from relight_cli.evaluation.picture_metrics import encoded
from relight_cli.evaluation.protocol import Mask
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.layers import to_linear


def colour_transfer(picture: Picture, reference: Picture) -> Picture:
    """Return the picture with the reference's mean and deviation in LAB (Reinhard et al. 2001)."""
    own, wanted = rgb2lab(picture), rgb2lab(reference)
    scaled = (own - own.mean((0, 1))) * wanted.std((0, 1)) / own.std((0, 1)).clip(1e-3) + wanted.mean((0, 1))
    return lab2rgb(scaled).astype(np.float32)


def lab_shadow(picture: Picture, deviations: float = 1 / 3) -> Mask:
    """Return the shadows that LAB statistics find (Murali, Govindan 2013).

    A shadow is where L is below its mean by a number of `deviations` (published: a third) and, in pictures with blue in
    them, where L and b are both low; small regions are removed.
    """
    lab = rgb2lab(picture)
    lightness, b = lab[..., 0], lab[..., 2]
    low = lightness <= lightness.mean() - deviations * lightness.std()
    shadow = low if lab[..., 1].mean() + b.mean() <= 256 - 2 * 128 else low & (b <= b.mean())
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return cv2.morphologyEx(shadow.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)


def lab_deshadow(picture: Picture, deviations: float = 1 / 3) -> Picture:
    """Scale each channel's mean in the shadows of `lab_shadow` to that of the rest (Murali, Govindan 2013)."""
    shadow = lab_shadow(picture, deviations)
    if not 0 < shadow.mean() < 1:
        return picture
    light = to_linear(picture)
    ratio = light[~shadow].mean(0) / light[shadow].mean(0).clip(1e-4)
    soft = cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 2)[..., None]
    return encoded(light * (1 + soft * (ratio - 1)))


def retinex(picture: Picture, mask: Mask | None = None, grey: float = 0.075, chroma: float = 0.075) -> Picture:
    """Return the albedo by colour retinex (Grosse et al. 2009, section 5).

    A step of log light belongs to reflectance where the grey or chromaticity step exceeds its threshold, else to
    shading; grey reflectance is reconstructed from its steps by least squares, chromaticity stays the picture's.
    """
    light = np.log(to_linear(picture) + 1e-3)
    luminance = light.mean(axis=2)
    number = np.full(luminance.shape, -1)
    inside = np.ones_like(luminance, bool) if mask is None else mask
    number[inside] = np.arange(inside.sum())
    steps, first, second = [], [], []
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        both = inside[a] & inside[b]
        change = (light[b] - light[a])[both]
        bright = change.mean(axis=1)
        colour = np.linalg.norm(change - bright[:, None], axis=1)
        steps.append(np.where((np.abs(bright) > grey) | (colour > chroma), bright, 0))
        first.append(number[a][both])
        second.append(number[b][both])
    wanted, i, j = (np.concatenate(x) for x in (steps, first, second))
    rows, count = np.arange(len(wanted)), int(inside.sum())
    difference = coo_array(
        (np.r_[np.ones(len(wanted)), -np.ones(len(wanted))], (np.r_[rows, rows], np.r_[j, i])), (len(wanted), count)
    ).tocsr()
    system = (difference.T @ difference + 1e-8 * diags_array(np.ones(count))).tocsc()
    reflectance = np.zeros_like(luminance)
    reflectance[inside] = spsolve(system, difference.T @ wanted)
    reflectance[inside] += -0.7 - np.percentile(reflectance[inside], 90)  # its scale is unknown: set to about half
    return encoded(np.exp(light + (reflectance - luminance)[..., None]))
