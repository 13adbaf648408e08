"""Encode depth and a camera as a point cloud in a PLY file."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

FULL_FRAME_DIAGONAL = math.hypot(36, 24)  # millimetres; it defines the 35 mm equivalent (EXIF 2.32, 4.6.5)


def focal_from_view(degrees: float, width: int) -> float:
    """Return the focal length in pixels for a horizontal field of view."""
    return width / 2 / math.tan(math.radians(degrees) / 2)


def focal_from_exif(exif: bytes | None, height: int, width: int) -> float | None:
    """Return the focal length in pixels from the 35 mm equivalent; None if the EXIF has none."""
    if not exif:
        return None
    found = Image.Exif()
    try:
        found.load(exif)
        millimetres = float(found.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
    except Exception:  # noqa: BLE001  EXIF of any camera; broken EXIF counts as none
        return None
    return math.hypot(height, width) * millimetres / FULL_FRAME_DIAGONAL if millimetres > 0 else None


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
