"""Light for what a reference does not show: that of the surfaces of the photo that look alike, near by.

What has one colour and lies in one light has one gain: the rest of a shadow brightens as the part of it that the
reference shows. Means over cells, weighted by distance and by likeness of colour (joint bilateral upsampling, Kopf et
al. 2007): of coarse cells, the distance doubled wherever too little is alike, then of fine ones next to what is seen.
Beyond the border of a reference, its shadows go on in their direction (see `continued_light`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relight_cli.relighting.agreement import opponent
from relight_cli.relighting.continued_light import continued_light
from relight_cli.relighting.gain import DARK
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.quotient import cells_of, encoded, log_light

Maps = NDArray[np.float32]

COARSE, FINE = 64, 192  # cells along the longer side
ALIKE = (0.5, 0.25, 0.25)  # stops of luminance and two chromaticities within which surfaces look alike
NEAR, LEVELS = 1 / 64, 6  # of the longer side: the least distance between coarse cells, and the number of distances
WIDEST = NEAR * 2 ** (LEVELS - 1)
ENOUGH = 1.0  # coarse cells alike within a distance from which no wider one is needed
NEXT, REACH, ENOUGH_NEXT = 2.0, 5, 0.3  # the same for fine cells, in cells: distance, and the largest one
SEEN, UNSEEN = 0.5, 0.999  # trust from which a cell gives its light, and up to which it takes some


@dataclass(frozen=True)
class _Cells:
    """The cells of a photo: their colours, and the light of those that a reference is trusted in."""

    photo: Maps  # (h, w, 3), linear light
    quotient: Maps  # (h, w, 3) in stops, of the trusted light
    trust: Maps  # (h, w)

    @classmethod
    def of(cls, photo: Maps, reference: Maps, trust: Maps, cells: int) -> "_Cells":
        weight = cells_of(trust, cells)
        own, other = (cells_of(x * trust[..., None], cells) for x in (photo, reference))
        dark = (np.float32(DARK) * weight + np.float32(1e-6))[..., None]
        return cls(cells_of(photo, cells), np.log2((other + dark) / (own + dark)), weight)

    @property
    def seen(self) -> NDArray[np.bool_]:
        return self.trust > SEEN

    @property
    def unseen(self) -> NDArray[np.bool_]:
        return self.trust < UNSEEN

    def colours(self) -> Maps:
        """Return the colours (h, w, 3), in which surfaces that look alike are about 1 from each other."""
        return np.asarray(opponent(log_light(self.photo)) / np.array(ALIKE, np.float32), np.float32)

    def enlarged(self, light: Maps, photo: Maps) -> Maps:
        """Return a gain (H, W, 3) in stops along a photo's edges, from the quotient and `light` (N, 3) where unseen."""
        whole, picture = self.quotient.copy(), encoded(photo)
        whole[self.unseen] = light
        return fit_guided(whole, encoded(self.photo)).rows(picture, 0, len(picture))


def fill_light(photo: Maps, reference: Maps, trust: Maps, gain: Maps) -> Maps:
    """Return a gain (H, W, 3) in stops with that of alike surfaces where a reference is not trusted.

    Photo and reference (H, W, 3) are in linear light, `trust` (H, W) is in [0, 1]. The gain is returned unchanged where
    it is 1, and everywhere if no cell is trusted.
    """
    missing = 1 - trust[..., None]
    for count, light_of in ((COARSE, _far), (FINE, _next)):
        cells = _Cells.of(photo, reference, trust, count)
        if not cells.seen.any() or not cells.unseen.any():
            return gain
        light = light_of(cells, cells_of(gain, count)[cells.unseen])
        gain = np.asarray(gain + missing * (cells.enlarged(light, photo) - gain), np.float32)
    return gain


def continue_light(photo: Maps, reference: Maps, trust: Maps, overlap: Maps, gain: Maps) -> Maps:
    """Return a filled gain (H, W, 3) in stops that goes on in the direction of its edges outside an overlap (H, W).

    The other maps are those of `fill_light`. Inside the overlap, where the light comes from around, it stays.
    """
    cells = _Cells.of(photo, reference, trust, FINE)
    if not cells.seen.any() or overlap.all():
        return gain
    before = cells_of(gain, FINE)
    luminance = log_light(cells.photo).mean(axis=2)
    light = continued_light(cells.quotient, luminance, cells.colours(), cells.trust * cells.seen, before)
    outside = (1 - overlap)[..., None]
    return np.asarray(gain + outside * (cells.enlarged(light[cells.unseen], photo) - gain), np.float32)


def _far(cells: _Cells, before: Maps) -> Maps:
    """Return the light (N, 3) of the N unseen cells: that of all seen cells that look alike, and of near ones first."""
    side = np.float32(WIDEST * max(cells.trust.shape))  # in cells
    places = np.moveaxis(np.indices(cells.trust.shape), 0, -1).astype(np.float32) / side
    alike, near = (np.exp(-0.5 * _squares(x[cells.unseen], x[cells.seen])) for x in (cells.colours(), places))
    alike = alike * cells.trust[cells.seen]
    given, found = cells.quotient[cells.seen], np.zeros_like(before)
    for level in range(LEVELS):  # from the widest to the least distance, whose Gaussian is the fourth power
        share = alike * near
        total = share.sum(axis=1)
        mean = np.stack([(share * one).sum(axis=1) for one in given.T], axis=1) / np.maximum(total, 1e-20)[:, None]
        found += (np.minimum(1, total / ENOUGH)[:, None] if level else 1) * (mean - found)
        near = near**2
        near = near**2
    return found


def _next(cells: _Cells, before: Maps) -> Maps:
    """Return the light (N, 3) of the N unseen cells, from `before` on: that of seen cells next to them that look alike.

    Cells farther than REACH from each other have no say.
    """
    border = ((REACH, REACH), (REACH, REACH), (0, 0))
    colours, given, weight = (
        np.pad(x, border) for x in (cells.colours(), cells.quotient, (cells.trust * cells.seen)[..., None])
    )
    y, x = (places + REACH for places in np.nonzero(cells.unseen))
    total, light = np.zeros((len(y), 1), np.float32), np.zeros_like(before)
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            other = y + dy, x + dx
            squares = ((colours[y, x] - colours[other]) ** 2).sum(axis=1) + np.float32((dy**2 + dx**2) / NEXT**2)
            share = weight[other] * np.exp(-0.5 * squares)[:, None]
            total += share
            light += share * given[other]
    return before + np.minimum(1, total / ENOUGH_NEXT) * (light / np.maximum(total, 1e-20) - before)


def _squares(points: Maps, others: Maps) -> Maps:
    """Return the squared distances (N, M) of points (N, C) to others (M, C)."""
    squares = np.zeros((len(points), len(others)), np.float32)
    for own, other in zip(points.T, others.T, strict=True):  # a product of matrices would depend on the processor
        squares += (own[:, None] - other) ** 2
    return squares
