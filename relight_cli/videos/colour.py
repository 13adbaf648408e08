"""The colours of videos: which matrix, range, curve and primaries their numbers have, and the same colours in sRGB."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.cicp import (
    HLG,
    LINEAR_LIGHT,
    NAMES,
    PQ,
    PRIMARIES,
    SRGB_CURVE,
    UNSPECIFIED,
    WHITE,
    display_to_light,
    hdr_curve,
    hdr_to_display,
    is_hdr,
)
from relight_cli.photos.colour_profiles import converts_to_srgb, is_srgb, profile_to_srgb
from relight_cli.photos.rgb_matrices import rgb_matrix
from relight_cli.rasters.rows import row_bands

_BT2020 = 9
_SD_PRIMARIES = (5, 6, 7, 22)  # differ little from BT.709; players show their numbers as they are
_SDR_CURVES = (1, UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15)  # for the same displays as sRGB
_CONVERTED_CURVES = {4: "gamma 2.2", 5: "gamma 2.8", LINEAR_LIGHT: "linear", PQ: "PQ", HLG: "HLG", 17: "SMPTE 428"}
_MATRICES = (1, 4, 5, 6, 7, 9)  # that swscale converts
_MATRIX_OF_PRIMARIES = {1: 1, 4: 4, 5: 5, 6: 6, 7: 7, _BT2020: 9}
_WHITE_OF_RGB = 255 * 256  # in the 16 bits that swscale makes of limited range, and of 8 bits


class UnknownColoursError(Exception):
    """Raised for colours that cannot be converted; the text says which."""


@dataclass(frozen=True)
class VideoColour:
    """What the numbers of a frame mean, in code points of ITU-T H.273."""

    primaries: int
    transfer: int
    matrix: int | None  # None for RGB and grey
    range_expanded: bool = True  # False for RGB with black at 16 and white at 235 of 255
    white: int = _WHITE_OF_RGB
    icc: bytes | None = None  # takes the place of primaries and transfer
    contradicted: bool = False  # the container states other colours than the stream

    @property
    def is_srgb(self) -> bool:
        """Return whether the numbers are those of sRGB."""
        if self.icc:
            return is_srgb(self.icc)
        return self.transfer in _SDR_CURVES and self.primaries in (1, UNSPECIFIED, *_SD_PRIMARIES)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what the conversion changes."""
        if self.icc:
            return () if self.is_srgb else ("the colours of its ICC profile are converted to sRGB",)
        contradiction = "its container states other colours than its stream; those of the stream are taken"
        return self._conversion + ((contradiction,) if self.contradicted else ())

    @property
    def _conversion(self) -> tuple[str, ...]:
        if self.is_srgb:
            if self.primaries in _SD_PRIMARIES:
                return ("its primaries (SD video) are taken as those of BT.709",)
            return ()
        names = [
            self.primaries != 1 and self.primaries not in _SD_PRIMARIES and NAMES.get(self.primaries),
            _CONVERTED_CURVES.get(self.transfer),
        ]
        named = ", ".join(name for name in names if name)
        if is_hdr(self.transfer):
            clipped = f"white is {WHITE:.0f} cd/m2, brighter light and colours outside sRGB are clipped"
        else:
            clipped = "colours outside sRGB are clipped"
        return (f"its colours ({named}) are converted to sRGB; {clipped}",)


def colour_of(frame: Any, sides: Mapping[str, bytes], declared: tuple[int, int, int]) -> VideoColour:
    """Return what the numbers of a decoded frame of PyAV, with its side data, mean. Raises UnknownColoursError.

    What the frame does not say comes from the container: `declared` primaries, transfer and matrix. If neither says
    it, the matrix is that of the primaries, else that of BT.709 for 720 lines (or 1280 columns) or more, else that of
    BT.601; PQ and HLG have the primaries of BT.2020, all others those of BT.709.
    """
    own = (frame.color_primaries, frame.color_trc, frame.colorspace)
    primaries, transfer, matrix = (
        _known(code) if _known(code) != UNSPECIFIED else _known(other)
        for code, other in zip(own, declared, strict=True)
    )
    contradicted = _contradict(own, declared)
    if {"DOVI_METADATA", "DOVI_RPU_BUFFER"} & set(sides) and UNSPECIFIED in (transfer, primaries):
        raise UnknownColoursError("Dolby Vision without a base layer that other players show")
    if primaries == UNSPECIFIED and is_hdr(transfer):
        primaries = _BT2020
    if transfer not in (*_SDR_CURVES, *_CONVERTED_CURVES):
        raise UnknownColoursError(f"transfer characteristics {transfer} of ITU-T H.273")
    if primaries not in (*PRIMARIES, UNSPECIFIED):
        raise UnknownColoursError(f"colour primaries {primaries} of ITU-T H.273")
    bits = frame.format.components[0].bits
    has_matrix = _has_matrix(frame.format)
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj") or not has_matrix
    white = ((1 << bits) - 1) << (16 - bits) if full and 8 <= bits <= 16 else _WHITE_OF_RGB
    icc = sides.get("ICC_PROFILE")
    icc = icc if icc and converts_to_srgb(icc, "rgb") else None
    used = _matrix(matrix, primaries, frame.width, frame.height) if has_matrix else None
    expanded = used is not None or not (frame.format.is_rgb and frame.color_range == 1)
    return VideoColour(primaries, transfer, used, expanded, white, icc, contradicted)


def has_transparency(frame: Any, reformatter: Any) -> bool:
    """Return whether a decoded frame has pixels that are not opaque."""
    if not any(component.is_alpha for component in frame.format.components):
        return False
    alpha = reformatter.reformat(frame, format="gbrap").planes[3]
    return bool(np.frombuffer(alpha, np.uint8).reshape(alpha.height, -1)[:, : alpha.width].min() < 255)


def to_srgb(pixels: NDArray[np.uint16], colour: VideoColour) -> NDArray[np.uint8]:
    """Convert (H, W, 3) RGB of 16 bits, as swscale makes it, to 8-bit sRGB."""
    srgb = np.empty(pixels.shape, np.uint8)
    for rows in row_bands(*pixels.shape[:2]):
        if colour.is_srgb and colour.white == _WHITE_OF_RGB and colour.range_expanded:
            srgb[rows] = ((pixels[rows].astype(np.uint32) + 128) >> 8).clip(max=255)
        else:
            srgb[rows] = np.rint(srgb_of(values_of(pixels[rows], colour), colour) * 255)
    return srgb


def to_deep_srgb(pixels: NDArray[np.uint16], colour: VideoColour) -> NDArray[np.uint16]:
    """Convert (H, W, 3) RGB of 16 bits, as swscale makes it, to 16-bit sRGB."""
    srgb = np.empty(pixels.shape, np.uint16)
    for rows in row_bands(*pixels.shape[:2]):
        srgb[rows] = np.rint(srgb_of(values_of(pixels[rows], colour), colour) * 65535)
    return srgb


def values_of(pixels: NDArray[np.uint16], colour: VideoColour) -> NDArray[np.float32]:
    """Return (H, W, 3) RGB of 16 bits, as swscale makes it, as values of the video's own curve, 1.0 for white."""
    values = pixels.astype(np.float32)
    if not colour.range_expanded:
        values = (values - 16 * 256) * np.float32(255 / 219)
    values *= np.float32(1 / colour.white)
    return np.clip(values, 0, 1, out=values)


def stored_values(values: NDArray[np.float32], colour: VideoColour) -> NDArray[np.uint16]:
    """Return values of a video's own curve as swscale takes them: RGB of 16 bits."""
    return np.rint(values.clip(0, 1) * np.float32(colour.white)).astype(np.uint16)


def srgb_of(values: NDArray[np.float32], colour: VideoColour) -> NDArray[np.float32]:
    """Return values (H, W, 3) of a video's own curve as sRGB in [0, 1]."""
    return np.clip(_converted(values, colour), 0, 1)


def light_curve(colour: VideoColour) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return values at equal steps and their light, rising; None for the curve of sRGB, as which SDR video is shown."""
    if is_hdr(colour.transfer) and colour.icc is None:
        return hdr_curve(colour.transfer)
    if colour.icc or colour.transfer not in _CONVERTED_CURVES:
        return None
    steps = np.linspace(0, 1, 4096)
    return steps, display_to_light(steps.astype(np.float32), colour.transfer).astype(np.float64)


def _known(code: int) -> int:
    """Return a code point; the reserved 0 and 3 say nothing."""
    return UNSPECIFIED if code in (0, 3) else int(code)


def _contradict(own: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Return whether two statements of primaries, transfer and matrix have different effects."""
    equal = ((1, *_SD_PRIMARIES), _SDR_CURVES, (5, 6))
    return any(
        first != second and UNSPECIFIED not in (first, second) and not (first in same and second in same)
        for first, second, same in zip(map(_known, own), map(_known, other), equal, strict=True)
    )


def _has_matrix(form: Any) -> bool:
    return not (form.is_rgb or form.has_palette or len([c for c in form.components if not c.is_alpha]) == 1)


def _matrix(matrix: int, primaries: int, width: int, height: int) -> int:
    """Return the matrix that converts to RGB. Raises UnknownColoursError."""
    if matrix == 12 and primaries in (1, _BT2020):  # derived from the primaries
        matrix = _MATRIX_OF_PRIMARIES[primaries]
    if matrix == UNSPECIFIED:
        return _MATRIX_OF_PRIMARIES.get(primaries) or (1 if height >= 720 or width >= 1280 else 5)
    if matrix not in _MATRICES:
        names = {8: "YCgCo", 10: "BT.2020 with constant luminance", 14: "ICtCp"}
        raise UnknownColoursError(names.get(matrix, f"matrix coefficients {matrix} of ITU-T H.273"))
    return matrix


def _converted(values: NDArray[np.float32], colour: VideoColour) -> NDArray[np.float32]:
    """Convert values in [0, 1] to sRGB, not clipped to its colours."""
    if colour.is_srgb:
        return values
    if colour.icc:
        return profile_to_srgb(values, colour.icc)
    light = _light(values, colour)
    if colour.primaries not in (1, UNSPECIFIED, *_SD_PRIMARIES):
        light = light @ _to_rec709(colour.primaries).T
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - np.float32(0.055))


def _light(values: NDArray[np.float32], colour: VideoColour) -> NDArray[np.float32]:
    """Return the light of a display on which the white of a picture is 1; brighter light is clipped."""
    if is_hdr(colour.transfer):
        return display_to_light(hdr_to_display(values, colour.primaries, colour.transfer), SRGB_CURVE)
    # All curves of SDR video are for displays with the curve of sRGB.
    curve = colour.transfer if colour.transfer in _CONVERTED_CURVES else SRGB_CURVE
    return display_to_light(values, curve).clip(0, 1)


@lru_cache(maxsize=16)
def _to_rec709(primaries: int) -> NDArray[np.float32]:
    """Return the matrix from linear light of some primaries to that of BT.709, white to white."""
    return rgb_matrix(PRIMARIES[primaries], PRIMARIES[1]).astype(np.float32)
