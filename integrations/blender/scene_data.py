"""What relight-cli tells of a photo and a light, as NumPy arrays for Blender; nothing here needs Blender."""

import math
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray
FOCAL = "relight-cli:focalPixels"
EDGE = 0.02  # step of log depth that counts as an edge when depth is smoothed
ENVIRONMENT = 256  # pixels: the width of the environment image; harmonics of order 2 need few


@dataclass(frozen=True)
class Layers:
    """What relight-cli knows of a photo (H, W), in linear sRGB."""

    colours: Array  # (H, W, 3), relit
    albedo: Array  # (H, W, 3)
    depth: Array  # (H, W), along the camera's axis
    normals: Array  # (H, W, 3): x right, y up, z towards the viewer
    sky: Array  # (H, W), share of sky
    focal: float  # pixels


@dataclass(frozen=True)
class Look:
    """A light: radiance as harmonics, suns, and the sky that the camera sees; the exposure is multiplied in."""

    harmonics: Array  # (9, 3)
    suns: tuple[dict[str, Array], ...]  # direction (3,), irradiance (3,), radius in degrees
    sky: Array | None  # (3,)


def read_layers(path: Path) -> Layers:
    """Return the layers of a file of --layers."""
    try:
        import OpenImageIO
    except ImportError:
        sys.exit("relight_scene: OpenImageIO is missing; next to bpy: pip install OpenImageIO 'numpy<2'")
    file = OpenImageIO.ImageInput.open(str(path))
    if not file:
        sys.exit(f"relight_scene: {path}: cannot be read ({OpenImageIO.geterror()})")
    spec, pixels = file.spec(), file.read_image(format=OpenImageIO.FLOAT)
    found = {name: pixels[..., number] for number, name in enumerate(spec.channelnames)}

    def layer(*names: str) -> Array:
        return np.stack([found[name] for name in names], axis=-1)

    return Layers(
        layer("R", "G", "B"),
        layer("albedo.R", "albedo.G", "albedo.B"),
        found["depth.Z"],
        layer("normals.X", "normals.Y", "normals.Z"),
        found["sky.A"],
        float(spec.get_float_attribute(FOCAL, float(np.hypot(*pixels.shape[:2])))),
    )


def read_look(path: Path) -> Look:
    """Return the light of a look.toml."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    factor = 2.0 ** table["exposure"]
    suns = tuple(
        {
            "direction": np.array(sun["direction"]) / np.linalg.norm(sun["direction"]),
            "irradiance": factor * np.array(sun["irradiance"]),
            "radius": np.array(sun.get("radius", 0.27)),
        }
        for sun in table.get("sun", ())
    )
    sky = factor * np.array(table["sky"]) if "sky" in table else None
    return Look(factor * np.array(table["harmonics"]), suns, sky)


def smoothed(depth: Array, steps: int) -> Array:
    """Return depth (H, W) after steps of a diffusion that stops at its edges (Perona and Malik 1990).

    An estimated depth has bumps of some percent, which a low sun would show as shadows.
    """
    logs = np.log(np.asarray(depth, np.float32))
    for _ in range(steps):
        change = np.zeros_like(logs)
        for axis in (0, 1):
            slope = np.diff(logs, axis=axis)
            flow = slope * np.exp(-np.square(slope / EDGE))
            wide = [(1, 1) if one == axis else (0, 0) for one in (0, 1)]
            change += np.diff(np.pad(flow, wide), axis=axis)
        logs += np.float32(0.2) * change
    return np.exp(logs)


def to_world(vectors: Array) -> Array:
    """Return vectors (..., 3) of the photo (x right, y up, z towards the viewer) in Blender's axes (z up)."""
    x, y, z = np.moveaxis(np.asarray(vectors), -1, 0)
    return np.stack((x, -z, y), axis=-1)


def grid(layers: Layers, side: int, distance: float, smooth: int = 0) -> tuple[Array, Array, Array, Array]:
    """Return vertices (N, 3), their normals (N, 3) and texture coordinates (N, 2), and faces (M, 4) without the sky.

    The camera is in the origin and looks along y. The median depth is `distance`; `smooth` is as in `smoothed`.
    """
    height, width = layers.depth.shape
    rows, columns = (
        np.unique(np.linspace(0, n - 1, max(2, round(n * min(1, side / max(height, width))))).round().astype(int))
        for n in (height, width)
    )
    at = np.ix_(rows, columns)
    surface = layers.sky < 0.5
    middle = float(np.median(layers.depth[surface])) if surface.any() else float(np.median(layers.depth))
    depth = smoothed(layers.depth[at], smooth) * (distance / middle)
    across, down = np.meshgrid(columns + 0.5, rows + 0.5)
    right, up = (across - width / 2) / layers.focal, (height / 2 - down) / layers.focal
    vertices = to_world(np.stack((right * depth, up * depth, -depth), axis=-1))
    textures = np.stack((across / width, 1 - down / height), axis=-1)
    number = np.arange(depth.size).reshape(depth.shape)
    faces = np.stack((number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]), axis=-1)
    sky = layers.sky[at]
    kept = np.maximum(np.maximum(sky[:-1, :-1], sky[1:, :-1]), np.maximum(sky[1:, 1:], sky[:-1, 1:])) < 0.5
    normals = to_world(layers.normals[at])
    return vertices.reshape(-1, 3), normals.reshape(-1, 3), textures.reshape(-1, 2), faces[kept]


def basis(directions: Array) -> Array:
    """Return the real spherical harmonics (..., 9) of orders 0 to 2 (Ramamoorthi and Hanrahan 2001, equation 3)."""
    x, y, z = np.moveaxis(np.asarray(directions, float), -1, 0)
    first, second = math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi))
    zonal = math.sqrt(5 / (16 * math.pi)) * (3 * z * z - 1)
    order = [np.full_like(x, math.sqrt(1 / (4 * math.pi))), first * y, first * z, first * x, second * x * y]
    return np.stack([*order, second * y * z, zonal, second * x * z, second / 2 * (x * x - y * y)], axis=-1)


def environment(look: Look, width: int = ENVIRONMENT) -> Array:
    """Return the radiance (width / 2, width, 3) of the harmonics as Blender's equirectangular map, bottom row first.

    Blender divides a white surface's light by pi, relight-cli does not: its lights are pi times as bright here.
    """
    height = width // 2
    around, above = np.meshgrid(
        (0.5 - (np.arange(width) + 0.5) / width) * 2 * math.pi, (1 - (np.arange(height) + 0.5) / height) * math.pi
    )
    x, y, z = np.sin(above) * np.cos(around), np.sin(above) * np.sin(around), np.cos(above)
    return math.pi * np.clip(basis(np.stack((x, z, -y), axis=-1)) @ look.harmonics, 0, None)


def irradiance(look: Look, normals: Array) -> Array:
    """Return the irradiance (..., 3) of surfaces with normals (..., 3) in the photo's axes, without cast shadows."""
    cosine = np.array((math.pi, *(3 * (2 * math.pi / 3,)), *(5 * (math.pi / 4,))))
    total = np.clip(basis(normals) @ (cosine[:, None] * look.harmonics), 0, None)
    for sun in look.suns:
        total = total + np.clip(normals @ sun["direction"], 0, None)[..., None] * sun["irradiance"]
    return total


def exposure(layers: Layers, look: Look) -> float:
    """Return the stops by which the scene is exposed to be as bright as the relit photo: an albedo has no scale."""
    shown = (layers.albedo * irradiance(look, layers.normals)).mean(axis=-1)
    wanted = layers.colours.mean(axis=-1)
    usable = (shown > 1e-4) & (wanted > 1e-4) & (layers.sky < 0.5)
    return float(np.log2(np.median(wanted[usable] / shown[usable]))) if usable.any() else 0.0
