"""Find the foreground that moves between two pictures of one view: vehicles, people, animals.

Such a thing is small and has details of its own, which the other picture lacks at this place. Clouds have no fine
details, water and leaves cover larger areas; both fade better than they jump.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.timelapse.moving_edges import blurred, fine_details, luminance_stops, small

Picture = NDArray[np.float32]
Map = NDArray[np.float32]

NEAR = 4.0  # pixels; deviation of the blur within which details are compared
MIN_DETAIL = 0.12  # stops; weaker details are noise, or clouds
SAME = 0.4  # correlation above which details are of the same thing
MIN_CHANGE = 0.25  # stops of luminance, relative to the whole picture
MIN_SIDE = 16  # pixels of the shorter side; a smaller picture shows no things
SIZES = 20 / 512**2, 0.01  # shares of the picture that a thing covers
MOST_DIFFERENT = 0.2, 0.3  # shares of the details that differ: there are things, the whole scene looks another
LEAST_DETAILED = 0.1  # share of the picture that must have details for that; else a thing may be all of them
MARGIN = 5  # pixels that a thing is enlarged by
TURN = 0.3  # share of the way in which a thing fades, half-way


def things_between(first: Picture, last: Picture, passed: Map) -> Map:
    """Return where things move between two sRGB pictures (H, W, 3), (h, w) in [0, 1].

    Where the edge of a shadow passes (`passed`, (h, w)), nothing does; nor where most details are others, since lamps
    at night and the sky by day show other sides of what stands still.
    """
    first, last = small(first), small(last)
    held = np.zeros(first.shape[:2], np.float32)
    if min(held.shape) < MIN_SIDE:
        return held
    change = blurred(luminance_stops(last) - luminance_stops(first), 1)
    a, b = fine_details(first), fine_details(last)
    own, other, common = (blurred(product, NEAR) for product in (a * a, b * b, a * b))
    differs, detailed = common < SAME * np.sqrt(own * other), np.sqrt(np.maximum(own, other)) > MIN_DETAIL
    least, most = MOST_DIFFERENT
    still = detailed & (passed < 0.5)
    sure = 1.0
    if still.mean() > LEAST_DETAILED:
        sure = float(np.clip((most - differs[still].mean()) / (most - least), 0, 1))
    differs &= detailed & (np.abs(change - np.median(change)) > MIN_CHANGE)
    closed = cv2.morphologyEx((differs & (passed < 0.5)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(closed)
    shares = boxes[:, cv2.CC_STAT_AREA] / held.size
    kept = (shares > SIZES[0]) & (shares < SIZES[1])
    kept[0] = False  # the rest of the picture
    grown = cv2.dilate(kept[labels].astype(np.float32), np.ones((MARGIN, MARGIN), np.uint8))
    return blurred(np.asarray(grown, np.float32), 1) * (1 - passed) * np.float32(sure)


def nearer_share(things: Map, share: float) -> Map:
    """Return the share of the later picture in a frame, where moving things fade quickly half-way between both."""
    quick = np.clip((share - 0.5) / TURN + 0.5, 0, 1)
    return share + things * np.float32(quick * quick * (3 - 2 * quick) - share)
