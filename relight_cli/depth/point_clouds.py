"""Encode depth and a camera as a point cloud in a PLY file."""

import math

import numpy as np
from numpy.typing import NDArray


def focal_from_view(degrees: float, width: int) -> float:
    """Return the focal length in pixels for a horizontal field of view."""
    return width / 2 / math.tan(math.radians(degrees) / 2)


def encode_points(
    depth: NDArray[np.float32], mask: NDArray[np.bool_], colours: NDArray[np.float32], focal: float
) -> bytes:
    """Return the pixels inside the mask as a binary PLY: x right, y up, the camera looks along -z.

    Depth (H, W) is in arbitrary units; colours (H, W, 3) are sRGB in [0, 1].
    """
    height, width = depth.shape
    rows, columns = np.nonzero(mask)
    distance = depth[mask]
    points = np.empty(len(distance), [(n, "<f4") for n in "xyz"] + [(n, "u1") for n in ("red", "green", "blue")])
    points["x"] = (columns + 0.5 - width / 2) / focal * distance
    points["y"] = -(rows + 0.5 - height / 2) / focal * distance
    points["z"] = -distance
    rounded = np.rint(colours[mask].clip(0, 1) * 255).astype(np.uint8)
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = rounded[:, channel]
    names = "".join(f"property float {n}\n" for n in "xyz")
    names += "".join(f"property uchar {n}\n" for n in ("red", "green", "blue"))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{names}end_header\n"
    return header.encode("ascii") + points.tobytes()
