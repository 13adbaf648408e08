"""ETH3D, depth of scenes from a laser scanner (Schoeps et al., CVPR 2017).

Layout: SCENE/images/dslr_images/NAME.JPG and SCENE/ground_truth_depth/dslr_images/NAME.JPG, which in spite of its
name holds bare float32 values (little-endian, row by row) of the photo's size, infinite where depth is unknown.
Size: the disparity is resized bilinearly to the depth's size.
Mask: pixels with a finite depth above 0.
Alignment, score and mean: as in kitti.
"""

from functools import partial
from pathlib import Path

import numpy as np

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.depth_samples import PAPER, Depth, DepthSample, depth_sample, score_disparity
from relight_cli.evaluation.layouts import case_name, folders_named, pictures_in
from relight_cli.evaluation.protocol import Case, Protocol, Published
from relight_cli.photos.reading import read_photo


def find(dataset: Path) -> list[Case]:
    """Return the photos with depth."""
    pairs = []
    for folder in folders_named(dataset, ["dslr_images"]):
        truths = folder.parent.with_name("ground_truth_depth") / folder.name
        if folder.parent.name == "images" and truths.is_dir():
            pairs += [(path, truths / path.name) for path in pictures_in(folder).values()]
    return [Case(case_name(dataset, pair[0]), pair[0], partial(read, *pair)) for pair in pairs if pair[1].is_file()]


def read(path: Path, truth: Path) -> DepthSample:
    """Read a photo and its depth."""
    height, width = read_photo(path).pixels.shape[:2]
    return depth_sample(path, _depth(truth, height, width))


def _depth(path: Path, height: int, width: int) -> Depth:
    values = np.fromfile(path, "<f4")
    if values.size != height * width:
        reason = f"holds {values.size} values and not the {width} x {height} of its photo"
        raise PhotoUnreadableError(f"{path}: {reason}; copy the data set again")
    values = values.reshape(height, width).astype(np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, 0.0)


PROTOCOL = Protocol(
    "eth3d",
    "depth",
    "SCENE/images/dslr_images/NAME.JPG, SCENE/ground_truth_depth/dslr_images/NAME.JPG",
    find,
    score_disparity,
    __doc__,
    (
        Published("Depth Anything V2", PAPER, {"silog": 15.1, "abs_rel": 0.113}),
        Published("Re-Depth Anything", PAPER, {"silog": 14.1, "abs_rel": 0.104}),
    ),
)
