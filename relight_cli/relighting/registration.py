"""Register a reference to a photo of the same view: features and a homography by RANSAC, refined by ECC.

Source: Lowe, Distinctive Image Features from Scale-Invariant Keypoints (IJCV 2004); Evangelidis and Psarakis,
Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization (PAMI 2008).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Matrix = NDArray[np.float64]

FEATURES = 2000
RATIO = 0.8  # of the distances to the nearest and the second-nearest feature (Lowe 2004)
REACH = 3.0  # pixels between a matched feature and where the homography puts it
SCALES = (0.03, 33.0)  # of the area that a plausible homography keeps: a reference may show a sixth of a side, or six
ECC_STEPS, ECC_CHANGE, ECC_BLUR = 60, 1e-5, 5


@dataclass(frozen=True)
class Registration:
    """A homography that takes points of a photo to points of a reference, both in [0, 1] along each side."""

    matrix: Matrix  # (3, 3)
    inliers: int  # matched features that agree with it

    def displacement(self) -> float:
        """Return how far the corners of the photo move at most, as a share of a side."""
        corners = np.array([[[0, 0], [1, 0], [1, 1], [0, 1]]], np.float64)
        return float(np.abs(cv2.perspectiveTransform(corners, self.matrix) - corners).max())


def features_of(plane: Plane) -> tuple[NDArray, NDArray | None]:
    """Return points (n, 2) in [0, 1] and descriptors (n, 128) of a plane (h, w) of log luminance."""
    low, high = np.percentile(plane, (1, 99))
    levels = ((plane - low) / max(1e-3, high - low) * 255).clip(0, 255).astype(np.uint8)
    found, descriptors = cv2.SIFT.create(FEATURES, contrastThreshold=0.02).detectAndCompute(levels, None)
    points = np.array([key.pt for key in found], np.float64).reshape(-1, 2)
    return (points + 0.5) / plane.shape[::-1], descriptors


def register(photo: Plane, reference: Plane) -> Registration | None:
    """Return the homography between two planes (h, w) of log luminance that most features agree with, or None."""
    (own, first), (other, second) = features_of(photo), features_of(reference)
    if first is None or second is None or len(first) < 4 or len(second) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(first, second, k=2)
    good = [a for a, b in (p for p in pairs if len(p) == 2) if a.distance < RATIO * b.distance]
    if len(good) < 4:
        return None
    size = np.array(photo.shape[::-1])
    start, end = own[[m.queryIdx for m in good]] * size, other[[m.trainIdx for m in good]] * size
    cv2.setRNGSeed(0)
    matrix, inside = cv2.findHomography(start, end, cv2.RANSAC, REACH, maxIters=2000, confidence=0.999)
    if matrix is None or not plausible(matrix, photo.shape):
        return None
    kept = inside.ravel().astype(bool)
    distinct = len(np.unique(np.round(np.hstack((start, end))[kept] / REACH), axis=0))  # a point may have two features
    to_pixels = np.diag([*size, 1.0])
    return Registration(np.linalg.inv(to_pixels) @ matrix @ to_pixels, distinct)


def plausible(matrix: Matrix, shape: tuple[int, ...]) -> bool:
    """Return whether a homography keeps a picture's outline convex, its orientation and about its size."""
    height, width = shape[:2]
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    if (matrix[2] @ np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]).T <= 0).any():
        return False
    moved = cv2.perspectiveTransform(corners, matrix)[0].astype(np.float32)
    area = cv2.contourArea(moved, oriented=True) / (height * width)
    return bool(cv2.isContourConvex(moved) and SCALES[0] <= area <= SCALES[1])


def refine(photo: Plane, reference: Plane, matrix: Matrix) -> tuple[Matrix, float] | None:
    """Refine a homography (in [0, 1]) between two planes (h, w) by ECC; return it and the correlation, or None."""
    to_pixels = np.diag([photo.shape[1], photo.shape[0], 1.0])
    scaled = cv2.resize(reference, photo.shape[::-1], interpolation=cv2.INTER_AREA)
    everywhere = np.full(photo.shape, 255, np.uint8)
    start = (to_pixels @ matrix @ np.linalg.inv(to_pixels)).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ECC_STEPS, ECC_CHANGE)
    try:
        found, warp = cv2.findTransformECC(photo, scaled, start, cv2.MOTION_HOMOGRAPHY, stop, everywhere, ECC_BLUR)
    except cv2.error:  # it does not converge
        return None
    return np.linalg.inv(to_pixels) @ warp.astype(np.float64) @ to_pixels, float(found)


def warped(
    picture: NDArray, matrix: Matrix, height: int, width: int, interpolation: int = cv2.INTER_LINEAR
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return a reference (H, W, C) as the photo (height, width) sees it, and where it is known (height, width).

    It is warped at its own resolution at least, and reduced then.
    """
    finer = max(1, math.ceil(max(picture.shape[0] / height, picture.shape[1] / width)))
    size = (finer * width, finer * height)
    pixels = np.linalg.inv(_scale(*picture.shape[1::-1])) @ matrix @ _scale(*size)
    flags = interpolation | cv2.WARP_INVERSE_MAP
    out = cv2.warpPerspective(picture, pixels, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    out = cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA).clip(picture.min(), picture.max())
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    points = cv2.perspectiveTransform(np.dstack((x, y)).reshape(1, -1, 2), matrix).reshape(height, width, 2)
    return np.asarray(out), np.all((points >= 0) & (points <= 1), axis=2)


def _scale(width: int, height: int) -> Matrix:
    """Return the matrix (3, 3) from pixels, 0 half a pixel from the border, to points in [0, 1]."""
    return np.diag([1 / width, 1 / height, 1.0]) @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
