"""Points in space from disparity and a camera, as a PLY file."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

FULL_FRAME_DIAGONAL = math.hypot(36, 24)  # millimetres, by which the 35 mm equivalent is defined (EXIF 2.32, 4.6.5)


def focal_from_view(degrees: float, width: int) -> float:
    """Give the focal length in pixels of a horizontal field of view."""
    return width / 2 / math.tan(math.radians(degrees) / 2)


def focal_from_exif(exif: bytes | None, height: int, width: int) -> float | None:
    """Give the focal length in pixels from the 35 mm equivalent; None where the photo does not tell it."""
    if not exif:
        return None
    found = Image.Exif()
    try:
        found.load(exif)
        millimetres = float(found.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
    except Exception:  # noqa: BLE001  EXIF of any camera; a broken one tells nothing
        return None
    return math.hypot(height, width) * millimetres / FULL_FRAME_DIAGONAL if millimetres > 0 else None


def encode_points(
    depth: NDArray[np.float32], there: NDArray[np.bool_], colours: NDArray[np.float32], focal: float
) -> bytes:
    """Encode the pixels that are `there` as points of a binary PLY: x right, y up, the camera looking along -z.

    Depth (H, W) is in units of its own; colours (H, W, 3) are sRGB in [0, 1].
    """
    height, width = depth.shape
    rows, columns = np.nonzero(there)
    far = depth[there]
    points = np.empty(len(far), [(n, "<f4") for n in "xyz"] + [(n, "u1") for n in ("red", "green", "blue")])
    points["x"] = (columns + 0.5 - width / 2) / focal * far
    points["y"] = -(rows + 0.5 - height / 2) / focal * far
    points["z"] = -far
    shown = np.rint(colours[there].clip(0, 1) * 255).astype(np.uint8)
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = shown[:, channel]
    names = "".join(f"property float {n}\n" for n in "xyz")
    names += "".join(f"property uchar {n}\n" for n in ("red", "green", "blue"))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{names}end_header\n"
    return header.encode("ascii") + points.tobytes()
