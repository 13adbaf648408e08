"""How light changes from one picture to another: a map in stops, its colours and its numbers."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE
from relight_cli.pages.previews import Preview, Samples
from relight_cli.pages.views import Legend, Readings
from relight_cli.photos.colour_profiles import profile_to_srgb
from relight_cli.relighting.layers import to_linear

DARK = 1e-3  # linear light added to both, so that black has no change
LARGEST = 5.0  # stops
MAP_PIXELS = 640 * 427
GRID_PIXELS = 48 * 32
STEP = 0.05  # stops of a reading
_ENDS = (0.5, 1.0, 2.0, 3.0, 5.0)  # of the scale, in stops
_ENOUGH = 98  # percentile of the change that the scale shows
# From darker to brighter: blue, grey and orange, which differ for the colour-blind, and in brightness.
_ANCHORS = ("#0b2a5b", "#2166ac", "#67a9cf", "#c4d5e0", "#e9e7e4", "#f5cba7", "#ef8a46", "#b2480c", "#5c1f02")


@dataclass(frozen=True)
class LightMap:
    """The change of light from one picture to another."""

    stops: NDArray[np.float32]  # (h, w), positive where the second is brighter

    def end(self) -> float:
        """Return the end of a scale, in stops, that shows nearly all of the change."""
        most = float(np.percentile(np.abs(self.stops), _ENOUGH))
        return next((end for end in _ENDS if end >= most), LARGEST)

    def coloured(self) -> Samples:
        """Return the map in colour, (h, w, 3) sRGB."""
        unit = (self.stops / self.end() / 2 + 0.5).clip(0, 1)
        return colours(256)[np.rint(unit * 255).astype(np.uint8)]

    def legend(self) -> Legend:
        """Return what the colours mean."""
        low, middle, high = (float(np.percentile(self.stops, share)) for share in (5, 50, 95))
        changed = float((np.abs(self.stops) > 0.1).mean())
        notes = [
            f"{_signed(middle)} stops in the middle (median), {_signed(low)} to {_signed(high)} for nine tenths of it.",
            f"{changed:.0%} of the picture changes by more than 0.1 stops.",
        ]
        texts = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours(17)]
        return Legend("Change of light", "stops", -self.end(), self.end(), texts, notes)

    def readings(self) -> Readings:
        """Return the numbers of the map on a coarse grid."""
        height, width = self.stops.shape
        scale = min(1.0, (GRID_PIXELS / (height * width)) ** 0.5)
        wanted = (max(1, round(width * scale)), max(1, round(height * scale)))
        coarse = np.asarray(cv2.resize(self.stops, wanted, interpolation=cv2.INTER_AREA)).reshape(wanted[::-1])
        numbers = np.rint(coarse / STEP).astype(np.int8)
        return Readings("change of light", "stops", *wanted, STEP, base64.b64encode(numbers.tobytes()).decode("ascii"))


def light_map(before: Preview, after: Preview) -> LightMap | None:
    """Return the change of luminance between two pictures of one size; None for pictures of two sizes."""
    if before.size != after.size:
        return None
    first = luminance(before.within(MAP_PIXELS))
    second = luminance(after.within(MAP_PIXELS))
    if first.shape != second.shape:
        return None
    return LightMap(np.log2((second + DARK) / (first + DARK)).clip(-LARGEST, LARGEST).astype(np.float32))


def luminance(preview: Preview) -> NDArray[np.float32]:
    """Return the linear luminance (h, w) of a preview."""
    srgb = np.ascontiguousarray(profile_to_srgb(preview.samples, preview.icc))
    return to_linear(srgb) @ np.array(LUMINANCE, np.float32)


def colours(count: int) -> NDArray[np.uint8]:
    """Return evenly spaced colours (count, 3) of the scale, sRGB, from darker over grey to brighter."""
    anchors = np.array([[int(text[at : at + 2], 16) for at in (1, 3, 5)] for text in _ANCHORS], float)
    at = np.linspace(0, len(anchors) - 1, count)
    mixed = [np.interp(at, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(mixed, axis=1)).astype(np.uint8)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if abs(value) >= 0.05 else "0"
