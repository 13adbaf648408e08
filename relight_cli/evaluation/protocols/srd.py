"""SRD, shadow removal (Qu et al., CVPR 2017).

Layout: shadow/NAME.jpg, shadow_free/NAME_free.jpg (or NAME_no_shadow.jpg, NAME.jpg), and mask/NAME where there is
one.
Size: result, truth and mask at 256 x 256 (bicubic without aliasing), and apart from it at full size.
Colours: 8-bit sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: the data set has none. Masks of others lie in mask/ (or test_mask/, masks/); without them the shadow is where
the truth less the picture, a mean over colours, is above Otsu's threshold. Regions as in istd+.
Mean: over pictures.
"""

from pathlib import Path

from relight_cli.evaluation.layouts import paired_cases
from relight_cli.evaluation.protocol import Case, Protocol, Published
from relight_cli.evaluation.shadow_scores import read_shadow, score_in_both_sizes

PAPER = "CroCoDiLight, ICLR 2026 (openreview GKvb3HCyNk); size not stated"


def find(dataset: Path) -> list[Case]:
    """Return the pictures with their truths."""
    masks = ("mask", "masks", "test_mask", "testmask")
    return paired_cases(dataset, ["shadow"], ["shadow_free"], masks, "_free|_no_shadow", read_shadow)


PROTOCOL = Protocol(
    "srd",
    "shadow",
    "shadow/NAME, shadow_free/NAME_free, mask/NAME where known",
    find,
    score_in_both_sizes,
    __doc__,
    (
        Published("CroCoDiLight", PAPER, {"PSNR": 30.01, "SSIM": 0.931}),
        Published("CroCoDiLight, lit by the truth", PAPER, {"PSNR": 32.47}),
    ),
)
