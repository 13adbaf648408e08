"""Follow shadows that move between two pictures of one view, and find when the light of each pixel turns.

A pixel that a shadow's edge passes over is lit until the edge comes and dark afterwards (or the other way round). A
cross-fade therefore shows two half shadows instead of one. The edge passes over a strip; the earlier picture has the
edge on one side of the strip, the later picture on the other. A pixel turns when the edge, moving from one side to the
other, reaches it. This is shape interpolation by distances (Raya and Udupa 1990), for light instead of an organ.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE
from relight_cli.relighting.layers import to_linear

Picture = NDArray[np.float32]
Map = NDArray[np.float32]

SIDE = 512  # pixels, longer side of the maps; shadow edges are softer than their resolution
DARK = 2e-3  # linear light that is added before the logarithm
MIN_CHANGE = 0.4  # stops; a pixel that changes more, relative to the whole picture, is part of a strip
BLUR = 1.2  # pixels; keeps noise and texture out of the changes
MIN_PIXELS = 20  # of a strip
MIN_SIDE = 8  # pixels; a smaller picture has no edges
OWNER_TOLERANCE = 0.4  # how far the share of the change that belongs to an edge may be from 1 (or 0)
MIN_OWNED = 0.5  # share of a strip's border that must be an edge of one picture only
MIN_OWNED_EACH = 0.15  # share of these edges that each picture must have
CLIPPED = 0.98  # sRGB; the true brightness of such a pixel is unknown
BLACK = -7.0  # log2 luminance below which the brightness of a pixel is unknown too
MAX_STOPS = 1.0  # stops; if the whole picture changes more, day and night change and no shadow is followed
MAX_DISTANCE = 0.2  # of the longer side; an edge that moves farther is not followed
MAX_MOVED = 0.4  # share of the picture that edges may pass over; more is another picture
MIN_SHADOW = 1.0  # stops; the sun's cast shadow is darker, and clouds are rarely as much brighter than the sky
MAX_SURE = 0.15  # share of the picture above which one strip is rather clouds than a shadow
MAX_THING = 0.006  # share of the picture; a narrow strip that is larger is rather a shadow than a thing
NOISE_BLUR, DETAIL = 0.7, 2.0  # pixels; details lie between these deviations of a blur
STRONG = 0.25  # stops; details that are stronger are those of things
SAME = 0.25  # correlation of details above which they are those of one surface under two lights
TURN_PIXELS = 6.0  # pixels over which a passing edge turns the light, as its position is only estimated
MIN_TURN, MAX_TURN = 0.3, 2.0  # limits of the duration of a turn, as a share of the way


@dataclass(frozen=True)
class Change:
    """What changes between two pictures; the maps (h, w) are small copies of the view."""

    stops: float  # median change of log2 luminance
    turn: Map  # share of the way at which a pixel's light turns
    width: Map  # duration of the turn, as a share of the way
    moved: Map  # [0, 1], where an edge passes
    sure: Map  # [0, 1], the part of it that looks like the cast shadow of the sun

    @property
    def unsure(self) -> Map:
        """The rest of `moved`."""
        return self.moved - self.sure

    @property
    def moving(self) -> float:
        """The share of the picture that edges pass over."""
        return float(self.moved.mean())


def small(picture: Picture) -> Picture:
    """Return a picture (H, W, 3) at the size of the maps."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def luminance_stops(picture: Picture) -> Map:
    """Return log2 of the linear luminance of an sRGB picture."""
    return np.log2(to_linear(picture) @ np.array(LUMINANCE, np.float32) + DARK)


def blurred(field: Map, sigma: float) -> Map:
    """Return a blurred map (h, w)."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def change_between(first: Picture, last: Picture) -> Change:
    """Return what changes between two sRGB pictures (H, W, 3) of one view."""
    first, last = small(first), small(last)
    before, after = (blurred(luminance_stops(p), BLUR) for p in (first, last))
    change = after - before
    stops = float(np.median(change))
    known = (np.maximum(first, last).max(-1) < CLIPPED) & (np.minimum(before, after) > BLACK) & (abs(stops) < MAX_STOPS)
    if min(change.shape) < MIN_SIDE:
        known[:] = False
    owner = _share_of_first(before, change)
    turn, width = np.zeros_like(change), np.ones_like(change)
    moved, sure = np.zeros_like(change), np.zeros_like(change)
    details = fine_details(first), fine_details(last)
    for strips in (change - stops > MIN_CHANGE, change - stops < -MIN_CHANGE):
        count, labels, boxes, _ = cv2.connectedComponentsWithStats((strips & known).astype(np.uint8), connectivity=4)
        for number in range(1, count):
            x, y, w, h, size = boxes[number]
            box = (slice(max(0, y - 2), y + h + 2), slice(max(0, x - 2), x + w + 2))
            strip = labels[box] == number
            if size < MIN_PIXELS or (found := _turns(strip, owner[box], MAX_DISTANCE * max(change.shape))) is None:
                continue
            turn[box][strip], width[box][strip], moved[box][strip] = found[0][strip], found[1][strip], 1
            strong = np.abs(change[box][strip] - stops).mean() > MIN_SHADOW and size < MAX_SURE * change.size
            if strong and not _differ(strip, details[0][box], details[1][box], change.size):
                sure[box][strip] = 1
    if moved.mean() > MAX_MOVED:
        moved[:], sure[:] = 0, 0
    # The values of a strip are extended past its border, so that the maps can be blurred and enlarged.
    kernel = np.ones((7, 7), np.uint8)
    grown = np.asarray(cv2.dilate(np.where(moved > 0, turn, -1), kernel))
    turn = np.where(moved > 0, turn, np.maximum(grown, 0))
    return Change(stops, turn, _extended(width, moved, kernel), blurred(moved, 1), blurred(sure, 1))


def fine_details(picture: Picture) -> Map:
    """Return the details of log luminance of a small picture, in stops."""
    stops = blurred(luminance_stops(picture), NOISE_BLUR)
    return stops - blurred(stops, DETAIL)


def _differ(strip: NDArray[np.bool_], first: Map, last: Map, area: int) -> bool:
    """Return whether a strip has strong details that are not those of one surface under two lights.

    Near its border the details are the edges of the shadow. A strip that is all border is judged by its size.
    """
    inner = np.asarray(cv2.erode(strip.astype(np.uint8), np.ones((9, 9), np.uint8)), bool)
    if inner.sum() < MIN_PIXELS:
        return bool(strip.sum() < MAX_THING * area)
    own, other, common = (float((a[inner] * b[inner]).sum()) for a, b in ((first, first), (last, last), (first, last)))
    return max(own, other) > STRONG**2 * inner.sum() and common < SAME * math.sqrt(own * other)


def _extended(width: Map, moved: Map, kernel: NDArray[np.uint8]) -> Map:
    grown = np.asarray(cv2.dilate(np.where(moved > 0, width, 0), kernel))
    return np.where(moved > 0, width, np.where(grown > 0, grown, 1))


def _share_of_first(before: Map, change: Map) -> Map:
    """Return how much of an edge in the change is an edge of the first picture: 1 all of it, 0 nothing.

    Other values are edges that both pictures have: a shadow that fades in place.
    """
    own, new = (
        np.array([cv2.Sobel(blurred(field, 1), -1, *axis) for axis in ((1, 0), (0, 1))]) for field in (before, change)
    )
    return blurred(-(own * new).sum(0), 2) / (blurred((new * new).sum(0), 2) + 1e-6)


def _turns(strip: NDArray[np.bool_], owner: Map, max_distance: float) -> tuple[Map, Map] | None:
    """Return when the light of a strip's pixels turns and how long that takes; None if no edge passes over it."""
    border = np.asarray(cv2.dilate(strip.astype(np.uint8), np.ones((3, 3), np.uint8)), bool) & ~strip
    edges = border & (np.abs(owner - 1) < OWNER_TOLERANCE), border & (np.abs(owner) < OWNER_TOLERANCE)
    counts = [int(edge.sum()) for edge in edges]
    if sum(counts) < MIN_OWNED * border.sum() or min(counts) < MIN_OWNED_EACH * sum(counts):
        return None
    from_first, to_last = (cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5) for edge in edges)
    distance = from_first + to_last + 1e-6
    if np.median(distance[strip]) > max_distance:
        return None
    return from_first / distance, np.clip(TURN_PIXELS / distance, MIN_TURN, MAX_TURN)


def enlarged(change: Change, height: int, width: int) -> Change:
    """Return the change with maps of the pictures' own size."""

    def large(field: Map) -> Map:
        return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    return replace(change, turn=large(change.turn), width=large(change.width), moved=large(change.moved))
