"""Lights put on photos, against the truth: rendered views, real objects, and what a reference of another scene leaves.

python benchmarks/scene_lights.py PHOTOS VIEWS [--objects DIR] [--groups N]

PHOTOS   folder of the photos that `tiny` was trained with; those held out are on some surfaces of the views, and the
         leak is measured on some
VIEWS    folder for rendered views, see benchmarks/known_lights.py; existing ones are used
--objects  the MIT intrinsic images: NAME_light01.png ..., NAME_diffuse.png, NAME_mask.png

PSNR in dB of sRGB. `mean gain` and `LAB` take their statistics from the reference, which for rendered views is another
scene under the same light. The leak is the correlation of the log gain (48 x 32, luminance) with its own reference's
log luminance, less that with the other references.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from baselines import colour_transfer
from datasets import files
from known_lights import LitView, luminance, views

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.models import load_model
from relight_cli.evaluation.picture_metrics import encoded, psnr
from relight_cli.evaluation.protocol import Mask
from relight_cli.models.interface import Model
from relight_cli.photos.focal_length import NORMAL_LENS, focal_from_equivalent
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.rasters.resizing import Picture, fit_within, resized
from relight_cli.relighting.estimated_geometry import estimate_geometry
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lit_photo import light_of_scene, put_on
from relight_cli.relighting.lit_subject import GeometryOf

LEAK_SIZE = 48, 32
LEAK_PHOTOS, LEAK_SIDE = 6, 512


def mean_gain(picture: Picture, reference: Picture, own: Mask | None = None, other: Mask | None = None) -> Picture:
    """Return a picture with the mean linear colour of a reference, both within their masks."""
    light, wanted = to_linear(picture), to_linear(reference)
    means = [x.mean((0, 1)) if m is None else x[m].mean(0) for x, m in ((light, own), (wanted, other))]
    return encoded(light * (means[1] / means[0].clip(1e-6)).astype(np.float32))


def estimated(focal: float | None = None) -> GeometryOf:
    """Return a function that estimates the geometry of a working copy; without `focal` that of a normal lens."""
    network = load_geometry()
    return lambda picture: estimate_geometry(
        network, picture, focal or focal_from_equivalent(NORMAL_LENS, *picture.shape[:2])
    )


def put_on_views(model: Model, pairs: list[tuple[LitView, LitView]]) -> Iterator[dict[str, float]]:
    """Yield the scores of each view: its known light put on, and the light of the other view of its pair."""
    for pair in pairs:
        for view, other in (pair, pair[::-1]):
            scores = {
                "untouched": psnr(view.picture, view.truth),
                "mean gain": psnr(mean_gain(view.picture, other.truth), view.truth),
                "LAB": psnr(colour_transfer(view.picture, other.truth).clip(0, 1), view.truth),
            }
            true: list[GeometryOf] = [lambda picture, v=v: v.geometry() for v in (view, other)]
            guessed = [estimated(v.focal) for v in (view, other)]
            for name, (own, theirs) in {"true geometry": true, "estimated": guessed}.items():
                lit = put_on(model, Photo(view.picture), view.light, own).photo.to_srgb().clip(0, 1)
                scores[f"light, {name}"] = psnr(lit, view.truth)
                scene = light_of_scene(model, Photo(other.truth), theirs)
                lit = put_on(model, Photo(view.picture), scene, own).photo.to_srgb().clip(0, 1)
                scores[f"scene, {name}"] = psnr(lit, view.truth)
            yield scores


def put_on_objects(model: Model, objects: list[Path]) -> Iterator[dict[str, float]]:
    """Yield the scores of each pair of pictures of an object, one lit like the other as if it were another scene.

    Takes the pictures of objects in diffuse light; the others lie next to them.
    """
    of = estimated()
    for diffuse in objects:
        name, folder = diffuse.stem.removesuffix("_diffuse"), diffuse.parent
        mask = cv2.imread(str(folder / f"{name}_mask.png"), cv2.IMREAD_GRAYSCALE) > 0
        white = np.percentile(_samples(diffuse)[mask], 99) / 0.8
        shots = [encoded(_samples(path) / white) for path in sorted(folder.glob(f"{name}_light*.png"))]
        for k, picture in enumerate(shots):
            truth = shots[(k + 1) % len(shots)]
            light = light_of_scene(model, Photo(truth), of)
            lit = put_on(model, Photo(picture), light, of).photo.to_srgb().clip(0, 1)
            yield {
                "untouched": psnr(picture, truth, mask),
                "mean gain": psnr(mean_gain(picture, truth, mask, mask), truth, mask),
                "scene, estimated": psnr(lit, truth, mask),
            }


def leak(photos: list[Picture], references: list[Picture], light: Callable[[Picture, Picture], Picture]) -> float:
    """Return how much more the gains of `light(photo, reference)` look like their own reference than like others."""

    def small(picture: Picture) -> Picture:
        return np.log(cv2.resize(luminance(picture), LEAK_SIZE, interpolation=cv2.INTER_AREA) + 1e-3)

    layouts, own, other = [small(one) for one in references], [], []
    for photo in photos:
        for k, reference in enumerate(references):
            gain = small(light(photo, reference)) - small(photo)
            found = [float(np.corrcoef(gain.ravel(), one.ravel())[0, 1]) for one in layouts]
            own.append(found[k])
            other += found[:k] + found[k + 1 :]
    return float(np.mean(own) - np.mean(other))


def leak_of_scenes(model: Model, paths: list[Path]) -> float:
    """Return the leak of some photos lit by others of them."""
    chosen = [_small(path) for path in paths[:: len(paths) // (2 * LEAK_PHOTOS)][: 2 * LEAK_PHOTOS]]
    of = estimated()

    def light(photo: Picture, reference: Picture) -> Picture:
        found = light_of_scene(model, Photo(reference), of)
        return put_on(model, Photo(photo), found, of).photo.to_srgb().clip(0, 1)

    return leak(chosen[:LEAK_PHOTOS], chosen[LEAK_PHOTOS:], light)


def _samples(path: Path) -> Picture:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float32)


def _small(path: Path) -> Picture:
    photo = read_photo(path)
    return resized(photo.srgb, *fit_within(photo.pixels.shape[0], photo.pixels.shape[1], LEAK_SIDE)).clip(0, 1)


def _print(title: str, scores: list[dict[str, float]]) -> None:
    print(f"\n{title}, {len(scores)} pictures\n\n| {' | '.join(scores[0])} |\n|{'---|' * len(scores[0])}")
    print(f"| {' | '.join(f'{np.mean([one[key] for one in scores]):.2f}' for key in scores[0])} |", flush=True)


def main(
    photos: Path,
    folder: Path,
    objects: Annotated[Path | None, typer.Option(help="The MIT intrinsic images.")] = None,
    groups: Annotated[int, typer.Option(min=1, help="Pairs of rendered views.")] = 24,
) -> None:
    """Print the figures."""
    photos_of_leak = files(photos, "*.jpg", fewest=2 * LEAK_PHOTOS)
    shots = files(objects, "*_diffuse.png") if objects else []
    model = load_model("tiny", tasks=("deshadow", "albedo"), device="cpu")
    print(f"leak: {leak_of_scenes(model, photos_of_leak):.3f}", flush=True)
    _print("Rendered views", list(put_on_views(model, views(photos, folder, groups))))
    if shots:
        _print("MIT objects, as if another scene", list(put_on_objects(model, shots)))


if __name__ == "__main__":
    typer.run(main)
