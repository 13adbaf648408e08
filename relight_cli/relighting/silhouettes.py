"""The surfaces of a thing in front of nothing, from its outline.

In front of black, or of a clipped background, nothing but the thing is seen, and networks that were
trained on whole views see little of its shape. Along the outline the surface turns away from the viewer, which is the
strongest evidence there is (Koenderink 1984); in between it bulges like a soap film under pressure.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_BLACK, _WHITE = 0.05, 0.97  # sRGB values of nothing: no channel above, no channel below
_BORDER = 0.75  # share of the picture's border that shows nothing if a thing stands in front of it
_THINGS = 0.02, 0.9  # share of the picture that things cover
_SIDE = 128  # longer side of the copy in which they bulge
_COARSEST = 16  # pixels
_SWEEPS = 60  # at each size


def bulging_normals(picture: Map) -> Map | None:
    """Return unit normals (h, w, 3) of what stands in front of nothing in a picture (h, w, 3), sRGB.

    x right, y up, z towards the viewer, which is where the background faces. None if the picture shows no such thing.
    """
    things = in_front_of_nothing(picture)
    if things is None:
        return None
    height, width = things.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(things.astype(np.float32), size, interpolation=cv2.INTER_AREA)).reshape(size[::-1])
    bulge = np.sqrt(_membrane(small > 0.5))
    padded = np.pad(bulge, 1, mode="edge")
    right, down = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    normals = np.stack((-right, down, np.ones_like(bulge)), axis=-1).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    large = cv2.resize(normals, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large / np.linalg.norm(large, axis=-1, keepdims=True), np.float32).reshape(height, width, 3)


def in_front_of_nothing(picture: Map) -> NDArray[np.bool_] | None:
    """Return where things (h, w) stand in front of a black or a clipped background; None if there are none."""
    inner = np.s_[1:-1, 1:-1]
    border = np.ones(picture.shape[:2], bool)
    border[inner] = False
    for nothing in (picture.max(axis=-1) < _BLACK, picture.min(axis=-1) > _WHITE):
        if nothing[border].mean() < _BORDER:
            continue
        _, labels = cv2.connectedComponents(nothing.astype(np.uint8), connectivity=4)
        outside = np.isin(labels, np.unique(labels[border & nothing])) & nothing
        things = cv2.morphologyEx((~outside).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
        least, most = _THINGS
        if least < things.mean() < most:
            return things
    return None


def _membrane(inside: NDArray[np.bool_]) -> Map:
    """Return u (h, w) with laplacian -4 inside, 0 outside: r^2 - d^2 in a disc of radius r, whose root is a ball.

    Solved by Jacobi sweeps, each size starting from half of it.
    """
    height, width = inside.shape
    film = np.zeros(inside.shape, np.float32)
    if max(height, width) > _COARSEST:
        size = (width + 1) // 2, (height + 1) // 2
        half = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
        coarse = 4 * _membrane(np.asarray(half).reshape(size[::-1]))
        film = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    film = np.where(inside, film.reshape(height, width), 0)
    for _ in range(_SWEEPS):
        wide = np.pad(film, 1)
        around = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4
        film = np.where(inside, around + 1, 0)
    return film.clip(0, None).astype(np.float32)
