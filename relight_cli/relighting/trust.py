"""How far each pixel of a reference of the same view is to be trusted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.agreement import FINE, agreement_logits
from relight_cli.relighting.quotient import enlarged, filled_quotient

Maps = NDArray[np.float32]

JUDGED_CELLS = 48  # along the longer side, at most, whose agreement is judged
FEWEST_JUDGED = 6  # a shorter side of fewer cells says nothing about agreement
SURE, UNSURE = 0.5, 0.3  # probabilities of agreement between which trust in a cell grows from none to all
ANOTHER = 0.2  # probability below which a cell shows another thing
MOST = 0.3  # share of the cells, at most, that may disagree in a reference of the same view
HARMLESS = 0.3  # stops from the light around up to which a cell that disagrees is believed all the same
BORDER = 0.8  # pixels of the network's copy over which it falls off
CERTAIN, DOUBTFUL = 0.1, 0.5  # trust of the middle of what a reference shows instead of the view, and of its border


def trust_in(photo: Maps, reference: Maps, known: Maps, cells: int) -> Maps:
    """Return how far each pixel of a reference (h, w, 3), of so many cells, is to be trusted, (h, w) in [0, 1].

    Most cells of the same view agree; where the light differs so much that few seem to, the best of them do. A cell
    that disagrees is believed all the same if its light is that around it: clouds, leaves.
    """
    height, width = photo.shape[:2]
    cells = min(JUDGED_CELLS, cells, max(height, width) // FINE)
    shape = tuple(max(1, round(side * cells / max(height, width))) for side in (height, width))
    if min(shape) < FEWEST_JUDGED:
        return known
    size = (shape[1] * FINE, shape[0] * FINE)
    own, other = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (photo, reference))
    agreed = 1 / (1 + np.exp(-agreement_logits(own, other)))
    agreed = agreed * max(1.0, SURE / max(1e-3, float(np.quantile(agreed, MOST))))
    certain = np.clip((agreed - UNSURE) / (SURE - UNSURE), 0, 1).astype(np.float32)
    other_things = cv2.dilate((agreed < ANOTHER).astype(np.uint8), np.ones((3, 3), np.uint8))
    certain[other_things > 0] = 0  # the cells next to them show them in part
    trust = np.minimum(enlarged(certain, height, width), known)
    return np.maximum(trust, np.minimum(known, _harmlessness(photo, reference, trust)))


def _harmlessness(photo: Maps, reference: Maps, trust: Maps) -> Maps:
    """Return how near a reference's light (h, w) is to that of the trusted light around it, 0 to 1."""
    around = filled_quotient(photo, reference, trust)
    here = filled_quotient(photo, reference, np.ones_like(trust))
    return np.exp(-((np.abs(here - around).max(axis=2) / HARMLESS) ** 2))


def certain_regions(trust: Maps) -> Maps:
    """Return trust (h, w) without doubt: none in regions that are certainly something else, else all of it.

    A region of little trust counts if it is certain somewhere.
    """
    count, found = cv2.connectedComponents((trust < DOUBTFUL).astype(np.uint8))
    labels, least = np.asarray(found, np.intp), np.full(count, 1.0)
    np.minimum.at(least, labels.ravel(), trust.ravel())
    least[0] = 1.0  # where trust is large
    another = cv2.dilate((least < CERTAIN).astype(np.uint8)[labels], np.ones((3, 3), np.uint8))
    return 1 - np.asarray(cv2.GaussianBlur(another.astype(np.float32), (0, 0), BORDER), np.float32)
