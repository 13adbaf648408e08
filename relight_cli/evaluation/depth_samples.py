"""What the protocols of depth share: their samples, and the scores of a disparity."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.depth_metrics import depth_metrics
from relight_cli.evaluation.layouts import read_samples
from relight_cli.evaluation.protocol import WHOLE, Parts
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo

Depth = NDArray[np.float64]  # (H, W), along the camera's axis in any unit, 0 where it is unknown
PAPER = "Re-Depth Anything, CVPR 2026 (arXiv 2512.17908)"


@dataclass(frozen=True)
class DepthSample:
    """A photo with known depth."""

    name: str
    photo: Photo
    depth: Depth  # of the photo's aspect ratio, perhaps of another size


def depth_sample(path: Path, depth: Depth) -> DepthSample:
    """Read a photo whose depth is known. Raises PhotoUnreadableError if no depth is, or one of another shape."""
    if not (depth > 0).any():
        raise PhotoUnreadableError(f"{path}: no pixel has a known depth; copy the data set again")
    photo = read_photo(path)
    (height, width), (rows, columns) = photo.pixels.shape[:2], depth.shape
    if abs(rows * width - columns * height) > height + width:  # each side of the depth may be a pixel off
        shapes = f"photo and depth have different shapes, {width} x {height} and {columns} x {rows} pixels"
        raise PhotoUnreadableError(f"{path}: {shapes}; copy the data set again")
    return DepthSample(path.stem, photo, depth)


def read_integers(path: Path) -> NDArray[np.uint16]:
    """Return the samples (H, W) of a depth map of 16 bits. Raises PhotoUnreadableError for another picture."""
    samples = read_samples(path)
    if samples.dtype != np.uint16 or samples.shape[2] != 1:
        raise PhotoUnreadableError(f"{path}: is not grey with 16 bits, as a depth map is; copy the data set again")
    return samples[..., 0]


def sample_of_png(path: Path, depth: Path, unit: float) -> DepthSample:
    """Read a photo and its depth: integers times their unit, 0 where it is unknown. Raises PhotoUnreadableError."""
    return depth_sample(path, read_integers(depth).astype(np.float64) * unit)


def score_disparity(sample: DepthSample, disparity: NDArray[np.float32]) -> Parts:
    """Return the scores of a disparity (h, w), resized bilinearly to the depth's size.

    Where depth is known the disparity must be, too. Raises PhotoUnreadableError.
    """
    depth = sample.depth
    resized = cv2.resize(np.asarray(disparity, np.float32), depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if not np.isfinite(resized[depth > 0]).all():
        raise PhotoUnreadableError(f"{sample.name}: the disparity is unknown where depth is known; fill its holes")
    return {WHOLE: depth_metrics(resized, np.where(depth > 0, depth, 1.0), depth > 0)}
