"""How far shadows must be raised, measured at their own borders.

Along a border that a shadow casts on one material the picture's log light falls as much as the light does, whatever
the material. So the gain is right where it undoes the picture's step. A network finds shadows more surely than their
depth: one regression over all borders of a picture corrects the depth of all of them. Borders where the material
changes too disagree with the others and lose their weight.

The ratio of the light on both sides of shared material is what Guo, Dai and Hoiem compare between regions (PAMI 2012).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.log_light import EPS
from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.layers import to_linear

Maps = NDArray[np.float32]

SIDE = 320  # longer side of the copy that is measured
BLUR = 5.0  # pixels of it, standard deviation: bridges penumbras and borders found a little beside their place
ROUNDS = 4  # of the regression, each with the weights that the one before gives
SPREAD = 0.2  # standard deviation of the level before anything is measured: the network's own is 1
LEAST_PRIOR = 2.0  # squared stops of border, for pictures without any texture
DISAGREES = 0.5, 0.03  # errors that halve a weight: share of the step that the gain asks for, and stops
LEVELS = 0.5, 2.2  # of a picture, at least and at most
COLOURS = 0.7, 1.4  # of a channel, relative to the mean of all
NO_BORDERS, NO_ENERGY = 0.3, 1e-4  # agreement where there are no borders, and squared stops that it counts for
BRIGHTEST = np.float32(100)  # sRGB value that an infinite pixel counts as: the brightest light of half floats
WEAK = 0.3  # stops; gains far below stay as they are, since they may be no shadows


@dataclass(frozen=True)
class ShadowLevel:
    """Factors of a gain of shadows."""

    factors: Maps  # (3,) of each channel

    def applied(self, stops: Maps) -> Maps:
        """Return a gain (..., 3) in stops, of which what is not weak is multiplied by the factors."""
        found = np.square(stops.mean(axis=-1, keepdims=True))
        found /= found + np.float32(WEAK**2)
        return stops * (1 + (self.factors - 1) * found)


def shadow_level(stops: Maps, picture: Maps) -> ShadowLevel:
    """Return the level that the borders of shadows ask for, of a gain (h, w, 3) in stops for an sRGB picture (h, w, 3).

    The less of the borders agree on a level, the nearer it is to one.
    """
    gain, light = _measured(stops, picture)
    step, fall = _steps(gain.mean(axis=2)), -_steps(light.mean(axis=2))
    prior = _prior(fall)
    weights, level = np.ones_like(step), 1.0
    for _ in range(ROUNDS):
        level = _fitted(fall, step, weights, prior)
        weights = _agreement(fall, step, level)
    energy = np.square(step)
    agreed = float((weights * energy).sum() / max(1e-6, energy.sum())) ** 2
    colours = np.array([_fitted(-_steps(light[..., c]), _steps(gain[..., c]), weights, prior) for c in range(3)])
    colours = (colours / max(0.1, colours.mean())).clip(*COLOURS)
    level = min(max(level, LEVELS[0]), LEVELS[1])
    return ShadowLevel(((1 + (level - 1) * agreed) * (1 + (colours - 1) * agreed)).astype(np.float32))


def border_agreement(stops: Maps, picture: Maps, reach: float) -> Maps:
    """Return how well the borders around each pixel (h, w) agree with a gain (h, w, 3) in stops, 0 to 1.

    That is the share of its steps, squared, that undo the steps of the picture, within `reach`, the standard deviation
    in pixels of a copy of `SIDE`. Where there is no border it is `NO_BORDERS`.
    """
    gain, light = _measured(stops, picture)
    step, fall = _steps(gain.mean(axis=2)), -_steps(light.mean(axis=2))
    energy = np.square(step)
    around = [cv2.GaussianBlur(m.sum(axis=0), (0, 0), reach) for m in (_agreement(fall, step, 1.0) * energy, energy)]
    share = (around[0] + np.float32(NO_BORDERS * NO_ENERGY)) / (around[1] + np.float32(NO_ENERGY))
    missing = [(0, have - got) for have, got in zip(gain.shape[:2], share.shape, strict=True)]
    share = np.pad(share, [(0, max(0, after)) for _, after in missing], "edge")
    return np.asarray(cv2.resize(share, stops.shape[1::-1]), np.float32).reshape(stops.shape[:2])


def _measured(stops: Maps, picture: Maps) -> tuple[Maps, Maps]:
    """Return a gain and the picture's log2 light at the size that is measured, blurred."""
    height, width = fit_within(stops.shape[0], stops.shape[1], SIDE)
    light = np.log2(to_linear(np.minimum(picture, BRIGHTEST)) + np.float32(EPS))
    return _blurred(_shrunk(stops, height, width)), _blurred(_shrunk(light, height, width))


def _agreement(fall: Maps, step: Maps, level: float) -> Maps:
    """Return the weights (2, h, w) of borders: 1 where a gain of this level undoes the picture's step, else less."""
    error = (fall - level * step) / (DISAGREES[0] * max(1.0, level) * np.abs(step) + DISAGREES[1])
    return (1 / (1 + np.square(error))).astype(np.float32)


def _prior(fall: Maps) -> float:
    """Return how many squared stops of border a level of one is worth, given the steps of texture in the picture.

    It is their variance over that of the level; the blur leaves one independent step in 4 pi BLUR^2 pixels.
    """
    texture = 1.48 * float(np.median(np.abs(fall)))  # standard deviation, whatever the few borders are
    return max(LEAST_PRIOR, 4 * math.pi * BLUR**2 * (texture / SPREAD) ** 2)


def _fitted(fall: Maps, step: Maps, weights: Maps, prior: float) -> float:
    """Return the factor that brings the steps nearest to the falls, by least squares; `prior` speaks for one."""
    return float(((weights * fall * step).sum() + prior) / ((weights * step * step).sum() + prior))


def _steps(plane: Maps) -> Maps:
    """Return the differences (2, h - 1, w - 1) to the right and to below; of a line of pixels, those along it."""
    plane = np.pad(plane, [(0, int(n == 1)) for n in plane.shape], "edge")
    return np.stack((np.diff(plane, axis=1)[:-1], np.diff(plane, axis=0)[:, :-1]))


def _blurred(maps: Maps) -> Maps:
    return np.asarray(cv2.GaussianBlur(maps, (0, 0), BLUR), np.float32).reshape(maps.shape)


def _shrunk(maps: Maps, height: int, width: int) -> Maps:
    if maps.shape[:2] == (height, width):
        return maps
    return np.asarray(cv2.resize(maps, (width, height), interpolation=cv2.INTER_AREA), np.float32)
