"""What the borders of shadows tell of a gain: how sure it is, and how far shadows must be raised.

Along a border that a shadow casts on one material the picture's log light falls as much as the light does, whatever
the material. So the gain is right where it undoes the picture's step. A network finds shadows more surely than their
depth: a regression over the borders around each pixel corrects it. Borders where the material changes too disagree with
the others and lose their weight.

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
REACH = 40.0  # pixels of it, standard deviation: borders that tell the level of a pixel
COARSER = 4  # times the copy, where borders are added up
ROUNDS = 4  # of the regression, each with the weights that the one before gives
SPREAD = 0.2  # standard deviation of the level before anything is measured: the network's own is 1
LEAST_PRIOR = 2.0  # squared stops of border, for pictures without any texture
DISAGREES = 0.5, 0.03  # errors that halve a weight: share of the step that the gain asks for, and stops
LEVELS = 0.5, 2.2  # at least and at most
COLOURS = 0.7, 1.4  # of a channel, relative to the mean of all
NO_BORDERS, NO_ENERGY = 0.3, 1e-4  # agreement where there are no borders, and squared stops that it counts for
NO_SHADOWS, LEAST_ENERGY = 0.3, 0.03  # the same for a whole gain
BRIGHTEST = np.float32(100)  # sRGB value that an infinite pixel counts as: the brightest light of half floats
WEAK = 0.3  # stops; gains far below stay as they are, since they may be no shadows


@dataclass(frozen=True)
class ShadowLevel:
    """Factors of a gain of shadows."""

    level: Maps  # (h, w) in any size
    colour: Maps  # (3,) of each channel, relative to the level

    def applied(self, stops: Maps) -> Maps:
        """Return a gain (H, W, 3) in stops, of which what is not weak is multiplied by the factors."""
        found = np.square(stops.mean(axis=-1, keepdims=True))
        found /= found + np.float32(WEAK**2)
        return stops * (1 + (_enlarged(self.level, stops)[..., None] * self.colour - 1) * found)


class ShadowBorders:
    """The steps of a picture's log light, against which gains for it are measured."""

    def __init__(self, picture: Maps) -> None:
        """Measure an sRGB picture (H, W, 3)."""
        self.size = fit_within(picture.shape[0], picture.shape[1], SIDE)
        light = self._measured(np.log2(to_linear(np.minimum(picture, BRIGHTEST)) + np.float32(EPS)))
        self.falls = [-_steps(light[..., c]) for c in range(3)]
        self.fall = -_steps(light.mean(axis=2))

    def share_agreed(self, stops: Maps) -> float:
        """Return the share of the steps, squared, of a gain (H, W, 3) in stops that undo steps of the picture."""
        step = _steps(self._measured(stops).mean(axis=2))
        energy = np.square(step)
        agreed = float((_agreement(self.fall, step, 1.0) * energy).sum())
        return (agreed + NO_SHADOWS * LEAST_ENERGY) / (float(energy.sum()) + LEAST_ENERGY)

    def agreement(self, stops: Maps, reach: float) -> Maps:
        """Return that share around each pixel (H, W), within `reach`, a standard deviation in pixels of the copy.

        Where there is no border it is `NO_BORDERS`.
        """
        step = _steps(self._measured(stops).mean(axis=2))
        energy = np.square(step)
        weights = _agreement(self.fall, step, 1.0)
        around = [cv2.GaussianBlur(m.sum(axis=0), (0, 0), reach) for m in (weights * energy, energy)]
        share = (around[0] + np.float32(NO_BORDERS * NO_ENERGY)) / (around[1] + np.float32(NO_ENERGY))
        return _enlarged(share, stops)

    def level(self, stops: Maps) -> ShadowLevel:
        """Return the level that the borders of shadows ask for, of a gain (H, W, 3) in stops.

        The less of the borders around a pixel agree on a level, the nearer it is to that of the whole picture; the less
        of all, the nearer that is to one.
        """
        gain = self._measured(stops)
        step = _steps(gain.mean(axis=2))
        prior = self._prior()
        weights, whole = np.ones_like(step), 1.0
        for _ in range(ROUNDS):
            whole = _fitted(self.fall, step, weights, prior)
            weights = _agreement(self.fall, step, whole)
        whole = 1 + (min(max(whole, LEVELS[0]), LEVELS[1]) - 1) * _agreed(weights, step)
        weights, level = self._around(step, weights, prior, whole)
        colours = [_fitted(f, _steps(gain[..., c]), weights, prior) for c, f in enumerate(self.falls)]
        relative = (np.array(colours) / max(0.1, float(np.mean(colours)))).clip(*COLOURS)
        return ShadowLevel(level, (1 + (relative - 1) * _agreed(weights, step)).astype(np.float32))

    def _around(self, step: Maps, weights: Maps, prior: float, whole: float) -> tuple[Maps, Maps]:
        """Return the weights (2, h, w) of borders and the level (h, w) that those around each pixel ask for.

        The prior speaks for the level of the whole picture.
        """
        energy, level = np.square(step), np.empty(0, np.float32)
        for _ in range(ROUNDS):
            level = (_summed(weights * self.fall * step) + prior * whole) / (_summed(weights * energy) + prior)
            weights = _agreement(self.fall, step, level)
        agreed = np.square(_summed(weights * energy) / np.maximum(_summed(energy), 1e-6))
        return weights, (whole + (level.clip(*LEVELS) - whole) * agreed).astype(np.float32)

    def _prior(self) -> float:
        """Return how many squared stops of border a level of one is worth, given the steps of texture in the picture.

        It is their variance over that of the level; the blur leaves one independent step in 4 pi BLUR^2 pixels.
        """
        texture = 1.48 * float(np.median(np.abs(self.fall)))  # standard deviation, whatever the few borders are
        return max(LEAST_PRIOR, 4 * math.pi * BLUR**2 * (texture / SPREAD) ** 2)

    def _measured(self, maps: Maps) -> Maps:
        """Return maps (H, W, 3) at the size that is measured, blurred."""
        small = maps
        if maps.shape[:2] != self.size:
            small = np.asarray(cv2.resize(maps, self.size[::-1], interpolation=cv2.INTER_AREA), np.float32)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), BLUR), np.float32).reshape(*self.size, -1)


def _agreement(fall: Maps, step: Maps, level: float | Maps) -> Maps:
    """Return the weights (2, h, w) of borders: 1 where a gain of this level undoes the picture's step, else less."""
    error = (fall - level * step) / (DISAGREES[0] * np.maximum(1, level) * np.abs(step) + DISAGREES[1])
    return (1 / (1 + np.square(error))).astype(np.float32)


def _agreed(weights: Maps, step: Maps) -> float:
    """Return how far a level is to be believed, 0 to 1: the share of the steps, squared, that agree, squared."""
    energy = np.square(step)
    return float((weights * energy).sum() / max(1e-6, energy.sum())) ** 2


def _fitted(fall: Maps, step: Maps, weights: Maps, prior: float) -> float:
    """Return the factor that brings the steps nearest to the falls, by least squares; `prior` speaks for one."""
    return float(((weights * fall * step).sum() + prior) / ((weights * step * step).sum() + prior))


def _summed(steps: Maps) -> Maps:
    """Return for each pixel the sum (h, w) over the borders (2, h, w) around it, weighted by a Gaussian of height 1."""
    _, height, width = steps.shape
    coarse = (max(1, width // COARSER), max(1, height // COARSER))
    mean = cv2.resize(steps.sum(axis=0), coarse, interpolation=cv2.INTER_AREA).reshape(coarse[::-1])
    mean = cv2.GaussianBlur(mean, (0, 0), REACH / COARSER, borderType=cv2.BORDER_CONSTANT).reshape(coarse[::-1])
    fine = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width)
    return np.asarray(fine * np.float32(math.tau * REACH**2), np.float32)


def _steps(plane: Maps) -> Maps:
    """Return the differences (2, h - 1, w - 1) to the right and to below; of a line of pixels, those along it."""
    plane = np.pad(plane, [(0, int(n == 1)) for n in plane.shape], "edge")
    return np.stack((np.diff(plane, axis=1)[:-1], np.diff(plane, axis=0)[:, :-1]))


def _enlarged(values: Maps, like: Maps) -> Maps:
    """Return values (h, w) in the size of a picture (H, W, C)."""
    return np.asarray(cv2.resize(values, like.shape[1::-1]), np.float32).reshape(like.shape[:2])
