"""Make the pictures of docs/compositing.md: python examples/make_compositing.py

That of Blender needs a Python with bpy (make blender), named by RELIGHT_BPY_PYTHON; without one it is left as it is.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import OpenEXR
from PIL import Image

from relight_cli.photos.srgb_curve import encode_srgb

FOLDER = Path(__file__).parent
SCRIPT = FOLDER.parent / "integrations" / "blender" / "relight_scene.py"
LIGHT = ("--light", "golden-hour", "--model", "tiny")
QUALITY = 86


def main() -> None:
    """Write the pictures beside this file."""
    with TemporaryDirectory() as folder:
        layers, relit = Path(folder) / "layers.exr", FOLDER / "compositing_relit.jpg"
        words = ["relight", FOLDER / "yard.jpg", *LIGHT, "--layers", layers, "-o", relit, "--overwrite", "--strip"]
        subprocess.run([sys.executable, "-m", "relight_cli", *words], check=True)
        save(sheet(layers), FOLDER / "compositing_layers.jpg")
        if python := os.environ.get("RELIGHT_BPY_PYTHON"):
            picture = Path(folder) / "picture.png"
            program = Path(sys.executable).with_name("relight-cli")
            options = [*LIGHT, "--relight-cli", program, "--render", picture]
            subprocess.run([python, SCRIPT, FOLDER / "yard.jpg", *options], check=True, stdout=subprocess.DEVNULL)
            save(np.asarray(Image.open(picture).convert("RGB")), FOLDER / "compositing_blender.jpg")


def sheet(path: Path) -> np.ndarray:
    """Return the layers of a file as three rows of pictures (H, W, 3), 8 bits."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        found = {name: np.asarray(channel.pixels, np.float32) for name, channel in file.channels().items()}

    def layer(name: str, channels: str = "RGB") -> np.ndarray:
        return np.stack([found[f"{name}.{c}" if name else c] for c in channels], axis=-1)

    def shown(light: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(light.reshape(-1, 3).clip(0, 1))
        return encode_srgb(flat).reshape(light.shape)

    def grey(values: np.ndarray) -> np.ndarray:
        return np.repeat(values[..., None], 3, axis=-1)

    near = 1 / found["depth.Z"]
    shading, gain = (layer(name) / np.percentile(layer(name), 99.5) for name in ("shading", "gain"))
    pictures = [
        *(shown(layer(name)) for name in ("", "photo", "albedo")),
        *(shown(shading), shown(gain), grey(found["shadow.A"])),
        *(grey(found["shadow_probability.A"]), grey(near / near.max()), layer("normals", "XYZ") / 2 + 0.5),
    ]
    rows = [np.concatenate(pictures[start : start + 3], axis=1) for start in (0, 3, 6)]
    return (np.concatenate(rows).clip(0, 1) * 255).round().astype(np.uint8)


def save(pixels: np.ndarray, path: Path) -> None:
    """Write a picture (H, W, 3); sheets are at most 960 pixels wide."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((960, 960))
    picture.save(path, quality=QUALITY)


if __name__ == "__main__":
    main()
