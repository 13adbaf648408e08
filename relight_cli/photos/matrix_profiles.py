"""Profiles that are curves and a matrix, or one curve of grey, converted by tables instead of by lcms2.

lcms2 is asked how it converts ramps; curves and matrix follow from that. Whether a profile is of this kind is measured
too: the tables are used only if they convert other colours as lcms2 does.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.lcms import LINEAR, SRGB, profile_space, transform, transform_band
from relight_cli.photos.pixel_bands import padded
from relight_cli.photos.srgb_curve import decode_exactly, decode_srgb, encode_srgb
from relight_cli.rasters.bit_depth import from_unit

Values = NDArray[np.float32]

_STEPS = 65535
_TOLERANCE = 0.9 / 4095  # of a colour; without the rounding of tables (`_without_steps`) it moves by up to half of that
_LCMS_INVERSE = 0.03  # colours that lcms2 converts back and forth may differ by this, because it inverts tables roughly
_LEVEL_NOISE = 0.05  # of a level of 16 bits: floats of sRGB, and the matrix, move the levels of a table by less
_STRAIGHT = 2e-6  # deviation of a curve from a line, from rounding


@dataclass(frozen=True)
class MatrixProfile:
    """A profile of C curves, C = 1 or 3: light = curve(value) and linear sRGB = matrix @ light + black."""

    icc: bytes
    light: Values  # (C, 65536): of the values 0 to 1; about 0 at the first and 1 at the last
    matrix: NDArray[np.float64]  # (3, C)
    black: NDArray[np.float64]  # (3,)
    weights: NDArray[np.float64]  # (C, 3): light = weights @ (linear sRGB - black)

    def to_srgb(self, samples: NDArray) -> Values:
        """Convert (n, C) samples, uint8, uint16 or float32 in [0, 1], to (n, 3) sRGB; unclipped."""
        srgb = encode_srgb(self.to_light(samples))[: len(samples)]
        if self.channels == 1:
            srgb = np.repeat(srgb, 3, axis=1)
        if samples.dtype == np.float32 and not self.is_straight:
            _convert_outside(samples, srgb, self.icc, self.space, SRGB, "rgb")
        return srgb

    def from_srgb(self, srgb: Values, *, clip: bool) -> Values:
        """Convert (n, 3) sRGB to (n, C) values; with `clip` those outside [0, 1] are clipped, and NaN becomes 0."""
        light = self._own_light(decode_srgb(padded(np.ascontiguousarray(srgb))))[: len(srgb)]
        if self.is_straight and not clip:
            return light
        outside = None if clip else _is_outside(light)
        values = self._values_of(light)
        if outside is not None and outside.any():
            values[outside] = transform_band(srgb[outside], SRGB, "rgb", self.icc, self.space)
        return values

    def to_light(self, samples: NDArray) -> Values:
        """Convert (n, C) samples in [0, 1] to linear sRGB, of grey (n + PADDING, 1), else (n + PADDING, 3)."""
        light = self._light_of(padded(samples))
        if self.channels == 1:
            return light * np.float32(self.matrix.mean()) + np.float32(self.black.mean())
        return _affine(light, self.matrix, self.black)

    def from_light(self, light: Values, dtype: np.dtype) -> NDArray:
        """Convert (n, 3) linear sRGB to (n, C) samples, uint8 or uint16, clipped; NaN becomes 0.

        As uint8 they are within 0.51 of a step of the exact values.
        """
        own = self._own_light(light)
        if dtype != np.uint8:
            return from_unit(self._values_of(own), dtype)
        position = _fourth_root(own)
        position += np.float32(0.5)
        return np.asarray(cv2.LUT(position.astype(np.uint16)[None], self._bytes)).reshape(own.shape)

    @property
    def channels(self) -> int:
        """The number of colours."""
        return len(self.light)

    @property
    def space(self) -> str:
        """The colour space, as lcms2 calls it."""
        return "gray" if self.channels == 1 else "rgb"

    @cached_property
    def is_straight(self) -> bool:
        """Whether values are proportional to light, also outside [0, 1]."""
        if np.abs(self.light - np.linspace(0, 1, _STEPS + 1, dtype=np.float32)).max() > _STRAIGHT:
            return False
        ends = np.repeat(np.array([[-1], [3]], np.float32), self.channels, axis=1)
        beyond = transform_band(ends, self.icc, self.space, SRGB, "rgb")
        return bool(np.abs(beyond - encode_srgb(_affine(ends, self.matrix, self.black))).max() < _TOLERANCE)

    @cached_property
    def _light_of_bytes(self) -> Values:
        return np.ascontiguousarray(self.light[:, ::257].T[None])  # (1, 256, C)

    @cached_property
    def _light_of_words(self) -> Values:
        return np.ascontiguousarray(self.light.T[None])  # (1, 65536, C)

    @cached_property
    def _inverse(self) -> tuple[Values, Values]:
        """Values at equal steps of the fourth root of light, and their differences, (1, 65536, C) each.

        The root spreads dark light: a curve with an exponent of up to 4 is nowhere steep.
        """
        light = (np.arange(_STEPS + 1) / _STEPS) ** 4
        values = np.linspace(0, 1, _STEPS + 1)
        rising = np.maximum.accumulate(self.light, axis=1).astype(np.float64)  # a knee may be a small step down
        table = np.stack([np.interp(light, curve, values) for curve in rising], axis=-1)
        steps = np.diff(table, axis=0, append=table[-1:])
        return table[None].astype(np.float32), steps[None].astype(np.float32)

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        """Samples at equal steps of the fourth root of light, (1, 65536, C)."""
        return from_unit(self._inverse[0], np.dtype(np.uint8))

    def _own_light(self, linear: Values) -> Values:
        """Return the light (n, C) of linear sRGB (n, 3)."""
        return _affine(linear, self.weights, -self.weights @ self.black)

    def _light_of(self, samples: NDArray) -> Values:
        """Return the light (n, C) of samples; of float samples outside [0, 1] that of the nearest."""
        if samples.dtype != np.float32:
            table = self._light_of_bytes if samples.dtype == np.uint8 else self._light_of_words
            return _looked_up(samples, table)
        if self.is_straight:
            return samples
        position = _clipped(samples)
        position *= _STEPS
        below = position.astype(np.uint16)
        position -= below
        above = np.minimum(below, _STEPS - 1) + np.uint16(1)
        low, high = (_looked_up(x, self._light_of_words) for x in (below, above))
        high -= low
        high *= position
        high += low
        return high

    def _values_of(self, light: Values) -> Values:
        """Return the values (n, C) whose light is nearest."""
        position = _fourth_root(light)
        below = position.astype(np.uint16)
        position -= below
        table, step = (_looked_up(below, x) for x in self._inverse)
        position *= step
        position += table
        return position


@lru_cache(maxsize=8)
def matrix_profile(icc: bytes) -> MatrixProfile | None:
    """Return a profile's curves and matrix; None for a profile that is not made of them or that lcms2 refuses."""
    space = profile_space(icc)
    if space not in ("rgb", "gray"):
        return None
    try:
        if (measured := _measured(icc, space)) is None:
            return None
        smooth = replace(measured, light=np.stack([_without_steps(curve) for curve in measured.light]))
        return next((one for one in (smooth, measured) if _agrees_with_lcms(one)), None)
    except (imagecodecs.CmsError, ValueError, np.linalg.LinAlgError):
        return None


def _measured(icc: bytes, space: str) -> MatrixProfile | None:
    """Return the curves and the matrix that follow from how lcms2 converts ramps, if such curves can be inverted."""
    channels = 1 if space == "gray" else 3
    ends = np.concatenate((np.zeros((1, channels)), np.eye(channels))).astype(np.float32)
    black, *lit = decode_exactly(transform_band(ends, icc, space, SRGB, "rgb"))
    matrix = np.stack(lit, axis=1) - black[:, None]
    ramp = np.repeat(np.linspace(0, 1, _STEPS + 1, dtype=np.float32)[None, :, None], channels, axis=2)
    neutral = decode_exactly(transform(ramp, icc, space, SRGB, "rgb")[0]) - black
    light = neutral @ np.linalg.pinv(matrix).T
    if not np.isfinite(light).all() or np.abs(light[0]).max() > 1e-5 or np.abs(light[-1] - 1).max() > 1e-5:
        return None
    curves = np.ascontiguousarray(light.T, dtype=np.float32)
    weights = np.linalg.inv(matrix) if channels == 3 else _grey_weights(icc, curves[0]) / matrix.mean()
    return MatrixProfile(icc, curves, matrix, black, weights)


def _without_steps(curve: Values) -> Values:
    """Return a curve from 0 to 1 without the rounding to 16 bits of one that lcms2 looks up in a table.

    Where the curve is flat many values would have the same light, and could not be found again.
    """
    levels = np.rint(curve * np.float64(_STEPS))
    if np.abs(curve * np.float64(_STEPS) - levels).max() > _LEVEL_NOISE:
        return curve
    first = np.flatnonzero(np.diff(levels, prepend=-1))
    last = np.append(first[1:], len(curve)) - 1
    middle = (first + last) / 2
    middle[0], middle[-1] = 0, len(curve) - 1
    return np.interp(np.arange(len(curve)), middle, levels[first] / _STEPS).astype(np.float32)


def _grey_weights(icc: bytes, light: Values) -> NDArray[np.float64]:
    """Return the shares (1, 3) of linear red, green and blue in the light of a grey profile."""
    grey = transform_band(np.eye(3, dtype=np.float32), LINEAR, "rgb", icc, "gray")[:, 0]
    shares = np.interp(grey, np.linspace(0, 1, len(light)), light)
    return (shares / shares.sum())[None]


def _agrees_with_lcms(profile: MatrixProfile) -> bool:
    """Return whether colours are converted as by lcms2, and found again on the way back."""
    generator = np.random.default_rng(0)
    values = generator.random((1 << 12, profile.channels), dtype=np.float32)
    corners = np.stack(np.meshgrid(*[[0, 1]] * profile.channels, indexing="ij"), axis=-1).reshape(-1, profile.channels)
    values = np.concatenate((values, values**4, corners))
    values = np.rint(values * _STEPS).astype(np.float32) / np.float32(_STEPS)  # lcms2 rounds what it looks up in tables
    srgb = transform_band(values, profile.icc, profile.space, SRGB, "rgb")
    if np.abs(profile.to_srgb(values) - srgb).max() > _TOLERANCE:
        return False
    back = profile.from_srgb(srgb, clip=True)
    if np.abs(profile.to_srgb(back) - srgb).max() > 1.5 * _TOLERANCE:
        return False
    by_lcms = transform_band(srgb, SRGB, "rgb", profile.icc, profile.space)
    return bool(np.abs(profile.to_srgb(by_lcms.clip(0, 1)) - srgb).max() < _LCMS_INVERSE)


def _affine(values: Values, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Values:
    """Return matrix @ each of the pixels (n, C) + offset."""
    both = np.concatenate((matrix, offset[:, None]), axis=1)
    return np.asarray(cv2.transform(values[None], both), np.float32).reshape(len(values), len(matrix))


def _looked_up(samples: NDArray, table: Values) -> Values:
    """Return the entries of a table (1, 256 or 65536, C) for samples (n, C)."""
    return np.asarray(cv2.LUT(samples[None], table), np.float32).reshape(samples.shape)


def _fourth_root(light: Values) -> Values:
    """Return the fourth root of light, clipped to [0, 1], in steps of tables."""
    position = _clipped(light)
    cv2.sqrt(position, dst=position)
    cv2.sqrt(position, dst=position)
    position *= _STEPS
    return position


def _clipped(values: Values) -> Values:
    """Return values clipped to [0, 1]; NaN becomes 0."""
    clipped = np.fmax(values, np.float32(0))  # fmax returns the other value where one is NaN
    return np.fmin(clipped, np.float32(1), out=clipped)


def _is_outside(values: Values) -> NDArray[np.bool_]:
    """Return which pixels (n, C) have a value that is not in [0, 1]."""
    return np.asarray(~((values >= 0) & (values <= 1)).all(axis=1))


def _convert_outside(
    values: Values, converted: Values, source: bytes, space: str, target: bytes, target_space: str
) -> None:
    """Replace the results for pixels with values outside [0, 1] by those of lcms2."""
    outside = _is_outside(values)
    if outside.any():
        converted[outside] = transform_band(values[outside], source, space, target, target_space)
