"""CO3D, depth of objects from structure from motion (Reizenstein et al., ICCV 2021).

Layout: CATEGORY/SEQUENCE/images/FRAME.jpg, depths/FRAME.jpg.geometric.png (float16 values stored as the bits of
uint16, 0 where depth is unknown), and depth_masks/FRAME.png where there is one. The scale in frame_annotations.jgz is
not needed: scores do not depend on scale.
Size: the disparity is resized bilinearly to the depth's size.
Mask: pixels with a finite depth above 0 where the depth mask, if any, is not black.
Alignment, score and mean: as in kitti.
"""

from functools import partial
from pathlib import Path

import numpy as np

from relight_cli.evaluation.depth_samples import DepthSample, depth_sample, read_integers, score_disparity
from relight_cli.evaluation.layouts import case_name, folders_named, pictures_in, read_mask, require_same_size
from relight_cli.evaluation.protocol import Case, Protocol


def find(dataset: Path) -> list[Case]:
    """Return the frames with depth."""
    cases = []
    for folder in folders_named(dataset, ["images"]):
        for path in pictures_in(folder).values():
            files = (
                path,
                folder.with_name("depths") / f"{path.name}.geometric.png",
                folder.with_name("depth_masks") / f"{path.stem}.png",
            )
            if files[1].is_file():
                cases.append(Case(case_name(dataset, path), path, partial(read, *files)))
    return cases


def read(path: Path, truth: Path, mask: Path) -> DepthSample:
    """Read a frame and its depth."""
    values = np.ascontiguousarray(read_integers(truth)).view(np.float16).astype(np.float64)
    known = np.isfinite(values) & (values > 0)
    if mask.is_file():
        allowed = read_mask(mask) > 0
        require_same_size(path, [known, allowed])
        known &= allowed
    return depth_sample(path, np.where(known, values, 0.0))


PROTOCOL = Protocol(
    "co3d",
    "depth",
    "CATEGORY/SEQUENCE/images/FRAME.jpg, depths/FRAME.jpg.geometric.png, depth_masks/FRAME.png",
    find,
    score_disparity,
    __doc__,
)
