"""How probable the shadows are that a network finds, and which parts of a picture they cover.

A gain says how much light a shadow takes, not whether it is one: dark things look like shadows too. Two things tell
them apart. The more light a shadow seems to take, the surer it is one; and at its borders, where the same material lies
in light and in shadow, the picture falls by as much as the gain rises (see `shadow_borders`).

The probability is a logistic regression on both, fitted to 400 pictures with known shadows: training photos and painted
grounds under made light, rendered views, a fifth with dark things in the shapes of shadows. It is the probability that
a cast shadow takes more than a fifth of the light of a pixel where the network finds one: of what it does not find, it
knows nothing. On 160 such pictures from held-out photos and views, of the connected shadows given 30 to 40 % 31 % are
shadows, of those given 50 to 60 % 56 %, of those given 70 to 80 % 65 %.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.guided import luma
from relight_cli.relighting.shadow_borders import ShadowBorders

Maps = NDArray[np.float32]

CONSTANT, BY_AMOUNT, BY_BORDERS = -0.2528, 0.4151, 1.859  # of the regression
USUAL, LEAST = 0.3, 1e-4  # stops: of amounts that say nothing either way, and the least that is told from none
BORDERS_REACH = 24.0  # pixels of the copy that is measured, standard deviation
FOUND = 0.1  # stops that a pixel of a found shadow is raised by, at least
CORE = 0.7  # share of a shadow's mean depth from which on it covers a pixel whole
SOFT = 3.0  # pixels, standard deviation of the border between what is changed and what is left alone
EDGE_RADIUS, EDGE_EPS = 8, 1e-3  # of the guided filter that moves a mask's edges to those of the picture


@dataclass(frozen=True)
class FoundShadows:
    """The shadows in a picture (h, w), as a gain found them."""

    amount: Maps  # (h, w), mean gain in stops
    probability: Maps  # (h, w), of each pixel
    labels: NDArray[np.int32]  # (h, w), of the nearest connected shadow, from one; 0 everywhere if there is none

    @cached_property
    def by_shadow(self) -> Maps:
        """The probability (h, w) of the nearest connected shadow: the mean over it, by amount; 0 if there is none."""
        return self._means(self.probability)

    def share_kept(self, threshold: float) -> Maps:
        """Return how much of the change stays (h, w, 1): all at shadows at least as probable, none at the others."""
        kept = (self.by_shadow >= threshold).astype(np.float32) if threshold else np.ones_like(self.amount)
        if 0 < kept.mean() < 1:
            kept = np.asarray(cv2.GaussianBlur(kept, (0, 0), SOFT), np.float32)
        return kept[..., None]

    def cover(self, picture: Maps, threshold: float) -> Maps:
        """Return how much of each pixel (h, w) of an sRGB picture (h, w, 3) shadows cover: 0 in light, 1 in their core.

        Shadows less probable than the threshold do not count.
        """
        depth = np.maximum(CORE * self._means(self.amount), FOUND)
        share = (self.amount / depth).clip(0, 1) * (self.by_shadow >= threshold) * (self.labels > 0)
        return along_edges(share, picture)

    def _means(self, values: Maps) -> Maps:
        """Return means of values (h, w) over the nearest connected shadow, weighted by amount."""
        inside = np.where(self.amount > FOUND, self.amount, np.float32(0)).ravel()
        labels, count = self.labels.ravel(), int(self.labels.max()) + 1
        total = np.bincount(labels, inside, count)
        means = np.bincount(labels, inside * values.ravel(), count) / np.maximum(total, 1e-9)
        means[0] = 0
        return means.astype(np.float32)[self.labels]


def find_shadows(stops: Maps, picture: Maps) -> FoundShadows:
    """Return the shadows that a gain (h, w, 3), in stops, finds in an sRGB picture (h, w, 3)."""
    amount = np.ascontiguousarray(stops.mean(axis=2), np.float32)
    agreed = ShadowBorders(picture).agreement(stops, BORDERS_REACH)
    certain = np.square(amount.clip(min=0))
    certain /= certain + np.float32(USUAL**2)
    logit = CONSTANT + BY_AMOUNT * np.log(np.maximum(amount, LEAST) / USUAL) + BY_BORDERS * certain * (agreed - 0.5)
    return FoundShadows(amount, (1 / (1 + np.exp(-logit))).astype(np.float32), nearest_regions(amount > FOUND))


def nearest_regions(inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return for each pixel (h, w) the number, from one, of the nearest connected region; zeros if there is none."""
    mask = inside.astype(np.uint8)
    _, regions = cv2.connectedComponents(mask, connectivity=4)
    if not mask.any():
        return np.asarray(regions, np.int32)
    _, nearest = cv2.distanceTransformWithLabels(1 - mask, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    region_of = np.zeros(int(nearest.max()) + 1, np.int32)
    region_of[nearest[inside]] = regions[inside]
    return region_of[nearest]


def along_edges(share: Maps, picture: Maps) -> Maps:
    """Move the edges of a mask (h, w) in [0, 1] to those of an sRGB picture (h, w, 3) by the guided filter."""
    guide, values = luma(picture)[..., 0].astype(np.float64), share.astype(np.float64)

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        size = (2 * EDGE_RADIUS + 1, 2 * EDGE_RADIUS + 1)
        return np.array(cv2.blur(x, size, borderType=cv2.BORDER_REFLECT), np.float64, ndmin=2).reshape(x.shape)

    centre, level = mean(guide), mean(values)
    slope = (mean(guide * values) - centre * level) / (mean(guide**2) - centre**2 + EDGE_EPS)
    return (mean(slope) * guide + mean(level - slope * centre)).clip(0, 1).astype(np.float32)
