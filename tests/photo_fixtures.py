"""Pixels, EXIF blocks and profiles, made on the spot."""

import struct

import imagecodecs
import numpy as np

D65, D50 = (0.3127, 0.3290, 1.0), (0.3457, 0.3585, 1.0)
WIDE = {
    "P3": ((0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1), D65, 2.4),
    "AdobeRGB": ((0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1), D65, 563 / 256),
    "ProPhoto": ((0.7347, 0.2653, 1, 0.1596, 0.8404, 1, 0.0366, 0.0001, 1), D50, 1.8),
}


def wide_profile(name: str) -> bytes:
    primaries, white, gamma = WIDE[name]
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=gamma))


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    return generator.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def exif_block(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """Build IFD0 with Make, Orientation and an Exif directory that holds a maker note with offsets of its own."""
    note = b"MAKER\0" + bytes(range(250))
    value = struct.pack(order + {3: "HH", 4: "I"}[kind], *((orientation, 0) if kind == 3 else (orientation,)))
    make = b"Camera1\0"
    ifd0, make_at = 8, 8 + 2 + 3 * 12 + 4
    exif_at = make_at + len(make)
    note_at = exif_at + 2 + 12 + 4
    return b"".join(
        (
            {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", ifd0, 3),
            struct.pack(order + "HHII", 0x010F, 2, len(make), make_at),
            struct.pack(order + "HHI", 0x0112, kind, 1) + value,
            struct.pack(order + "HHII", 0x8769, 4, 1, exif_at),
            bytes(4) + make,
            struct.pack(order + "HHHII", 1, 0x927C, 7, len(note), note_at) + bytes(4) + note,
        )
    )
