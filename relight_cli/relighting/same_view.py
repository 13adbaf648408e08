"""Light a photo by a reference of the same view: a quotient where both show the same surfaces, else the latents."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import linear_to_srgb
from relight_cli.rasters.resizing import copy_within, resized
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.agreement import FINE, agreement
from relight_cli.relighting.gain import apply_log_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.pieces import in_pieces
from relight_cli.relighting.quotient import (
    back_projected,
    effective_cells,
    enlarged,
    filled_quotient,
    log_light,
)
from relight_cli.relighting.registration import warped

Maps = NDArray[np.float32]

WORKING_SIDE = 384  # longer side of the copy that the gain is computed on: six pixels along the finest cell
JUDGED_CELLS = 48  # along the longer side, at most, whose agreement is judged
FEWEST_JUDGED = 6  # a shorter side of fewer cells says nothing about agreement
SURE, UNSURE = 0.5, 0.3  # probabilities of agreement between which trust in a cell grows from none to all
ANOTHER = 0.2  # probability below which a cell shows another thing
MOST = 0.3  # share of the cells, at most, that may disagree in a reference of the same view
HARMLESS = 0.3  # stops from the light around up to which a cell that disagrees is believed all the same
LATENT_SHARE = 0.15  # of the latents' gain where the quotient is trusted; see docs/relight.md
FADE = 1 / 8  # of the longer side over which the overlap's light fades out next to it


@dataclass(frozen=True)
class SameView:
    """A photo's working copy and the reference as the photo sees it, in linear light, with the trust in it."""

    photo: Maps  # (h, w, 3)
    reference: Maps  # (h, w, 3)
    known: Maps  # (h, w): 1 in the overlap of the two, 0 outside it
    trust: Maps  # (h, w): 0 where the reference shows something else or nothing

    @classmethod
    def of(cls, photo: Maps, reference: Maps, known: NDArray[np.bool_] | None = None) -> "SameView":
        """Judge where a reference agrees with a photo, both sRGB (h, w, 3) in the photo's pixels."""
        own, other = to_linear(photo), to_linear(reference)
        overlap = np.ones(own.shape[:2], np.float32) if known is None else known.astype(np.float32)
        return cls(own, other, overlap, trust_in(own, other, overlap))

    def gain(self, latents: Maps | None = None) -> Maps:
        """Return the gain (h, w, 3) in stops that gives the photo the reference's light; `latents` is the latents'."""
        start = filled_quotient(self.photo, self.reference, self.trust)
        if latents is not None:
            share = 1 - (1 - LATENT_SHARE) * self.trust[..., None]
            start = start + share * (latents - start)
        cells = effective_cells(self.photo, self.reference)
        return back_projected(self.photo, self.reference, self.trust, start, cells) * self.reach()

    def reach(self) -> Maps:
        """Return how much of the gain counts (h, w, 1): all in the overlap, less and less away from it."""
        if self.known.all():
            return np.ones((*self.known.shape, 1), np.float32)
        away = cv2.distanceTransform((self.known == 0).astype(np.uint8), cv2.DIST_L2, 5) / max(self.known.shape)
        return np.exp(-((away / FADE) ** 2))[..., None].astype(np.float32)

    def continued(self, gain: Maps, beyond: Maps) -> Maps:
        """Return the gain (h, w, 3) continued outside the overlap by that of a fitted light, both in stops.

        As much of the fitted one is taken as explains the gain in the overlap best, at most all of it: where only a
        shadow has moved, none.
        """
        weights = (self.trust * self.known)[..., None]
        explained = float((weights * gain * beyond).sum()) / max(float((weights * beyond**2).sum()), 1e-9)
        share = np.float32(min(1.0, max(0.0, explained))) * (1 - self.reach())
        return np.asarray(gain + share * beyond, np.float32)

    def healed(self) -> Maps:
        """Return the reference in linear light with the photo, in the light around, where it shows something else."""
        lit = self.photo * np.exp2(filled_quotient(self.photo, self.reference, self.trust))
        return lit + self.trust[..., None] * (self.reference - lit)


def trust_in(photo: Maps, reference: Maps, known: Maps) -> Maps:
    """Return how far each pixel of a reference (h, w, 3) is to be trusted, (h, w) in [0, 1].

    Most cells of the same view agree; where the light differs so much that few seem to, the best of them do. A cell
    that disagrees is believed all the same if its light is that around it: clouds, leaves.
    """
    height, width = photo.shape[:2]
    cells = min(JUDGED_CELLS, effective_cells(photo, reference), max(height, width) // FINE)
    shape = tuple(max(1, round(side * cells / max(height, width))) for side in (height, width))
    if min(shape) < FEWEST_JUDGED:
        return known
    size = (shape[1] * FINE, shape[0] * FINE)
    own, other = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (photo, reference))
    agreed = agreement(own, other)
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


def light_same_view(
    picture: Raster,
    reference: Maps,
    homography: NDArray[np.float64] | None,
    by_latents: Callable[[Maps, Maps], Maps],
    strength: float = 1.0,
    beyond: Callable[[], Maps] | None = None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) in the light of a reference (h, w, 3) of the same view.

    `homography` takes the photo's points to the reference's; None if the two are aligned. `by_latents` lights a small
    picture by another of its size. `beyond` gives the gain (h, w, 3) in stops of the fitted light, for what lies
    outside the overlap; without it the light fades out there. The gain is computed on a small copy and follows the
    edges of the full picture.
    """
    own, known = np.nan_to_num(copy_within(picture, WORKING_SIDE)).clip(0, 1), None
    height, width = own.shape[:2]
    if homography is None:
        other = resized(reference, height, width)
    else:
        other, known = warped(reference, homography, height, width)
    view = SameView.of(own, other.clip(0, 1), known)
    lit = by_latents(own, from_linear(view.healed()))
    latents = log_light(to_linear(lit)) - log_light(view.photo)
    gain = view.gain(latents)
    if beyond is not None and not view.known.all():
        gain = view.continued(gain, enlarged(beyond(), height, width))
    guided = fit_guided(gain * np.float32(strength), own)
    return apply_log_gain(picture, lambda rows, band: guided.rows(band, rows.start, picture.shape[0]))


def from_linear(light: Maps) -> Maps:
    """Encode linear light as sRGB in [0, 1]."""
    return in_pieces(lambda x: linear_to_srgb(x).clamp(0, 1), light)
