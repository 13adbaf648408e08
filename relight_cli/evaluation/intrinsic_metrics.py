"""Compare reflectance with what is known of it: truths up to scale, people's judgements, measured colours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from relight_cli.evaluation.picture_metrics import encoded
from relight_cli.evaluation.protocol import Mask

Reflectance = NDArray[np.floating[Any]]  # (H, W, 3), linear
Region = NDArray[np.floating[Any]]  # (R, 3), one linear colour for each region
WINDOW = 20  # pixels, of the LMSE
THRESHOLD = 0.10  # of WHDR: a ratio up to 1.1 is "about the same"
SHIFT = 0.5  # added to reflectance for the second figure of WHDR


def local_error(truth: NDArray[Any], estimate: NDArray[Any], mask: Mask, window: int = WINDOW) -> float:
    """Return the LMSE (Grosse et al. 2009, section 4): errors of optimally scaled windows, over the truth's energy.

    All are (H, W); windows overlap by half. NaN for pictures smaller than a window.
    """
    error = energy = 0.0
    for y in range(0, truth.shape[0] - window + 1, window // 2):
        for x in range(0, truth.shape[1] - window + 1, window // 2):
            part = np.s_[y : y + window, x : x + window]
            t, e = truth[part] * mask[part], estimate[part] * mask[part]
            scale = (t * e).sum() / (e**2).sum() if (e**2).sum() > 1e-5 else 0.0
            error, energy = error + ((t - scale * e) ** 2).sum(), energy + (t**2).sum()
    return float(error / energy) if energy else float("nan")


def whdr(reflectance: Reflectance, judgements: Mapping[str, Any], shift: float = 0.0) -> float:
    """Return the share of people's judgements that a reflectance contradicts, weighted by their certainty.

    `judgements` is a file of Intrinsic Images in the Wild (Bell et al. 2014, section 3.5); `shift` is added to the
    mean of red, green and blue at each point. NaN if there is no judgement.
    """
    points = {point["id"]: point for point in judgements["intrinsic_points"]}
    height, width = reflectance.shape[:2]

    def lightness(point: Mapping[str, Any]) -> float:
        value = reflectance[int(point["y"] * height), int(point["x"] * width)].mean() + shift
        return max(1e-10, float(value))

    wrong = total = 0.0
    for judged in judgements["intrinsic_comparisons"]:
        first, second = points[judged["point1"]], points[judged["point2"]]
        weight = judged["darker_score"] or 0.0
        if judged["darker"] not in ("1", "2", "E") or weight <= 0 or not (first["opaque"] and second["opaque"]):
            continue
        a, b = lightness(first), lightness(second)
        found = "1" if b / a > 1 + THRESHOLD else "2" if a / b > 1 + THRESHOLD else "E"
        wrong, total = wrong + weight * (found != judged["darker"]), total + weight
    return wrong / total if total else float("nan")


def region_medians(reflectance: Reflectance, labels: NDArray[Any], numbers: Sequence[int]) -> Region:
    """Return the median colour of each labelled region."""
    return np.array([np.median(reflectance[labels == number], axis=0) for number in numbers])


def measured_errors(found: Region, measured: Region, sizes: Sequence[int]) -> tuple[float, float]:
    """Return the intensity error and the chromaticity error of regions (Wu et al. 2023, section 4).

    Intensity: the squared error of means of red, green and blue after one scale for the picture, times 100.
    Chromaticity: CIEDE2000 after a scale for each region that makes the means equal. Both weighted by `sizes`.
    """
    weights = np.asarray(sizes, np.float64)
    x, y = found.mean(axis=1), measured.mean(axis=1)
    scale = (weights * x * y).sum() / max(1e-6, (weights * x * x).sum())
    intensity = np.average((scale * x - y) ** 2, weights=weights)
    equal = found * (y / np.maximum(x, 1e-6))[:, None]
    lab = [rgb2lab(encoded(colours.astype(np.float32)[None])) for colours in (measured, equal)]
    return float(100 * intensity), float(np.average(deltaE_ciede2000(*lab)[0], weights=weights))
