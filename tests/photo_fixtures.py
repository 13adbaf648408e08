"""Pixels, EXIF blocks and profiles, made on the spot."""

import io
import struct
from functools import lru_cache

import imagecodecs
import numpy as np
import tifffile

D65, D50 = (0.3127, 0.3290, 1.0), (0.3457, 0.3585, 1.0)
WIDE = {
    "P3": ((0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1), D65, 2.4),
    "AdobeRGB": ((0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1), D65, 563 / 256),
    "ProPhoto": ((0.7347, 0.2653, 1, 0.1596, 0.8404, 1, 0.0366, 0.0001, 1), D50, 1.8),
}


@lru_cache  # a profile holds the second of its making
def wide_profile(name: str) -> bytes:
    primaries, white, gamma = WIDE[name]
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=gamma))


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    return generator.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def smooth(height: int = 48, width: int = 1200) -> np.ndarray:
    """Make smooth colours (H, W, 3) in [0, 1] of many more than 256 levels a channel."""
    y, x = np.mgrid[0:height, 0:width] / np.array([[[height]], [[width]]])
    return np.stack((0.1 + 0.8 * x, 0.2 + 0.5 * x, 0.9 - 0.6 * x + 0.05 * y), axis=-1).astype(np.float32)


def dng(light: np.ndarray, orientation: int = 1) -> bytes:
    """Make a camera raw file: linear light (H, W, 3) behind a colour filter of RGGB, in 14 bits (DNG 1.4)."""
    mosaic = light[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = light[0::2, 0::2, 0], light[1::2, 1::2, 2]
    from_xyz = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)  # sRGB as a camera
    tags = [
        (271, "s", 0, "Camera1", True),
        (274, "H", 1, orientation, True),
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, b"\0\1\1\2", True),  # CFAPattern
        (50706, "B", 4, b"\1\4\0\0", True),  # DNGVersion
        (50708, "s", 0, "Camera1", True),  # UniqueCameraModel
        (50717, "I", 1, 16383, True),  # WhiteLevel
        (50721, "2i", 9, tuple(n for value in from_xyz for n in (round(value * 10000), 10000)), True),  # ColorMatrix1
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
        (50778, "H", 1, 21, True),  # CalibrationIlluminant1: D65
    ]
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.rint(mosaic * 16383).astype(np.uint16),
        photometric=32803,
        extratags=tags,
        metadata=None,
        software=False,
    )
    return file.getvalue()


def cmyk_profile() -> bytes:
    """Make a printer's profile whose inks take their share of sRGB's light, in 16-bit tables (ICC.1:2001-04, 6.5.7)."""
    inks = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 4, indexing="ij"), axis=-1)
    light = ((1 - inks[..., :3]) * (1 - inks[..., 3:])) ** 2.2
    to_xyz = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
    x, y, z = np.moveaxis(np.cbrt(light @ to_xyz.T / [0.9642, 1.0, 0.8249]), -1, 0)
    lab = np.stack((116 * y - 16, 500 * (x - y) + 128, 200 * (y - z) + 128), axis=-1) * [652.8, 256, 256]
    ramp = np.array([0, 65535], ">u2").tobytes()
    table = b"mft2" + bytes(4) + bytes([4, 3, 5, 0]) + struct.pack(">9i2H", *np.eye(3, dtype=int).ravel() << 16, 2, 2)
    table += 4 * ramp + np.rint(lab.clip(0, 65535)).astype(">u2").tobytes() + 3 * ramp
    head = struct.pack(">I4sI4s4s4s", 128 + 16 + len(table), bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


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
