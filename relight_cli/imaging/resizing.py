"""Pictures in other sizes."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def resized(picture: Picture, height: int, width: int) -> Picture:
    """Resize a picture (H, W, C): the mean over areas along a side that shrinks, bicubic along one that grows."""
    for wide, high in ((width, picture.shape[0]), (width, height)):
        if picture.shape[:2] != (high, wide):
            grows = wide * high > picture.shape[0] * picture.shape[1]
            how = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
            picture = np.asarray(cv2.resize(picture, (wide, high), interpolation=how), np.float32)
    return picture


def within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Give the size of a picture whose longer side is brought down to `longest` pixels; 0 leaves every size."""
    if not longest or max(height, width) <= longest:
        return height, width
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
