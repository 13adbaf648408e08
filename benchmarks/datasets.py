"""Pictures with a known truth for benchmarks/quality.py; (H, W, 3), sRGB-encoded in [0, 1]."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from metrics import Mask, encoded
from torch import Generator, Tensor

from relight_cli.photos.reading import read_photo
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.layers import to_linear
from relight_cli.training.pairs import Pairs, lit_pairs, photo_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.views import RenderedViews

SEED, COUNT, SIZE = 77, 64, 256
# Views whose truth contains a cast shadow that did not move from shot to shot; found by looking at the truths.
LEFT_OVER = {f"h{view}" for view in (1, 4, 8, 18, 36, 39, 41, 42, 43, 45, 49, 51, 55, 56, 57, 58, 61)}


@dataclass(frozen=True)
class Known:
    """A picture, and the picture that it should become."""

    name: str
    picture: Picture
    truth: Picture
    mask: Mask | None = None  # the shadow, or the object
    shading: Picture | None = None  # linear
    sound: bool = True  # the truth contains no shadow of its own


def read(path: Path) -> Picture:
    """Return a photo as sRGB."""
    return read_photo(path, max_pixels=10**8).to_srgb()


def as_pictures(batch: Tensor) -> list[Picture]:
    """Return linear light or sRGB (B, 3, H, W) as pictures."""
    return [x.permute(1, 2, 0).numpy() for x in batch]


def made_photos(folder: Path) -> Pairs:
    """Return 64 crops of photos that were held out of the training, each under two made lights."""
    return photo_pairs(PhotoCrops(split(folder)[1]), COUNT, SIZE, np.random.default_rng(SEED), "cpu")


def rendered_views(folder: Path) -> Pairs:
    """Return the held-out rendered views, each once and whole, under two lights."""
    albedo, shading, free = RenderedViews(folder).whole()
    return lit_pairs(albedo, shading, free, Generator().manual_seed(SEED))


def pairs_to_relight(pairs: Pairs) -> Iterator[Known]:
    """Yield each first picture, with the second as its truth."""
    for i, (a, b) in enumerate(zip(as_pictures(pairs.a), as_pictures(pairs.b), strict=True)):
        yield Known(str(i), a, b)


def mapped(pairs: Pairs, to: Tensor) -> Iterator[Known]:
    """Yield each first picture, with itself under `to`, a change of log light, as its truth; the mask is the shadow."""
    for i, (a, change) in enumerate(zip(as_pictures(pairs.a), as_pictures(to), strict=True)):
        if not np.isnan(change).any():
            clean = encoded(to_linear(a) * np.exp(change))
            yield Known(str(i), a, clean, change.mean(2) > np.log(1.25))


def shots(folder: Path) -> dict[str, list[Path]]:
    """Return the shots of each view, VIEW_1.png, VIEW_2.png ..."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*_[0-9]*.png")):
        found[path.stem.rpartition("_")[0]].append(path)
    return found


def shots_to_relight(folder: Path) -> Iterator[Known]:
    """Yield each shot of a view, with the next shot of the view as its truth."""
    for paths in shots(folder).values():
        pictures = [read(path) for path in paths]
        for i, path in enumerate(paths):
            if len(paths) > 1:
                yield Known(path.stem, pictures[i], pictures[(i + 1) % len(paths)])


def shots_to_deshadow(folder: Path) -> Iterator[Known]:
    """Yield each shot, with VIEW_free.png, composed of the view's brightest shots, as its truth.

    The shadow is where the shot is below 0.8 of the truth, both blurred by three pixels.
    """
    for view, paths in shots(folder).items():
        free = read(folder / f"{view}_free.png")
        soft = cv2.GaussianBlur(free, (0, 0), 3).mean(2).clip(1e-3)
        for path in paths:
            shot = read(path)
            shadow = cv2.GaussianBlur(shot, (0, 0), 3).mean(2) / soft < 0.8
            yield Known(path.stem, shot, free, shadow, sound=view not in LEFT_OVER)


def objects(folder: Path) -> Iterator[Known]:
    """Yield the objects of the MIT intrinsic images in diffuse light (linear, 16 bits), with their reflectance."""
    for path in sorted(folder.glob("*_diffuse.png")):
        name = path.stem.removesuffix("_diffuse")

        def load(kind: str, name: str = name) -> Picture:
            return cv2.imread(str(folder / f"{name}_{kind}.png"), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float32)

        mask = cv2.imread(str(folder / f"{name}_mask.png"), cv2.IMREAD_GRAYSCALE) > 0
        light, reflectance = load("diffuse"), load("reflectance")
        shading = cv2.imread(str(folder / f"{name}_shading.png"), cv2.IMREAD_UNCHANGED).astype(np.float32)
        exposed = light / np.percentile(light[mask], 99) * 0.8
        yield Known(name, encoded(exposed), reflectance / reflectance.max(), mask, shading)


def films(folder: Path) -> Iterator[Known]:
    """Yield rendered film frames NAME_image.png, with NAME_albedo.png as their truth."""
    for path in sorted(folder.glob("*_image.png")):
        yield Known(path.stem, read(path), read(path.with_name(path.name.replace("_image", "_albedo"))))
