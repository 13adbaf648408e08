"""Scores of shadow removal: of the whole picture, of the shadow and of the rest."""

from pathlib import Path

import numpy as np
from skimage.filters import threshold_otsu

from relight_cli.evaluation.layouts import read_mask, read_picture, require_same_size
from relight_cli.evaluation.picture_metrics import lab_error, picture_scores, psnr, resized_bicubic, ssim
from relight_cli.evaluation.protocol import Mask, Parts, Picture, Sample, Scores, require_size

SIDE = 256
SMALL, FULL = f"{SIDE} x {SIDE}", "full size"


def read_shadow(path: Path, truth_path: Path, mask_path: Path | None) -> Sample:
    """Read a picture with its truth and the mask of its shadow, or with the mask that both tell."""
    picture, truth = read_picture(path), read_picture(truth_path)
    require_same_size(path, [picture, truth])
    mask = read_mask(mask_path) > 0 if mask_path else told_mask(picture, truth)
    require_same_size(path, [picture, mask])
    return Sample(path.stem, picture, truth, mask)


def told_mask(picture: Picture, truth: Picture) -> Mask:
    """Return where the truth is so much brighter than the picture that Otsu's threshold takes it for a shadow."""
    difference = (truth - picture).mean(axis=2)
    return difference > threshold_otsu(difference) if np.ptp(difference) > 0 else np.zeros(difference.shape, bool)


def score_in_both_sizes(sample: Sample, result: Picture) -> Parts:
    """Return the scores at 256 x 256 and at full size; of a result of 256 x 256, at that size alone."""
    assert sample.mask is not None
    parts = {}
    if result.shape[:2] != (SIDE, SIDE):
        require_size(result, sample.truth.shape, sample.name)
    small = [x if x.shape[:2] == (SIDE, SIDE) else resized_bicubic(x, SIDE, SIDE) for x in (result, sample.truth)]
    mask = resized_bicubic(sample.mask.astype(np.float32), SIDE, SIDE)[..., 0] >= 0.5 / 255  # as a mask of 8 bits
    parts[SMALL] = regional_scores(small[0], small[1], mask)
    if result.shape == sample.truth.shape:
        parts[FULL] = regional_scores(result, sample.truth, sample.mask)
    return parts


def regional_scores(picture: Picture, truth: Picture, mask: Mask) -> Scores:
    """Return the scores of the whole picture, of the shadow (S) and of the rest (NS), as the literature computes them.

    PSNR and SSIM of a region are those of pictures that are black outside it; LAB is the mean over its pixels.
    """
    scores = picture_scores(picture, truth)
    for name, region in (("S", mask), ("NS", ~mask)):
        alone = [np.where(region[..., None], x, np.float32(0)) for x in (picture, truth)]
        known = bool(region.any())
        scores[f"PSNR {name}"] = psnr(alone[0], alone[1]) if known else np.nan
        scores[f"SSIM {name}"] = ssim(alone[0], alone[1]) if known else np.nan
        scores[f"LAB {name}"] = lab_error(picture, truth, region) if known else np.nan
    return scores


def shadow_scores(sample: Sample, picture: Picture) -> Scores:
    """Return the scores of the whole picture, and of the pixels of its shadow and of the rest alone."""
    inside = sample.mask if sample.mask is not None and sample.mask.any() else None
    scores = picture_scores(picture, sample.truth)
    for name, mask in {"in shadow": inside, "outside": None if sample.mask is None else ~sample.mask}.items():
        exists = mask is not None and mask.any()
        scores[f"PSNR {name}"] = psnr(picture, sample.truth, mask) if exists else np.nan
        scores[f"LAB {name}"] = lab_error(picture, sample.truth, mask) if exists else np.nan
    return scores
