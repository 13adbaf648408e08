"""NYU Depth V2, depth of rooms from a Kinect (Silberman et al., ECCV 2012).

Layout: SCENE/rgb_ID.png and SCENE/depth_ID.png; or nyu_rgb_ID.jpg and nyu_depth_ID.png side by side. Depth: uint16,
millimetres.
Size: the disparity is resized bilinearly to the depth's size.
Mask: pixels with a depth (not 0); no crop, so bring the depth without the white border of the raw frames.
Alignment, score and mean: as in kitti.
"""

from functools import partial
from pathlib import Path

from relight_cli.evaluation.depth_samples import sample_of_png, score_disparity
from relight_cli.evaluation.layouts import case_name
from relight_cli.evaluation.protocol import Case, Protocol
from relight_cli.photos.formats import format_of

METRES = 1 / 1000  # of one step


def find(dataset: Path) -> list[Case]:
    """Return the photos with depth."""
    found = [*dataset.glob("nyu_rgb_*"), *dataset.glob("rgb_*"), *dataset.glob("*/rgb_*"), *dataset.glob("*/*/rgb_*")]
    pairs = [(path, path.with_name(path.stem.replace("rgb_", "depth_", 1) + ".png")) for path in sorted(found)]
    return [
        Case(case_name(dataset, pair[0]), pair[0], partial(sample_of_png, *pair, METRES))
        for pair in pairs
        if format_of(pair[0]) and pair[1].is_file()
    ]


LAYOUT = "SCENE/rgb_ID.png, SCENE/depth_ID.png; or nyu_rgb_ID.jpg, nyu_depth_ID.png"
PROTOCOL = Protocol("nyu", "depth", LAYOUT, find, score_disparity, __doc__)
