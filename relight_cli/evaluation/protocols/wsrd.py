"""WSRD+, shadow removal (Vasluianu et al., NTIRE 2023; aligned anew in 2024).

Layout: input/NAME.png and gt/NAME.png (or target/).
Size: full size.
Colours: 8-bit sRGB; PSNR of all three colours; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: none; the data set has none, and its self-shadows have no border.
Mean: over pictures.
"""

from pathlib import Path

from relight_cli.evaluation.layouts import paired_cases, read_picture, require_same_size
from relight_cli.evaluation.picture_metrics import picture_scores
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Sample, require_size


def read(path: Path, truth_path: Path, mask_path: Path | None) -> Sample:
    """Read a picture with its truth."""
    picture, truth = read_picture(path), read_picture(truth_path)
    require_same_size(path, [picture, truth])
    return Sample(path.stem, picture, truth)


def find(dataset: Path) -> list[Case]:
    """Return the pictures with their truths."""
    return paired_cases(dataset, ["input"], ["gt", "target"], [], "", read)


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    return {WHOLE: picture_scores(result, sample.truth)}


PROTOCOL = Protocol("wsrd+", "shadow", "input/NAME, gt/NAME", find, score, __doc__)
