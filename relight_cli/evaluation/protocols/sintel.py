"""MPI Sintel, albedo of film frames (Butler et al., ECCV 2012).

Layout: clean/SCENE/frame_0001.png and albedo/SCENE/frame_0001.png; or NAME_image.png and NAME_albedo.png side by
side.
Size: as stored.
Colours: the result's sRGB is decoded to linear light, scaled by the one factor that brings it nearest to the truth
(least squares), encoded, 8-bit sRGB; then PSNR, SSIM of luma, and LAB of D65, the sum of three absolute differences.
Mask: none.
Mean: over frames.
"""

from functools import partial
from pathlib import Path

from relight_cli.evaluation.layouts import case_name, folders_named, read_picture, require_light, require_same_size
from relight_cli.evaluation.picture_metrics import picture_scores, scale_invariant
from relight_cli.evaluation.protocol import (
    WHOLE,
    Case,
    Parts,
    Picture,
    Protocol,
    Sample,
    Scores,
    in_8_bits,
    require_size,
)


def find(dataset: Path) -> list[Case]:
    """Return the frames with an albedo."""
    pairs = []
    for path in sorted(dataset.glob("*_image.png")):
        pairs.append((path, path.with_name(f"{path.stem.removesuffix('_image')}_albedo.png")))
    for folder in folders_named(dataset, ["clean"]):
        for path in sorted(folder.glob("*/*.png")):
            pairs.append((path, folder.with_name("albedo") / path.relative_to(folder)))
    whole = [pair for pair in pairs if pair[1].is_file()]
    return [Case(case_name(dataset, pair[0]), pair[0], partial(read, *pair)) for pair in whole]


def read(path: Path, albedo: Path) -> Sample:
    """Read a frame and its albedo."""
    picture, truth = read_picture(path), read_picture(albedo)
    require_same_size(path, [picture, truth])
    require_light(albedo, truth)
    return Sample(path.stem, picture, truth)


def albedo_scores(sample: Sample, picture: Picture) -> Scores:
    """Return the scores of an albedo, whose scale is unknown."""
    return picture_scores(in_8_bits(scale_invariant(picture, sample.truth)), sample.truth)


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    return {WHOLE: albedo_scores(sample, result)}


LAYOUT = "clean/SCENE/FRAME.png, albedo/SCENE/FRAME.png; or NAME_image.png, NAME_albedo.png"
PROTOCOL = Protocol("sintel", "albedo", LAYOUT, find, score, __doc__)
