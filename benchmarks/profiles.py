"""Colour profiles for photos: of wide spaces by matrix and curve, and one by tables."""

import struct

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from relight_cli.photos.cicp import display_profile_of

_P3, _BT2020 = 12, 9  # code points of ITU-T H.273
_D65, _D50 = (0.3127, 0.3290), (0.3457, 0.3585)
_ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)  # red, green, blue: Adobe RGB (1998)
_PROPHOTO = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)  # ISO 22028-2
_TO_XYZ = np.array([[0.51510, 0.29196, 0.15715], [0.24118, 0.69224, 0.06658], [0, 0.04188, 0.78438]])  # P3, to D50
_WHITE = (0.9642, 1.0, 0.8249)  # of the connection space
_NODES, _ENTRIES = 17, 4096


def profile(name: str) -> bytes | None:
    """Return the profile of "P3", "AdobeRGB", "ProPhoto", "Rec.2020" or "LUT"; None for "sRGB"."""
    if name == "LUT":
        return _table_profile()
    if name in ("P3", "Rec.2020"):
        return display_profile_of({"P3": _P3, "Rec.2020": _BT2020}[name])
    if name == "sRGB":
        return None
    white, primaries, gamma = {"AdobeRGB": (_D65, _ADOBE, 563 / 256), "ProPhoto": (_D50, _PROPHOTO, 1.8)}[name]
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=gamma))


def _table_profile() -> bytes:
    """Return Display P3 as tables of 17 x 17 x 17 colours in both directions (lut16Type of ICC.1:2001-04, 6.5.8)."""
    steps = np.linspace(0, 1, _ENTRIES)
    to_light = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    half = steps * (65535 / 32768)  # XYZ is stored as 0 to 2
    from_light = np.where(half <= 0.0031308, half * 12.92, 1.055 * half.clip(0) ** (1 / 2.4) - 0.055)
    nodes = np.stack(np.meshgrid(*(np.linspace(0, 1, _NODES),) * 3, indexing="ij"), -1).reshape(-1, 3)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 4) + b"LUT\0" + bytes(8 + 3 + 67),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + _fixed(_WHITE),
        b"A2B0": _lut(np.eye(3), to_light, nodes @ _TO_XYZ.T * (32768 / 65535)),
        b"B2A0": _lut(np.linalg.inv(_TO_XYZ), from_light, nodes),
    }
    place, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += name + struct.pack(">II", place + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">I4s", place + len(bodies), bytes(4)) + struct.pack(">I", 0x02400000) + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(_WHITE)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def _lut(matrix: NDArray[np.float64], curve: NDArray[np.float64], colours: NDArray[np.float64]) -> bytes:
    head = b"mft2" + bytes(4) + bytes((3, 3, _NODES, 0)) + _fixed(matrix.ravel()) + struct.pack(">HH", _ENTRIES, 2)
    return head + _words(curve) * 3 + _words(colours) + _words(np.array([0, 1.0])) * 3


def _words(values: NDArray[np.float64]) -> bytes:
    return np.rint(values.clip(0, 1) * 65535).astype(">u2").tobytes()


def _fixed(values: NDArray[np.float64] | tuple[float, ...]) -> bytes:
    return np.rint(np.asarray(values) * 65536).astype(">i4").tobytes()
