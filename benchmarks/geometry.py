"""Measure the geometry network: normals and disparity against known ones, next to the best plane for all views.

python benchmarks/geometry.py VIEWS --depth FOLDER

VIEWS are held-out views of relight_cli.training.geometry_views, FOLDER has photos with depth in the layouts of kitti
and nyu (`relight-cli evaluate protocols`). The plane is the one disparity, linear in the picture, that has the least
relative error over all VIEWS, each scaled by its median.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.evaluation.depth_samples import DepthSample, score_disparity
from relight_cli.evaluation.protocol import WHOLE
from relight_cli.evaluation.protocols import kitti, nyu
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.relighting.estimated_geometry import surface_maps
from relight_cli.training.geometry import evaluate
from relight_cli.training.geometry_losses import fit_plane
from relight_cli.training.geometry_pictures import GeometryViews

SIDE = 512  # of the working copy


def main(
    views: Path,
    depth: Annotated[Path | None, typer.Option(help="Folder of photos with depth.")] = None,
) -> None:
    """Print the figures of the views, then one line per photo."""
    network, held_out = load_geometry(), GeometryViews(views)
    for name, value in evaluate(network, held_out).items():
        print(f"{name}: {value}")
    plane = fit_plane(held_out.whole().disparity).numpy()
    scores = []
    print("| photo | AbsRel, network | AbsRel, plane |\n|---|---|---|")
    cases = [*kitti.find(depth), *nyu.find(depth)] if depth else []
    for case in cases:
        sample: DepthSample = case.read()
        picture = resized(sample.photo.srgb, *fit_within(*sample.photo.pixels.shape[:2], SIDE))
        disparity, _, _ = surface_maps(network, picture)
        scores.append([score_disparity(sample, each)[WHOLE]["abs_rel"] for each in (disparity, plane)])
        print(f"| {case.name} | {scores[-1][0]:.3f} | {scores[-1][1]:.3f} |")
    if scores:
        print("| mean | {:.3f} | {:.3f} |".format(*np.mean(scores, axis=0)))


if __name__ == "__main__":
    typer.run(main)
