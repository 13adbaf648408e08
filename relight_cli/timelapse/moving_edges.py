"""Shadows that move between two pictures of one view: when the light of each pixel turns.

Between two frames a pixel that a shadow's edge passes over is lit until the edge comes and dark after (or the other way
round), so that a cross-fade shows two half shadows where there is one. The edge of the earlier picture lies on one side
of the strip that was passed over, the later one's on the other; a pixel turns when the edge, going from the one to the
other, reaches it. This is shape interpolation by distances (Raya and Udupa 1990), for the light instead of an organ.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE, srgb_to_linear

Picture = NDArray[np.float32]
Map = NDArray[np.float32]

SIDE = 512  # pixels of the longer side of the maps; edges of shadows are softer than that shows
DARK = 2e-3  # linear light that counts as black
TURNED = 0.4  # stops of change against the whole picture's that make a pixel part of a strip
FINE = 1.2  # pixels of blur that keep noise and texture out of the changes
LEAST_PIXELS = 20  # of a strip
LEAST_SIDE = 8  # of a picture that has edges at all
ALIKE = 0.4  # how far an edge's share of the change may be from all (or none) of it
MOVING = 0.5  # share of a strip's border that has to be one picture's edge alone
EACH = 0.15  # share of that which has to be each picture's
CLIPPED = 0.98  # sRGB; how bright such a pixel was is not known
BLACK = -7.0  # log2 luminance under which a pixel tells nothing either
WHOLE = 1.0  # stops; where the whole picture changes more it is not shadows that move, but day and night
FARTHEST = 0.2  # of the longer side: the way that an edge can be followed
MOST = 0.4  # of the picture that edges may pass over; more is another picture
HEDGE = 6.0  # pixels over which a passing edge turns the light: where it is in between is only estimated
SHORTEST, LONGEST = 0.3, 2.0  # the same as a share of the way


@dataclass(frozen=True)
class Change:
    """What changes between two pictures; maps are (h, w), small, of the same view."""

    stops: float  # of the whole picture: the median change of log2 luminance
    largest: float  # the change, either way, that 90 % of the pixels stay under, in stops
    turn: Map  # share of the way at which a pixel's light turns
    width: Map  # how long turning takes, as a share of the way
    moved: Map  # [0, 1], where an edge passes

    @property
    def moving(self) -> float:
        """Share of the picture that edges pass over."""
        return float(self.moved.mean())


def small(picture: Picture) -> Picture:
    """Shrink a picture (H, W, 3) to the size of the maps."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def luminance_stops(picture: Picture) -> Map:
    """Give log2 of the linear luminance of an sRGB picture."""
    linear = srgb_to_linear(torch.from_numpy(picture).clamp(min=0)).numpy()
    return np.log2(linear @ np.array(LUMINANCE, np.float32) + DARK)


def blurred(field: Map, sigma: float) -> Map:
    """Blur a map (h, w)."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def change_between(first: Picture, last: Picture) -> Change:
    """Tell what changes between two sRGB pictures (H, W, 3) of one view."""
    first, last = small(first), small(last)
    before, after = (blurred(luminance_stops(p), FINE) for p in (first, last))
    change = after - before
    stops = float(np.median(change))
    known = (np.maximum(first, last).max(-1) < CLIPPED) & (np.minimum(before, after) > BLACK) & (abs(stops) < WHOLE)
    if min(change.shape) < LEAST_SIDE:
        known[:] = False
    owner = _share_of_first(before, change)
    turn, width = np.zeros_like(change), np.ones_like(change)
    moved = np.zeros_like(change)
    for strips in (change - stops > TURNED, change - stops < -TURNED):
        count, labels, boxes, _ = cv2.connectedComponentsWithStats((strips & known).astype(np.uint8), connectivity=4)
        for number in range(1, count):
            x, y, w, h, size = boxes[number]
            box = (slice(max(0, y - 2), y + h + 2), slice(max(0, x - 2), x + w + 2))
            strip = labels[box] == number
            if size < LEAST_PIXELS or (found := _passing(strip, owner[box], FARTHEST * max(change.shape))) is None:
                continue
            turn[box][strip], width[box][strip], moved[box][strip] = found[0][strip], found[1][strip], 1
    if moved.mean() > MOST:
        moved[:] = 0
    # Past its border a strip's times are carried on, so that they may be blurred and enlarged.
    reach = np.ones((7, 7), np.uint8)
    grown = np.asarray(cv2.dilate(np.where(moved > 0, turn, -1), reach))
    turn = np.where(moved > 0, turn, np.maximum(grown, 0))
    return Change(
        stops, float(np.percentile(np.abs(change), 90)), turn, _outward(width, moved, reach), blurred(moved, 1)
    )


def _outward(width: Map, moved: Map, reach: NDArray[np.uint8]) -> Map:
    grown = np.asarray(cv2.dilate(np.where(moved > 0, width, 0), reach))
    return np.where(moved > 0, width, np.where(grown > 0, grown, 1))


def _share_of_first(before: Map, change: Map) -> Map:
    """Tell how much of an edge in the change is an edge that the first picture had: 1 all, 0 none of it.

    Other values are edges that both have, a shadow that fades where it is.
    """
    own, new = (
        np.array([cv2.Sobel(blurred(field, 1), -1, *way) for way in ((1, 0), (0, 1))]) for field in (before, change)
    )
    return blurred(-(own * new).sum(0), 2) / (blurred((new * new).sum(0), 2) + 1e-6)


def _passing(strip: NDArray[np.bool_], owner: Map, farthest: float) -> tuple[Map, Map] | None:
    """Give when the light of a strip's pixels turns, and how long that takes; None if no edge passes over it."""
    border = np.asarray(cv2.dilate(strip.astype(np.uint8), np.ones((3, 3), np.uint8)), bool) & ~strip
    ends = border & (np.abs(owner - 1) < ALIKE), border & (np.abs(owner) < ALIKE)
    counts = [int(end.sum()) for end in ends]
    if sum(counts) < MOVING * border.sum() or min(counts) < EACH * sum(counts):
        return None
    left, right = (cv2.distanceTransform((~end).astype(np.uint8), cv2.DIST_L2, 5) for end in ends)
    way = left + right + 1e-6
    if np.median(way[strip]) > farthest:
        return None
    return left / way, np.clip(HEDGE / way, SHORTEST, LONGEST)


def enlarged(change: Change, height: int, width: int) -> Change:
    """Give the change with maps of the pictures' own size."""

    def large(field: Map) -> Map:
        return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    return replace(change, turn=large(change.turn), width=large(change.width), moved=large(change.moved))
