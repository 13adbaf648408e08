"""RGB profiles of tables (lut8Type, lut16Type, lutAToBType, lutBToAType), evaluated here instead of by lcms2.

Tables are used only if they convert other colours as lcms2 does. Its floats are rounded to 16 bits before and after
tables; here they are not rounded after them.

Types and encodings: ICC.1:2010, 6.3.4 and 10.5 to 10.16; of version 2 ICC.1:2001-04, 6.5.7 and 6.5.8.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.lcms import SRGB, profile_space, transform_band
from relight_cli.photos.lut_stages import (
    STEPS,
    Doubles,
    Stage,
    Values,
    affine,
    clipped,
    cube,
    curves,
    light_of_roots,
    roots_of_light,
    through,
    to_pixels,
    to_planes,
)
from relight_cli.photos.srgb_curve import decode_exactly, decode_srgb, encode_srgb
from relight_cli.rasters.bit_depth import from_unit

_TOLERANCE = 0.9 / 4095  # of a colour
_LIGHT_TOLERANCE = 8 / STEPS  # of linear light: lcms2's 16 bits of Lab or XYZ, where sRGB or a profile's curve is steep
_D50 = np.array((0.9642, 1, 0.8249))
_PARAMETERS = (1, 3, 4, 5, 7)  # of the function types of parametricCurveType


@dataclass(frozen=True)
class LutProfile:
    """An RGB profile of tables in both directions."""

    icc: bytes
    forward: tuple[Stage, ...]  # from values to linear sRGB
    backward: tuple[Stage, ...]
    channels: int = 3

    def to_srgb(self, samples: NDArray) -> Values:
        """Convert (n, 3) samples, uint8, uint16 or float32, to (n, 3) sRGB; floats are clipped to [0, 1] before."""
        return to_pixels(encode_srgb(through(self.forward, to_planes(samples))))

    def from_srgb(self, srgb: Values, *, clip: bool) -> Values:
        """Convert (n, 3) sRGB to (n, 3) values; with `clip` also those of curves that leave [0, 1] are clipped."""
        values = to_pixels(through(self.backward, decode_srgb(to_planes(srgb))))
        return clipped(values) if clip else values

    def to_light(self, samples: NDArray) -> Values:
        """Convert (n, 3) samples to linear sRGB (n + PADDING, 3)."""
        return np.ascontiguousarray(through(self.forward, to_planes(samples)).T)

    def from_light(self, light: Values, dtype: np.dtype) -> NDArray:
        """Convert (n, 3) linear sRGB to (n, 3) samples, uint8 or uint16, clipped."""
        planes = from_unit(through(self.backward, np.ascontiguousarray(light.T)), dtype)
        return np.ascontiguousarray(planes.T)


@lru_cache(maxsize=8)
def lut_profile(icc: bytes) -> LutProfile | None:
    """Return a profile's tables; None for a profile without them, or that lcms2 refuses or converts differently."""
    if profile_space(icc) != "rgb":
        return None
    try:
        with np.errstate(all="ignore"):
            profile = _read(icc)
            return profile if _agrees_with_lcms(profile) else None
    except (imagecodecs.CmsError, ValueError, KeyError, IndexError, struct.error):
        return None


def _read(icc: bytes) -> LutProfile:
    """Read the tags for relative colorimetric conversion. Raises ValueError, KeyError, IndexError or struct.error."""
    tags, is_lab = _tags(icc), icc[20:24] == b"Lab "
    to_pcs, from_pcs = (tags.get(name + b"1") or tags[name + b"0"] for name in (b"A2B", b"B2A"))
    forward = (*_stages(to_pcs, trilinear=False), *_pcs_to_light(to_pcs, is_lab))
    # lcms2 interpolates between the nodes of Lab trilinearly
    return LutProfile(icc, forward, (*_light_to_pcs(from_pcs, is_lab), *_stages(from_pcs, trilinear=is_lab)))


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = struct.iter_unpack(">4s2I", icc[132 : 132 + 12 * count])
    return {name: icc[start : start + size] for name, start, size in entries}


def _fixed(body: bytes, count: int, start: int) -> Doubles:
    return np.frombuffer(body, ">i4", count, start) / 65536


def _unit(body: bytes, depth: str, count: int, start: int) -> Values:
    return np.divide(np.frombuffer(body, depth, count, start), np.iinfo(depth).max, dtype=np.float32)


def _stages(body: bytes, *, trilinear: bool) -> Iterator[Stage]:
    """Yield the stages of a tag with tables."""
    if body[8:10] != b"\3\3":
        raise ValueError("tables of other than three colours")
    if body[:4] in (b"mft1", b"mft2"):
        yield from _table_stages(body, trilinear=trilinear)
        return
    if body[:4] not in (b"mAB ", b"mBA "):
        raise ValueError("not tables")
    b, matrix, m, nodes, a = struct.unpack_from(">5I", body, 12)
    numbers = _fixed(body, 12, matrix) if matrix else np.append(np.eye(3), np.zeros(3))
    stages = [
        curves(_element_curves(body, a)),
        iter([_element_cube(body, nodes, trilinear=trilinear)] if nodes else []),
        curves(_element_curves(body, m)),
        affine(numbers[:9].reshape(3, 3), numbers[9:]),
        curves(_element_curves(body, b)),
    ]
    for element in stages if body[:4] == b"mAB " else reversed(stages):
        yield from element


def _table_stages(body: bytes, *, trilinear: bool) -> Iterator[Stage]:
    """Yield the stages of lut8Type or lut16Type: a matrix, curves, a cube, curves."""
    points, words = body[10], body[:4] == b"mft2"
    before, after = struct.unpack_from(">2H", body, 48) if words else (256, 256)
    cuts = 3 * before, 3 * (before + points**3)
    values = _unit(body, ">u2" if words else "u1", cuts[1] + 3 * after, 52 if words else 48)
    first, nodes, last = np.split(values, cuts)
    yield from affine(_fixed(body, 9, 12).reshape(3, 3), np.zeros(3))
    yield from curves(_sampled(first.reshape(3, -1)))
    yield cube(nodes.reshape(-1, 3), points, trilinear=trilinear)
    yield from curves(_sampled(last.reshape(3, -1)))


def _element_cube(body: bytes, start: int, *, trilinear: bool) -> Stage:
    points, depth = body[start], {1: "u1", 2: ">u2"}[body[start + 16]]
    if body[start : start + 3] != bytes((points,)) * 3:
        raise ValueError("a cube with sides of different lengths")
    return cube(_unit(body, depth, 3 * points**3, start + 20).reshape(-1, 3), points, trilinear=trilinear)


def _element_curves(body: bytes, start: int) -> Doubles:
    """Return three curves of curveType or parametricCurveType at 65536 steps; straight ones where there are none."""
    x = np.linspace(0, 1, STEPS + 1)
    made = [x] * 3
    for number in range(3 if start else 0):
        kind = body[start : start + 4]
        if kind == b"curv":
            (count,) = struct.unpack_from(">I", body, start + 8)
            values = np.frombuffer(body, ">u2", count, start + 12)
            made[number] = _sampled(values[None] / STEPS)[0] if count > 1 else x ** (values[0] / 256) if count else x
            start += 12 + 2 * (count + count % 2)
        elif kind == b"para":
            count = _PARAMETERS[body[start + 9]]
            made[number] = _parametric(x, body[start + 9], _fixed(body, count, start + 12))
            start += 12 + 4 * count
        else:
            raise ValueError("not a curve")
    return np.stack(made)


def _parametric(x: Doubles, kind: int, numbers: Doubles) -> Doubles:
    g, a, b, c, d, e, f = np.append(numbers, np.zeros(7 - len(numbers)))
    if kind == 0:
        return np.asarray(x**g)
    power = np.maximum(a * x + b, 0) ** g
    return np.asarray(power + c if kind < 3 else np.where(x >= d, power + e, c * x + f))


def _sampled(tables: NDArray) -> Doubles:
    """Return curves (C, n) at 65536 steps."""
    x, at = np.linspace(0, 1, STEPS + 1), np.linspace(0, 1, tables.shape[1])
    return np.stack([np.interp(x, at, table) for table in tables])


def _pcs_to_light(body: bytes, is_lab: bool) -> Iterator[Stage]:
    """Yield the stages from encoded values of the connection space to linear sRGB."""
    yield from affine(*_pcs_decoding(body, is_lab))
    if is_lab:
        yield light_of_roots
    yield from affine(np.linalg.inv(_srgb_matrix(is_lab)), np.zeros(3))


def _light_to_pcs(body: bytes, is_lab: bool) -> Iterator[Stage]:
    """Yield the stages from linear sRGB to encoded values of the connection space."""
    decoding, offset = _pcs_decoding(body, is_lab)
    yield from affine(_srgb_matrix(is_lab), np.zeros(3))
    if is_lab:
        yield roots_of_light
    encoding = np.linalg.inv(decoding)
    yield from affine(encoding, -encoding @ offset)


def _pcs_decoding(body: bytes, is_lab: bool) -> tuple[Doubles, Doubles]:
    """Return matrix and offset from encoded values to XYZ, or from L*, a*, b* to the roots of X, Y and Z."""
    if not is_lab:
        return np.eye(3) * (STEPS / 32768), np.zeros(3)
    scale = (STEPS / 652.8, STEPS / 256, STEPS / 256) if body[:4] == b"mft2" else (100, 255, 255)
    roots = np.array(((1 / 116, 1 / 500, 0), (1 / 116, 0, 0), (1 / 116, 0, -1 / 200)))
    return roots * scale, roots @ (16, -128, -128)


def _srgb_matrix(is_lab: bool) -> Doubles:
    """Return the matrix from linear sRGB to XYZ, for Lab relative to white."""
    tags, white = _tags(SRGB), _D50 if is_lab else np.ones(3)
    columns = [_fixed(tags[name], 3, 8) / white for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    return np.stack(columns, axis=1)


def _agrees_with_lcms(profile: LutProfile) -> bool:
    """Return whether colours are converted as by lcms2, also floats beyond white and below black."""
    values = np.random.default_rng(0).random((1 << 12, 3), dtype=np.float32)
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.concatenate((values, values**4, corners, 3 * values - 1)).astype(np.float32)
    srgb = transform_band(values, profile.icc, "rgb", SRGB, "rgb")
    own = profile.to_srgb(values)
    if not _are_close(own, srgb, own, srgb):
        return False
    srgb = np.concatenate((srgb, values))
    wanted = transform_band(srgb, SRGB, "rgb", profile.icc, "rgb")
    back = profile.from_srgb(srgb, clip=False)
    return _are_close(back, wanted, profile.to_srgb(back), profile.to_srgb(wanted))


def _are_close(values: Values, wanted: Values, srgb: Values, wanted_srgb: Values) -> bool:
    """Return whether all values, or the light of their sRGB colours, are within the tolerances."""
    near = np.abs(values - wanted) <= _TOLERANCE
    return bool((near | (np.abs(decode_exactly(srgb) - decode_exactly(wanted_srgb)) <= _LIGHT_TOLERANCE)).all())
