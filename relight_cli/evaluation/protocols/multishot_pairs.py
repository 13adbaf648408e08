"""The multi-shot set as pairs of one view under two lights, relighting (Gong and Cosker, BMVC 2014 and 2016).

Layout: VIEW_1.png, VIEW_2.png ... (VIEW_free.png is not used).
Light: each shot is lit by the next shot of its view, the last by the first; that shot is the truth.
Size: full size.
Colours: 8-bit sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: none.
Mean: over shots of views with at least two.
"""

from functools import partial
from pathlib import Path

from relight_cli.evaluation.layouts import read_picture, require_same_size
from relight_cli.evaluation.picture_metrics import picture_scores
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Sample, require_size
from relight_cli.evaluation.protocols.multishot import shots


def read_pair(path: Path, other: Path) -> Sample:
    """Read a picture, and the same view under the light that it should get."""
    picture, truth = read_picture(path), read_picture(other)
    require_same_size(path, [picture, truth])
    return Sample(path.stem, picture, truth)


def find(dataset: Path) -> list[Case]:
    """Return the shots of views with at least two."""
    return [
        Case(path.stem, path, partial(read_pair, path, other))
        for paths in shots(dataset).values()
        if len(paths) > 1
        for path, other in zip(paths, [*paths[1:], paths[0]], strict=True)
    ]


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    return {WHOLE: picture_scores(result, sample.truth)}


PROTOCOL = Protocol("multishot-pairs", "relight", "VIEW_1.png, VIEW_2.png ...", find, score, __doc__)
