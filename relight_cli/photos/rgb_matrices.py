"""Conversion of linear light between RGB spaces by a matrix."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# To the cones of Bradford, in which whites are adapted by scaling (ICC.1:2010, annex E).
_CONES = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))


@lru_cache(maxsize=64)
def rgb_matrix(source: tuple[float, ...], target: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear light in one space to that in another; white stays white.

    Both spaces are (x, y) of red, green, blue and white.
    """
    own, other = _to_xyz(source), _to_xyz(target)
    scale = (_CONES @ other.sum(axis=1)) / (_CONES @ own.sum(axis=1))
    adapted = np.linalg.inv(_CONES) @ np.diag(scale) @ _CONES @ own
    return np.linalg.inv(other) @ adapted


def primaries_of(matrix: NDArray[np.float64], source: tuple[float, ...]) -> tuple[float, ...]:
    """Return (x, y) of red, green, blue and white of the space that a matrix (3, 3) makes of a source space.

    The white is that of the source. Raises numpy.linalg.LinAlgError for a matrix without an inverse.
    """
    xyz = _to_xyz(source) @ np.linalg.inv(matrix)
    return (*(xyz / xyz.sum(axis=0))[:2].T.ravel().tolist(), *source[6:])


def _to_xyz(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear light to CIE XYZ in which white has Y = 1."""
    xyz = np.array([(x, y, 1 - x - y) for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)])
    return xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3] / xyz[3][1])
