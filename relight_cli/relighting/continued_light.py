"""Continue light beyond the border of what is seen of it, in the direction of its edges: a shadow goes on straight.

Cells are taken in the order of their distance to what is seen. Each takes the mean of the known cells around it that
look alike, narrow across the edges of the light and wide along them (coherence transport, Bornemann and Maerz, Fast
Image Inpainting Based on Coherence Transport, 2007). Only edges that the new light has count: what the photo itself
shows of an edge is known on both sides of the border.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

REACH = 6  # cells from which a cell takes its light, at most
NEAR, ACROSS = 0.6 * REACH, 2.5  # cells: deviations of distance, and of distance across an edge that is not sharp
NARROW = 3.0  # times narrower across a sharp edge, less one
FLAT = 0.05  # stops a cell: a gradient below which there is no edge
SMOOTH = 1.2  # cells: standard deviation of the window in which the directions of edges are averaged
FAR = 40.0  # cells at which a continued light counts for a third
LAYERS = 80  # cells beyond which it does not count
ALIKE, ENOUGH = 0.01, 0.1  # likeness of the cells around, and weight of them, from which they are believed

_STEPS = np.array(
    [
        (dy, dx)
        for dy in range(-REACH, REACH + 1)
        for dx in range(-REACH, REACH + 1)
        if 0 < dy * dy + dx * dx <= REACH * REACH
    ]
)
_SQUARES = (_STEPS**2).sum(axis=1).astype(np.float32)
_ALONG = np.array([[-1, 0, 1]], np.float32)  # differences from left to right


def continued_light(light: Maps, photo: Maps, colours: Maps, weight: Maps, before: Maps) -> Maps:
    """Return light (h, w, 3) in stops continued to where its `weight` (h, w) is 0, where it is `before` (h, w, 3).

    `photo` (h, w) is the photo's luminance in stops; its `colours` (h, w, 3) are about 1 apart where it looks alike.
    """
    seen = weight > 0
    start, edges = np.where(seen[..., None], light, before), edges_of(light.mean(axis=2), photo, seen)
    known = _Known(*(_bordered(x) for x in (start, colours, *edges, weight)))
    away = cv2.distanceTransform((~seen).astype(np.uint8), cv2.DIST_L2, 5)
    layers = np.ceil(np.minimum(away, LAYERS + 1)).astype(int)  # infinite where nothing is seen
    for layer in range(1, min(int(layers.max()), LAYERS) + 1):
        known.extend(np.argwhere(layers == layer) + REACH, float(np.exp(-((layer / FAR) ** 2))))
    return known.light[REACH:-REACH, REACH:-REACH]


@dataclass(frozen=True)
class _Known:
    """What is known so far, with a border of REACH cells."""

    light: Maps  # (h, w, 3)
    colours: Maps  # (h, w, 3): of the surfaces that the light is from
    edges: Maps  # (h, w, 3): structure tensor xx, xy, yy
    directed: Maps  # (h, w): 1 where the edges are known
    weight: Maps  # (h, w)

    def extend(self, places: NDArray[np.intp], most: float) -> None:
        """Give cells at `places` (N, 2) the light of the known cells around them, by a share of at most `most`."""
        if not len(places):
            return
        own = tuple(places.T)
        around = tuple((places[:, None] + _STEPS).transpose(2, 0, 1))  # (N, M) each
        directed = self.directed[around] / _SQUARES
        total = directed.sum(axis=1, keepdims=True)
        edges = (directed[..., None] * self.edges[around]).sum(axis=1) / np.maximum(total, 1e-6)
        near = np.exp(-0.5 * _distances(edges)) * self.weight[around]
        share = near * np.exp(-0.5 * ((self.colours[own][:, None] - self.colours[around]) ** 2).sum(axis=2))
        nearness, likeness = near.sum(axis=1, keepdims=True), share.sum(axis=1, keepdims=True)
        alike = likeness / np.maximum(nearness, 1e-9)
        taken = most * np.minimum(1, alike / ALIKE) * np.minimum(1, nearness / ENOUGH)
        for maps in (self.light, self.colours):
            mean = (share[..., None] * maps[around]).sum(axis=1) / np.maximum(likeness, 1e-12)
            maps[own] += taken * (mean - maps[own])
        self.edges[own], self.directed[own] = edges, total[:, 0] > 0
        self.weight[own] = np.maximum(taken[:, 0], 1e-3)


def edges_of(light: Maps, photo: Maps, seen: NDArray[np.bool_]) -> tuple[Maps, Maps]:
    """Return the structure tensor (h, w, 3) of the edges of new light, and where it is known (h, w).

    `light` (h, w) is the change of light and `photo` (h, w) the luminance before it, both in stops. The part of an edge
    of the change that the photo shows is not one of the new light.
    """
    inside = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(np.float32)
    (x, y), (own_x, own_y) = (
        [0.5 * cv2.filter2D(np.ascontiguousarray(plane), -1, k) for k in (_ALONG, _ALONG.T)] for plane in (light, photo)
    )
    new = np.maximum(0, x * (x + own_x) + y * (y + own_y))
    gone = np.maximum(0, -(x * own_x + y * own_y))
    counts = inside * new / (new + gone + np.float32(1e-6))
    tensor = np.dstack((x * x * counts, x * y * counts, y * y * counts))
    soft, total = (cv2.GaussianBlur(m, (0, 0), SMOOTH, borderType=cv2.BORDER_CONSTANT) for m in (tensor, inside))
    found = total > 1e-3
    return np.asarray(soft / np.maximum(total, 1e-3)[..., None]), (found & seen).astype(np.float32)


def _distances(edges: Maps) -> Maps:
    """Return the squared distances (N, M) of cells from those around them, in deviations, by their edges (N, 3)."""
    xx, xy, yy = edges.T[..., None]
    half = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    least = np.maximum((xx + yy) / 2 - half, 0)  # eigenvalue
    sharp = 2 * half / (2 * half + 2 * least + np.float32(FLAT**2))
    dy, dx = _STEPS.T.astype(np.float32)
    across = ((xx - least) * dx**2 + 2 * xy * dx * dy + (yy - least) * dy**2) / np.maximum(2 * half, 1e-12)
    return np.asarray(np.maximum(across, 0) * ((1 + NARROW * sharp) / ACROSS) ** 2 + _SQUARES / NEAR**2, np.float32)


def _bordered(maps: Maps) -> Maps:
    """Return a copy of maps (h, w, ...) with a border of REACH zeros."""
    return np.pad(maps, ((REACH, REACH),) * 2 + ((0, 0),) * (maps.ndim - 2)).astype(np.float32)
