"""UIUC, shadow removal (Guo, Dai and Hoiem, CVPR 2011).

Layout: original/NAME, noshadow/NAME (or shadow_free/, free/, gt/), and mask/NAME where there is one. The data set has
been handed on in several folders; bring it into this one.
Size: result, truth and mask at 256 x 256 (bicubic without aliasing), and apart from it at full size.
Colours: 8-bit sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: of mask/ (or masks/); without it as in srd. Regions as in istd+.
Mean: over pictures.
"""

from pathlib import Path

from relight_cli.evaluation.layouts import paired_cases
from relight_cli.evaluation.protocol import Case, Protocol
from relight_cli.evaluation.shadow_scores import read_shadow, score_in_both_sizes


def find(dataset: Path) -> list[Case]:
    """Return the pictures with their truths."""
    truths = ("noshadow", "no_shadow", "shadow_free", "free", "gt")
    return paired_cases(dataset, ["original"], truths, ["mask", "masks"], "_free|_no_shadow|_noshadow", read_shadow)


PROTOCOL = Protocol(
    "uiuc", "shadow", "original/NAME, noshadow/NAME, mask/NAME where known", find, score_in_both_sizes, __doc__
)
