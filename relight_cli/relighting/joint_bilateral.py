"""Smooth maps within the surfaces of a picture: what a network blurs across an outline returns to its side.

Joint bilateral filter: Petschnigg et al., Digital Photography with Flash and No-Flash Image Pairs (SIGGRAPH 2004).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

REACH, STEP = 12, 3  # pixels to the farthest pixel of a mean, and from one to the next
DISTANCE = 8.0  # pixels, the deviation
COLOUR = 5.0  # CIELAB, the deviation


def smooth_within_edges(maps: Maps, picture: Maps) -> Maps:
    """Return maps (h, w, C) as means over pixels near by whose colour in a picture (h, w, 3), sRGB, is alike."""
    lab = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture, np.float32), cv2.COLOR_RGB2LAB))
    colours = _planes(lab / np.float32(COLOUR * 2**0.5))
    values = _planes(np.asarray(maps, np.float32))
    height, width = maps.shape[:2]
    here = [plane[_at(0, 0, height, width)] for plane in colours]
    total, found = np.zeros((height, width), np.float32), np.zeros((len(values), height, width), np.float32)
    for dy in range(-REACH, REACH + 1, STEP):
        for dx in range(-REACH, REACH + 1, STEP):
            there = _at(dy, dx, height, width)
            squares = np.full((height, width), (dy**2 + dx**2) / (2 * DISTANCE**2), np.float32)
            for own, plane in zip(here, colours, strict=True):
                squares += (own - plane[there]) ** 2
            share = np.exp(-squares)
            total += share
            for mean, plane in zip(found, values, strict=True):
                mean += share * plane[there]
    return np.ascontiguousarray(np.moveaxis(found / total, 0, -1))


def _planes(maps: Maps) -> list[Maps]:
    """Return the channels of maps (h, w, C), mirrored beyond the border."""
    border = (REACH, REACH, REACH, REACH)
    channels = (np.ascontiguousarray(maps[..., c]) for c in range(maps.shape[2]))
    return [np.asarray(cv2.copyMakeBorder(one, *border, cv2.BORDER_REFLECT)) for one in channels]


def _at(dy: int, dx: int, height: int, width: int) -> tuple[slice, slice]:
    return slice(REACH + dy, REACH + dy + height), slice(REACH + dx, REACH + dx + width)
