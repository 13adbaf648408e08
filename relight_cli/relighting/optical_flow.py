"""Optical flow between pictures of a sequence, and maps carried along it (Kroeger et al., DIS, ECCV 2016)."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.guided import luma

Maps = NDArray[np.float32]
Flow = NDArray[np.float32]
"""(h, w, 2): where each pixel of a picture was in another one, across and down, in pixels from its own place."""

SMALLEST = 16  # pixels of a side, below which there is nothing to follow
_BLUR = 2.0  # deviation, in pixels, of the blur of differences
_BETTER = 0.8  # a flow has to leave less than this share of the difference that standing still leaves
_ROUNDING = 0.5 / 255


class FlowEstimator:
    """Finds flow; not for several threads at a time."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(1)  # half the size: a quarter, as the preset has it, misses what is small
        self._dis.setVariationalRefinementIterations(0)

    def flow(self, picture: Maps, other: Maps) -> Flow:
        """Return where each pixel of a picture (h, w, 3), sRGB, is in another one; zero where it does not move.

        A pixel moves if that explains the other picture clearly better than standing still: else noise would shake
        whatever is carried along.
        """
        height, width = picture.shape[:2]
        if min(height, width) < SMALLEST:
            return np.zeros((height, width, 2), np.float32)
        own, seen = luma(picture), luma(other)
        found = self._dis.calc(_bytes(own), _bytes(seen), np.zeros((height, width, 2), np.float32)).astype(np.float32)
        standing = blurred(np.abs(own - seen)[..., 0])
        moving = blurred(np.abs(own - carried(seen, found))[..., 0])
        moves = (moving + _ROUNDING < _BETTER * standing).astype(np.float32)
        return found * blurred(moves)[..., None]


def carried(maps: Maps, flow: Flow) -> Maps:
    """Return maps (h, w, C) of another picture at the places to which a flow leads; outside, those of the border."""
    across, down = cv2.split(_places(*flow.shape[:2]) + flow)
    moved = cv2.remap(maps, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32).reshape(maps.shape)


def joined(first: Flow, then: Flow) -> Flow:
    """Return the flow that leads through the first one and, from there, through another one."""
    return first + carried(then, first)


def inside(flow: Flow) -> NDArray[np.bool_]:
    """Return which pixels (h, w) a flow leads to a place inside the other picture."""
    height, width = flow.shape[:2]
    places = _places(height, width) + flow
    across, down = places[..., 0], places[..., 1]
    return (across >= -0.5) & (across <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)


def blurred(values: Maps) -> Maps:
    """Return values (h, w) blurred as differences of pictures are."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), _BLUR, borderType=cv2.BORDER_REFLECT), np.float32)


def _bytes(grey: Maps) -> NDArray[np.uint8]:
    return np.rint(grey[..., 0] * 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> Maps:
    """Return the place (h, w, 2) of each pixel, across and down."""
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack((across, down), axis=-1)
