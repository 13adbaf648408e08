"""Light a photo by a reference of the same view, as far as both show the same surfaces."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE
from relight_cli.rasters.resizing import copy_within, resized
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.gain import DARK, apply_log_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.light_fill import continue_light, fill_light
from relight_cli.relighting.quotient import (
    back_projected,
    effective_cells,
    encoded,
    enlarged,
    filled_quotient,
    log_light,
)
from relight_cli.relighting.registration import warped
from relight_cli.relighting.trust import trust_in

Maps = NDArray[np.float32]

WORKING_SIDE = 384  # longer side of the copy that the gain is computed on: six pixels along the finest cell
UNSURE = 0.9  # trust up to which the reference's cells are not reproduced
LATENT_SHARE = 0.5  # of the latents' gain, in the overlap
BESIDE = 1 / 64  # of the longer side around the overlap, over which that share ends
TRUSTED, IN_COMMON = 0.5, 0.75  # trust from which a pixel counts, share of them that have a change in common
GREY = 2 / 255  # difference of the channels of a grey reference, at most: codecs round them
NEXT, FADE = 1 / 16, 1 / 8  # of the longer side around the overlap that takes its light, over which it then fades out


@dataclass(frozen=True)
class SameView:
    """A photo's working copy and the reference as the photo sees it, in linear light, with the trust in it."""

    photo: Maps  # (h, w, 3)
    reference: Maps  # (h, w, 3)
    known: Maps  # (h, w): 1 in the overlap of the two, 0 outside it
    cells: int  # that the reference resolves along its longer side
    trust: Maps  # (h, w): 0 where the reference shows something else or nothing
    quotient: Maps  # (h, w, 3) in stops: of the trusted light, elsewhere that of alike surfaces around

    @classmethod
    def of(cls, photo: Maps, reference: Maps, known: NDArray[np.bool_] | None = None) -> "SameView":
        """Compare a photo with a reference, both sRGB (h, w, 3) in the photo's pixels."""
        own, other = to_linear(photo), to_linear(reference)
        overlap = np.ones(own.shape[:2], np.float32) if known is None else known.astype(np.float32)
        if not overlap.all():  # what is said about the overlap depends on nothing else
            other = np.where(overlap[..., None] > 0, other, own * np.exp2(_surrounding_light(own, other, overlap)))
        cells = effective_cells(own, other)
        trust = trust_in(own, other, overlap, cells)
        light = continue_light(own, other, trust, overlap, _surrounding_light(own, other, trust))
        return cls(own, other, overlap, cells, trust, light)

    def gain(self, latents: Maps | None = None) -> Maps:
        """Return the gain (h, w, 3) in stops that gives the photo the reference's light; `latents` is the latents'."""
        start = self.quotient
        if latents is not None:
            start = start + LATENT_SHARE * np.exp(-((self.away() / BESIDE) ** 2))[..., None] * (latents - start)
        sure = ((self.trust - UNSURE) / (1 - UNSURE)).clip(0, 1)
        return back_projected(self.photo, self.healed(), sure, start, self.cells) * self.reach()

    def reach(self) -> Maps:
        """Return how much of the gain counts (h, w, 1): all in the overlap and next to it, less farther away."""
        if self.known.all():
            return np.ones((*self.known.shape, 1), np.float32)
        return np.exp(-((np.maximum(0, self.away() - NEXT) / FADE) ** 2))[..., None].astype(np.float32)

    def away(self) -> Maps:
        """Return how far each pixel (h, w) is from the overlap, in longer sides; 0 inside."""
        if self.known.all():
            return np.zeros_like(self.known)
        outside = (self.known == 0).astype(np.uint8)
        return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 5) / max(self.known.shape), np.float32)

    def continued(self, gain: Maps, beyond: Maps) -> Maps:
        """Return the gain (h, w, 3) continued outside the overlap by that of a fitted light, both in stops.

        The fitted light gives the shape, as far as the overlap confirms it. The level is what most of the overlap have
        in common, so that a shadow that moved there darkens nothing elsewhere.
        """
        inside = self.trust * self.known > TRUSTED
        if not inside.any():
            return np.asarray(gain + (1 - self.reach()) * beyond, np.float32)
        seen, fitted = gain[inside], beyond[inside]  # (N, 3)
        shape = fitted - fitted.mean(axis=0)
        confirmed = float(((seen - seen.mean(axis=0)) * shape).sum()) / max(float((shape**2).sum()), 1e-9)
        low, high = np.quantile(seen, (1 - IN_COMMON, IN_COMMON), axis=0)
        level = np.clip(0, low, high)
        rest = level + min(1.0, max(0.0, confirmed)) * (beyond - np.median(fitted, axis=0))
        return np.asarray(gain + (1 - self.reach()) * rest, np.float32)

    def healed(self) -> Maps:
        """Return the reference in linear light with the photo, in the light around, where it shows something else."""
        lit = self.photo * np.exp2(self.quotient)
        return lit + self.trust[..., None] * (self.reference - lit)


def _surrounding_light(photo: Maps, reference: Maps, trust: Maps) -> Maps:
    """Return the quotient (h, w, 3) in stops of the trusted light, elsewhere that of alike surfaces around."""
    return fill_light(photo, reference, trust, filled_quotient(photo, reference, trust))


def light_same_view(
    picture: Raster,
    reference: Maps,
    homography: NDArray[np.float64] | None,
    by_latents: Callable[[Maps, Maps], Maps],
    strength: float = 1.0,
    beyond: Callable[[], Maps] | None = None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) in the light of a reference (h, w, 3) of the same view.

    A grey reference changes the brightness alone: it does not tell the colour of its light.
    `homography` takes the photo's points to the reference's; None if the two are aligned. `by_latents` lights a small
    picture by another of its size. `beyond` gives the gain (h, w, 3) in stops of the fitted light, for what lies
    outside the overlap; without it the light fades out there. The gain is computed on a small copy and follows the
    edges of the full picture.
    """
    own, known = np.nan_to_num(copy_within(picture, WORKING_SIDE)).clip(0, 1), None
    height, width = own.shape[:2]
    grey = float(np.ptp(np.nan_to_num(reference), axis=2).max()) <= GREY
    if homography is None:
        other = resized(reference, height, width)
    else:
        # A softer interpolation would take the fine texture that trust is judged by.
        other, known = warped(reference, homography, height, width, cv2.INTER_CUBIC)
    other = other.clip(0, 1)
    view = SameView.of(own, _with_colours_of(own, other) if grey else other, known)
    lit = by_latents(own, encoded(view.healed()))
    latents = log_light(to_linear(lit)) - log_light(view.photo)
    gain = view.gain(latents)
    if beyond is not None and not view.known.all():
        far = enlarged(beyond(), height, width)
        if grey:
            far = np.repeat(far.mean(axis=2, keepdims=True), 3, axis=2)
        gain = view.continued(gain, far)
    guided = fit_guided(gain * np.float32(strength), own)
    return apply_log_gain(picture, lambda rows, band: guided.rows(band, rows.start, picture.shape[0]))


def _with_colours_of(photo: Maps, grey: Maps) -> Maps:
    """Return a grey picture in the colours of a photo, both sRGB (h, w, 3) from 0 to 1.

    The luminance is the grey one's, as far as no colour is clipped at white.
    """
    own = to_linear(photo)
    brightness = (own @ np.array(LUMINANCE, np.float32))[..., None]
    return encoded((own + DARK) * (to_linear(grey) + DARK) / (brightness + DARK) - DARK)
