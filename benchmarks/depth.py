"""Measure how much nearer refine-depth brings disparity to known depth.

python benchmarks/depth.py FOLDER [--weights-dir DIR] [--limit N] [ARGUMENT OF refine-depth]...

FOLDER contains NAME_rgb_ID.jpg or .png and, next to it, NAME_depth_ID.png: uint16, in millimetres for nyu, 1/256 metres
for kitti, 0 where depth is unknown. Runs the command line, which needs the published weights (2.2 GB). Prints a table
of each photo's metrics before and after, and their means.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from depth_metrics import depth_metrics
from numpy.typing import NDArray

METRES = {"nyu": 1 / 1000, "kitti": 1 / 256}  # of one step of a depth picture
COLUMNS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log_10", "a1", "a2", "a3", "silog")


def photos_with_depth(folder: Path) -> list[tuple[Path, NDArray[np.float64]]]:
    """Return photos and their depth in metres, (H, W), 0 where it is unknown."""
    found = []
    for photo in sorted(p for p in folder.iterdir() if "_rgb_" in p.name):
        name, _, number = photo.stem.partition("_rgb_")
        depth = cv2.imread(str(folder / f"{name}_depth_{number}.png"), cv2.IMREAD_UNCHANGED)
        if name in METRES and depth is not None:
            found.append((photo, depth * METRES[name]))
    return found


def refined(photo: Path, arguments: list[str]) -> tuple[NDArray, NDArray]:
    """Run the command line; return the disparity before and after."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "depth.npz"
        command = [sys.executable, "-m", "relight_cli", "refine-depth", str(photo), "-o", str(target), "--initial"]
        if code := subprocess.run([*command, *arguments], check=False).returncode:
            raise SystemExit(code)
        with np.load(target) as after, np.load(target.with_name("depth_initial.npz")) as before:
            return before["disparity"], after["disparity"]


def judged(disparity: NDArray, depth: NDArray[np.float64]) -> list[float]:
    """Return the metrics of a disparity, resized to the depth picture's size."""
    resized = cv2.resize(disparity, depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    metrics = depth_metrics(resized, np.where(depth > 0, depth, 1.0), depth > 0)
    return [metrics[column] for column in COLUMNS]


def main(
    context: typer.Context,
    folder: Path,
    limit: Annotated[int, typer.Option(help="Photos at most; 0: all.")] = 0,
) -> None:
    """Print one table."""
    scores: dict[str, list[list[float]]] = {"before": [], "after": []}
    print(f"| photo | | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for photo, depth in photos_with_depth(folder)[: limit or None]:
        for when, disparity in zip(scores, refined(photo, context.args), strict=True):
            scores[when].append(judged(disparity, depth))
            print(row(photo.name, when, scores[when][-1]), flush=True)
    if not scores["before"]:
        raise SystemExit(f"{folder} contains no photos with depth: see the first lines of this file")
    for when, rows in scores.items():
        print(row("mean", when, np.mean(rows, axis=0).tolist()))


def row(name: str, when: str, values: list[float]) -> str:
    """Return one line of the table."""
    return f"| {name} | {when} | {' | '.join(f'{value:.3f}' for value in values)} |"


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(main)
    app()
