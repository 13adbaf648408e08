"""KITTI, depth of streets from a lidar (Uhrig et al., 3DV 2017).

Layout: image/DRIVE_image_FRAME_CAMERA.png and groundtruth_depth/DRIVE_groundtruth_depth_FRAME_CAMERA.png, as in
depth_selection/val_selection_cropped; or kitti_rgb_ID.png and kitti_depth_ID.png side by side. Depth: uint16, 1/256
metres.
Size: the disparity is resized bilinearly to the depth's size.
Mask: pixels with a depth (not 0); no crop and no limit of distance.
Alignment: disparity to 1 / depth by least squares (scale and shift), inverted where positive, and then to depth by
least squares again; depth below 1 mm becomes 1 mm. So the scores do not depend on scale and shift of the disparity.
Score: AbsRel, SqRel, RMSE, RMSE log, log10, delta < 1.25, 1.25^2, 1.25^3, SIlog = 100 sqrt(mean(d^2) - mean(d)^2), d
of logs.
Mean: over photos.
"""

from functools import partial
from pathlib import Path

from relight_cli.evaluation.depth_samples import PAPER, sample_of_png, score_disparity
from relight_cli.evaluation.layouts import case_name, folders_named, pictures_in
from relight_cli.evaluation.protocol import Case, Protocol, Published

METRES = 1 / 256  # of one step


def find(dataset: Path) -> list[Case]:
    """Return the photos with depth."""
    pairs = [(path, path.with_name(path.name.replace("_rgb_", "_depth_"))) for path in dataset.glob("kitti_rgb_*.png")]
    for folder in folders_named(dataset, ["image"]):
        truths = folder.with_name("groundtruth_depth")
        for path in pictures_in(folder).values():
            pairs.append((path, truths / path.name.replace("_image_", "_groundtruth_depth_", 1)))
    whole = sorted(pair for pair in pairs if pair[1].is_file())
    return [Case(case_name(dataset, pair[0]), pair[0], partial(sample_of_png, *pair, METRES)) for pair in whole]


LAYOUT = "image/*_image_*.png, groundtruth_depth/*_groundtruth_depth_*.png; or kitti_rgb_ID.png, kitti_depth_ID.png"
PROTOCOL = Protocol(
    "kitti",
    "depth",
    LAYOUT,
    find,
    score_disparity,
    __doc__,
    (
        Published("Depth Anything V2", PAPER, {"silog": 33.6, "abs_rel": 0.305}),
        Published("Re-Depth Anything", PAPER, {"silog": 30.7, "abs_rel": 0.283}),
    ),
)
