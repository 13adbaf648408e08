"""ISTD+, shadow removal (Wang et al., CVPR 2018; truths corrected by Le and Samaras, ICCV 2019).

Layout: test_A/NAME.png with shadow, test_B/NAME.png the mask, test_C/NAME.png without (or test_C_fixed_official).
Size: result, truth and mask at 256 x 256 (bicubic without aliasing, as MATLAB's imresize), and apart from it at full
size. A result of 256 x 256 is judged at that size alone.
Colours: 8-bit sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences ("RMSE" in the literature).
Mask: shadow (S) where the mask is not black, the rest (NS). PSNR and SSIM of a region are those of pictures that are
black outside it, as in the evaluation scripts of the literature; LAB is the mean over its pixels.
Mean: over pictures.
"""

from pathlib import Path

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.layouts import paired_cases
from relight_cli.evaluation.protocol import Case, Protocol, Published, Sample
from relight_cli.evaluation.shadow_scores import read_shadow, score_in_both_sizes

PAPER = "CroCoDiLight, ICLR 2026 (openreview GKvb3HCyNk); size not stated"


def read(path: Path, truth: Path, mask: Path | None) -> Sample:
    """Read a picture with its truth and its mask. Raises PhotoUnreadableError without a mask, which the set has."""
    if mask is None:
        raise PhotoUnreadableError(f"{path}: has no mask in test_B; copy the data set again")
    return read_shadow(path, truth, mask)


def find(dataset: Path) -> list[Case]:
    """Return the pictures of the test set."""
    truths = ("test_c", "test_c_fixed_official", "test_c_fixed")
    return paired_cases(dataset, ["test_A"], truths, ["test_b"], "", read)


PROTOCOL = Protocol(
    "istd+",
    "shadow",
    "test_A/NAME, test_B/NAME (masks), test_C/NAME",
    find,
    score_in_both_sizes,
    __doc__,
    (
        Published("CroCoDiLight", PAPER, {"PSNR": 30.17, "SSIM": 0.929}),
        Published("CroCoDiLight, lit by the truth", PAPER, {"PSNR": 33.41}),
    ),
)
