"""Small sequences whose frames between are known, and the command line without starting a process."""

import math
import sys
from pathlib import Path

import numpy as np
import typer
from typer import TyperException

from relight_cli.cli import app
from relight_cli.errors import RelightError
from relight_cli.photos.photo import Photo, read_photo, write_photo
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.lights import Light, temperature_colour
from relight_cli.training.scenes.scenes import SceneOptions, render_scenes
from relight_cli.training.staging import Scene, sample_scene

SIZE = (144, 192)
SEED = 3  # a block and a post on grass


def command(*arguments: object) -> int:
    """Run interpolate-timelapse in this process, and give its exit code; errors are said on stderr."""
    try:
        return int(app(["interpolate-timelapse", *map(str, arguments)], standalone_mode=False) or 0)
    except RelightError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except (TyperException, typer.Abort):
        return 2


def sun(azimuth: float, elevation: float, kelvin: float, strength: float, sky: float) -> Light:
    flat = 1000 * math.cos(elevation)
    place = (flat * math.sin(azimuth), 1000 * math.sin(elevation), flat * math.cos(azimuth))

    def colour(k: float, gain: float) -> tuple[float, float, float]:
        r, g, b = temperature_colour(k)
        return r * gain, g * gain, b * gain

    return Light(place, 5.0, 1000.0, colour(kelvin, strength), colour(9000, 0.35 * sky), colour(7500, 0.3 * sky))


def rendered(lights: list[Light], exposure: float) -> list[np.ndarray]:
    """Give the scene under each light, (H, W, 3) sRGB in [0, 1]."""
    options = SceneOptions(size=SIZE, lights=1, shadow_rays=8, ambient_rays=4, supersampling=2)
    layout = sample_scene(SEED, options).layout
    views = [render_scenes([Scene(layout, [light], [None])], options) for light in lights]
    pictures = [develop(view.albedo[0] * view.shading[0, 0], exposure, knee=0.8) for view in views]
    return [picture.permute(1, 2, 0).numpy() for picture in pictures]


def moving_sun() -> list[np.ndarray]:
    return rendered([sun(0.4 + math.radians(8 * i), math.radians(32), 5000, 2.2, 1) for i in range(3)], -1.3)


def nightfall() -> list[np.ndarray]:
    return rendered([sun(0.4, 0.6, 5200 - 900 * i, 2.2 * 0.3**i, 0.5**i) for i in range(3)], -1.3)


def write_frames(folder: Path, pictures: list[np.ndarray], suffix: str = ".png") -> list[Path]:
    """Write pictures as frame1, frame2 ... and give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"frame{number}{suffix}" for number in range(1, len(pictures) + 1)]
    for path, picture in zip(paths, pictures, strict=True):
        write_photo(Photo((picture.clip(0, 1) * 255).round().astype(np.uint8)), path)
    return paths


def plain(count: int, height: int = 60, width: int = 80) -> list[np.ndarray]:
    """Give pictures of one texture, each brighter than the last."""
    texture = np.random.default_rng(1).uniform(0.2, 0.6, (height, width, 3))
    return [texture * (0.6 + 0.6 * number / count) for number in range(count)]


def pixels(path: Path) -> np.ndarray:
    return read_photo(path, max_pixels=10**7).pixels


def psnr(picture: np.ndarray, wanted: np.ndarray) -> float:
    return float(-10 * np.log10(max(1e-12, ((np.clip(picture, 0, 1) - wanted) ** 2).mean())))
