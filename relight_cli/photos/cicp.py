"""Colours by code points: what the numbers of ITU-T H.273 mean, as ICC profiles; PQ and HLG as light of a display."""

import contextlib
import struct
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.colour_profiles import REC709, is_srgb, linear_profile, profile_space

D65, _ILLUMINANT_C = (0.3127, 0.3290), (0.310, 0.316)
PRIMARIES: dict[int, tuple[float, ...]] = {  # (x, y) of red, green, blue and white (H.273, table 2)
    1: REC709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_ILLUMINANT_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_ILLUMINANT_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),  # BT.2020
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),  # CIE XYZ
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),  # Display P3
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
}
NAMES = {1: "BT.709", 4: "BT.470 M", 8: "film", 9: "BT.2020", 10: "XYZ", 11: "DCI-P3", 12: "P3"}
UNSPECIFIED, LINEAR_LIGHT, SRGB_CURVE, PQ, HLG = 2, 8, 13, 16, 18
VIDEO_CURVES = (1, 6, 14, 15)  # the curve of BT.709 under its names
_HD_AND_SD = (1, 5, 6)  # primaries of video that differ little from those of sRGB

Curve = tuple[float, ...]
"""One exponent, or (g, a, b, c, d) of Y = (a X + b) ** g from X = d on and Y = c X below (ICC.1:2010, 10.16)."""
SRGB_LIGHT: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_CURVES: dict[int, Curve] = {  # from values to light, by transfer characteristics (H.273, table 3)
    **dict.fromkeys((*VIDEO_CURVES, 11, 12), (1 / 0.45, 1 / 1.09929683, 0.09929683 / 1.09929683, 1 / 4.5, 0.08124286)),
    4: (2.2,),
    5: (2.8,),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 0.25, 0.0912),
    LINEAR_LIGHT: (1.0,),
    SRGB_CURVE: SRGB_LIGHT,
    17: (2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0),
}
_LOGARITHMS = {9: 2.0, 10: 2.5}  # decades
WHITE = 203.0  # cd/m2 of the white of a picture in PQ and HLG (ITU-R BT.2408, section 2.1)
_MOST_TAGS = 100  # of a profile, as in lcms2
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # of the display for which HLG is converted (BT.2100, table 5)


def is_hdr(transfer: int) -> bool:
    """Return whether values with this transfer need `hdr_to_display`: no profile of a display describes them."""
    return transfer in (PQ, HLG)


def is_known(primaries: int, transfer: int) -> bool:
    """Return whether both code points are unspecified or known, and at least one of them is known."""
    curves = (*_CURVES, *_LOGARITHMS, PQ, HLG)
    known = [code in codes for code, codes in ((primaries, PRIMARIES), (transfer, curves))]
    return any(known) and all(found or code == UNSPECIFIED for found, code in zip(known, (primaries, transfer)))  # noqa: B905


def profile_of_cicp(primaries: int, transfer: int, *, grey: bool = False) -> bytes | None:
    """Return the profile of code points; None if that is sRGB. Always the same bytes.

    Unspecified primaries are those of BT.709, an unspecified transfer is that of sRGB. The curve of BT.709 with the
    primaries of SD or HD video is taken as sRGB, as browsers do: encoders of phones write these codes for sRGB.
    Raises KeyError for unknown code points, and for PQ and HLG.
    """
    if transfer in VIDEO_CURVES and primaries in (*_HD_AND_SD, UNSPECIFIED):
        return None
    known = PRIMARIES[1 if primaries == UNSPECIFIED else primaries]
    if transfer in _LOGARITHMS:
        return profile_of(known, _logarithm(_LOGARITHMS[transfer]), grey=grey)
    return profile_of(known, _CURVES[SRGB_CURVE if transfer == UNSPECIFIED else transfer], grey=grey)


def display_profile_of(primaries: int, *, grey: bool = False) -> bytes | None:
    """Return the profile in which `hdr_to_display` returns values: the curve of sRGB; None if that is sRGB."""
    return profile_of(PRIMARIES[9 if primaries == UNSPECIFIED else primaries], SRGB_LIGHT, grey=grey)


@lru_cache(maxsize=64)
def profile_of(chromaticities: tuple[float, ...], curve: Curve | bytes, *, grey: bool = False) -> bytes | None:
    """Return the profile of (x, y) of red, green, blue and white and a curve; None if that is sRGB.

    A curve that is bytes is stored as it is (type curveType, ICC.1:2010, 10.6). The bytes are always the same.
    """
    if grey:
        base = bytes(imagecodecs.cms_profile("gray", whitepoint=(*chromaticities[6:], 1.0), gamma=1.0))
        base = base[:24] + linear_profile(REC709)[24:36] + base[36:84] + bytes(16) + base[100:]
    else:
        base = linear_profile(chromaticities)
    profile = with_curve(base, curve if isinstance(curve, bytes) else _parametric(curve))
    return None if is_srgb(profile) else profile


def grey_profile_of(profile: bytes) -> bytes | None:
    """Return the grey profile whose light is that of grey in an RGB profile of three equal curves and a matrix.

    None for any other profile, for one that is grey already, and for one whose grey is that of sRGB.
    """
    if profile_space(profile) != "rgb":
        return None
    tags = {name: profile[start : start + size] for name, start, size in _tags_of(profile)}
    curves = {tags.get(name) for name in (b"rTRC", b"gTRC", b"bTRC")}
    if b"A2B0" in tags or len(curves) > 1 or not (curve := curves.pop()):
        return None
    return profile_of(REC709, curve, grey=True)


def _tags_of(profile: bytes) -> list[tuple[bytes, int, int]]:
    """Return name, offset and size of each tag of a profile (the tag table: ICC.1:2010, section 7.3)."""
    (count,) = struct.unpack_from(">I", profile, 128)
    return [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count)]


def with_curve(profile: bytes, curve: bytes) -> bytes:
    """Return a profile with other curves, all the same."""
    tags = _tags_of(profile)
    count = len(tags)
    data, table, places = bytearray(), b"", {}
    for name, start, size in tags:
        body = curve if name.endswith(b"TRC") else profile[start : start + size]
        if body not in places:
            places[body] = 132 + 12 * count + len(data)
            data += body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, places[body], len(body))
    whole = profile[4:132] + table + bytes(data)
    return struct.pack(">I", len(whole) + 4) + whole


def codes_of_profile(profile: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer in the cicp tag of a profile (ICC.1:2022, sections 9.2.17 and 10.3), if it has one.

    None for a tag that is cut off, too.
    """
    with contextlib.suppress(struct.error):
        (count,) = struct.unpack_from(">I", profile, 128)
        for number in range(min(count, _MOST_TAGS)):
            name, start, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            if name == b"cicp" and profile[start : start + 4] == b"cicp":
                return struct.unpack_from(">BB", profile, start + 8)
    return None


def with_srgb_curve(profile: bytes) -> bytes | None:
    """Return a profile of three curves and a matrix, or of grey, with the curve of sRGB; None if that is sRGB."""
    if profile[128:].find(b"A2B0", 4, 4 + 12 * 64) >= 0:  # made of tables
        return None
    converted = with_curve(profile, _parametric(SRGB_LIGHT))
    return None if is_srgb(converted) else converted


def table_curve(values: NDArray[np.uint16]) -> bytes:
    """Return a curve of ICC from a table of light at equal steps (curveType, ICC.1:2010, section 10.6)."""
    return b"curv" + struct.pack(">II", 0, len(values)) + values.astype(">u2").tobytes()


def hdr_to_display(values: NDArray[np.float32], primaries: int, transfer: int) -> NDArray[np.float32]:
    """Convert (H, W, C) values of PQ or HLG in [0, 1] to a display on which WHITE is 1; brighter light is clipped.

    The result has the curve of sRGB and the same primaries (`display_profile_of`).
    """
    signal = np.clip(values.astype(np.float64), 0, 1)
    light = np.clip((_pq_light(signal) if transfer == PQ else _hlg_light(signal, primaries)) / WHITE, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def display_to_light(values: NDArray[np.float32], transfer: int) -> NDArray[np.float32]:
    """Return the light of values in [0, 1] with the curve of a transfer, which is not PQ, HLG or a logarithm."""
    curve = _CURVES[transfer]
    if len(curve) == 1:
        return (values ** np.float32(curve[0])).astype(np.float32)
    g, a, b, c, d = (np.float32(number) for number in curve)
    return np.where(values < d, c * values, (a * values + b) ** g).astype(np.float32)


def hdr_curve(transfer: int, steps: int = 4096) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values of PQ or HLG at equal steps, and the light of grey at them; WHITE is 1.

    Multiplying the light of all channels alike is exact for HLG, too, whose colours depend on their luminance.
    """
    signal = np.linspace(0, 1, steps)
    light = _pq_light(signal) if transfer == PQ else _HLG_PEAK * _hlg_scene(signal) ** _HLG_GAMMA
    return signal, light / WHITE


def _pq_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cd/m2 (SMPTE ST 2084, the EOTF in BT.2100, table 4)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg_light(signal: NDArray[np.float64], primaries: int) -> NDArray[np.float64]:
    """Return cd/m2 of a display of _HLG_PEAK (the inverse OETF and the OOTF in BT.2100, table 5)."""
    scene = _hlg_scene(signal)
    weights = np.ones(1) if signal.shape[2] == 1 else luma_weights(primaries)
    return _HLG_PEAK * (scene @ weights)[..., None] ** (_HLG_GAMMA - 1) * scene


def _hlg_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of the scene (the inverse OETF in BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def luma_weights(primaries: int) -> NDArray[np.float64]:
    """Return the share of red, green and blue in the luminance of white."""
    return weights_of(PRIMARIES[9 if primaries == UNSPECIFIED else primaries])


def weights_of(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the share of red, green and blue in the luminance of white, from their (x, y) and that of white."""
    return _amounts(chromaticities) * chromaticities[1:6:2]


def are_primaries(chromaticities: tuple[float, ...]) -> bool:
    """Return whether (x, y) of red, green, blue and white are those of a colour space: white is a mixture of all."""
    if len(chromaticities) != 8 or not np.isfinite(chromaticities).all() or not chromaticities[7]:
        return False
    try:
        return bool((_amounts(chromaticities) > 1e-3).all())
    except (ArithmeticError, np.linalg.LinAlgError):
        return False


def _amounts(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the X + Y + Z of red, green and blue in a white of Y = 1."""
    xyz = np.array([(x, y, 1 - x - y) for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)])
    return np.linalg.solve(xyz[:3].T, xyz[3] / float(chromaticities[7]))


def _parametric(curve: Curve) -> bytes:
    kind = {1: 0, 5: 3}[len(curve)]
    numbers = (round(number * 65536) for number in curve)
    return b"para" + struct.pack(f">IHH{len(curve)}i", 0, kind, 0, *numbers)


def _logarithm(decades: float) -> bytes:
    light = 10 ** (decades * (np.linspace(0, 1, 4096) - 1))
    light[0] = 0
    return table_curve(np.rint(light * 65535).astype(np.uint16))
