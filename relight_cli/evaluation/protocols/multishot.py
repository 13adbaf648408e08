"""The multi-shot set, shadow removal (Gong and Cosker, BMVC 2014 and 2016): a tripod, and shadows that move.

Layout: VIEW_1.png, VIEW_2.png ... each with its shadow, and VIEW_free.png, composed of the view's brightest shots.
Size: full size.
Colours: 8-bit sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: shadow where the shot is below 0.8 of the truth, means over colours after a Gaussian of 3 pixels. PSNR and LAB
of a region are means over its pixels alone.
Mean: over shots; those without shadow, or without rest, are left out of the means of that region.
"""

from functools import partial
from pathlib import Path

import cv2

from relight_cli.evaluation.layouts import read_picture, require_same_size
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Sample, require_size
from relight_cli.evaluation.shadow_scores import shadow_scores

DARKER = 0.8  # of the truth
BLUR = 3  # pixels


def shots(dataset: Path) -> dict[str, list[Path]]:
    """Return the shots of each view."""
    found: dict[str, list[Path]] = {}
    for path in sorted(dataset.glob("*_[0-9]*.png")):
        found.setdefault(path.stem.rpartition("_")[0], []).append(path)
    return found


def read(path: Path) -> Sample:
    """Read a shot, the view without shadows, and the mask that both tell."""
    view = path.stem.rpartition("_")[0]
    shot, free = read_picture(path), read_picture(path.with_name(f"{view}_free.png"))
    require_same_size(path, [shot, free])
    soft = cv2.GaussianBlur(free, (0, 0), BLUR).mean(2).clip(1e-3)
    shadow = cv2.GaussianBlur(shot, (0, 0), BLUR).mean(2) / soft < DARKER
    return Sample(path.stem, shot, free, shadow)


def find(dataset: Path) -> list[Case]:
    """Return the shots of views with a truth."""
    return [
        Case(path.stem, path, partial(read, path))
        for view, paths in shots(dataset).items()
        if (dataset / f"{view}_free.png").is_file()
        for path in paths
    ]


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    return {WHOLE: shadow_scores(sample, result)}


PROTOCOL = Protocol("multishot", "shadow", "VIEW_1.png, VIEW_2.png ..., VIEW_free.png", find, score, __doc__)
