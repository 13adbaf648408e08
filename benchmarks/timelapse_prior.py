"""Find the weights of `--mode auto` for two frames, where no frame can be left out, on made days of training photos.

python benchmarks/timelapse_prior.py PHOTOS [--days 60]

A made day is a photo under three lights: the exposure changes by up to two stops, along a path of its own; in half of
the days a cast shadow moves; the sky is drawn anew with clouds that move and change; small things come and go. One day
in three is a rendered scene under a moving sun instead. The middle picture is made from the two others; PRIOR of
relight_cli/timelapse/proof.py is half of what least squares finds on all these days together, by band. Then the gain of
`prior_weights`, which also looks at the two frames, on these days and on rendered nightfalls.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from datasets import split_photos
from numpy.typing import NDArray
from timelapse import developed, linear_views, sun, sun_at

from relight_cli.checkpoints.models import load_model
from relight_cli.models.interface import RelightingModel
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.linear_light import encode_srgb
from relight_cli.relighting.options import TileOptions
from relight_cli.timelapse.blending import BANDS, WAYS
from relight_cli.timelapse.keyframe_pair import KeyframePair
from relight_cli.timelapse.light_interpolation import Keyframe
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.proof import LeftOut, Values, left_out, prior_weights, weights_of_picture
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.synthetic_light import cast_shadows

Picture = NDArray[np.float32]
SIDE = 256
FIRST_SCENE = 1000  # seed; the benchmark has smaller ones


def made_day(crops: PhotoCrops, rng: np.random.Generator) -> list[Picture]:
    """Return three pictures (SIDE, SIDE, 3) of one view at even times."""
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    base, other = (to_linear(crop.permute(1, 2, 0).numpy()) for crop in crops.draw(2, SIDE, rng)[0])
    change = rng.uniform(-2, 2) if rng.random() < 0.5 else rng.normal(0, 0.3)
    exposures = np.array([0, change * rng.uniform(0.2, 0.8), change]) + rng.normal(0, 0.05, 3)
    tint = rng.normal(0, 0.15, 3) * change
    visible = cast_shadows(1, 2 * SIDE, torch_rng)[0, 0].numpy() if rng.random() < 0.5 else np.ones((2 * SIDE,) * 2)
    depth, step = rng.uniform(1, 2.5), rng.integers(-12, 13, 2)
    horizon = rng.uniform(0.15, 0.5) * SIDE + rng.normal(0, 12) * np.sin(np.arange(SIDE) / rng.uniform(10, 60))
    sky = (np.arange(SIDE)[:, None] < horizon)[..., None]
    clouds = [cloud_field(rng) for _ in range(2)]
    contrast, blue = rng.uniform(0.2, 1.2), np.array([0.35, 0.5, 0.8], np.float32)
    drift = rng.integers(5, 120)
    shots = []
    for number in range(3):
        y, x = (SIDE // 2 + number * step).tolist()
        lit = base * 2 ** (-depth * (1 - visible[y : y + SIDE, x : x + SIDE, None]) * [1, 0.9, 0.75])
        mixed = clouds[0] * (1 - number / 4) + clouds[1] * number / 4
        cover = np.roll(mixed, number * drift, 1)[:SIDE, :SIDE, None]
        lit = np.where(sky, blue * 2 ** (contrast * cover * [1.3, 1, 0.6]), lit)
        for _ in range(rng.integers(0, 12)):
            size = rng.integers(3, 16, 2)
            v, u = rng.integers(SIDE // 2, SIDE - size[0]), rng.integers(SIDE - size[1])
            lit[v : v + size[0], u : u + size[1]] = other[v : v + size[0], u : u + size[1]]
        shot = lit * 2 ** (exposures[number] + tint * number / 2) + rng.normal(0, 0.004, lit.shape)
        shots.append(encode_srgb(shot.clip(0, 1).astype(np.float32)))
    return [np.rint(shot * 255).astype(np.float32) / 255 for shot in shots]


def cloud_field(rng: np.random.Generator) -> Picture:
    """Return noise of many scales, of unit variance, (2 SIDE, 2 SIDE)."""
    field = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    for cells in (3, 6, 12, 24, 48):
        grid = rng.normal(size=(cells, cells)).astype(np.float32) / cells**0.8
        field += cv2.resize(grid, field.shape, interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / field.std()


def compared(network: RelightingModel, shots: list[Picture]) -> LeftOut:
    """Return what the middle one of three pictures says."""
    first, last = (Keyframe(shots[n], network, TileOptions(max_side=network.tile_size)) for n in (0, 2))
    pair = KeyframePair(first, last, lambda share: torch.lerp(first.light, last.light, share), TimelapseOptions())
    return left_out(shots[1], pair.fade(0.5), lambda way: pair.difference(way, 0.5))


def gained(found: LeftOut, weights: Values) -> float:
    """Return the share of a cross-fade's squared error that weights (bands, regions, ways) take off."""
    fitted = np.einsum("bri,brij,brj->", weights, found.squares, weights)
    return float(2 * (weights * found.products).sum() - fitted)


def main(
    photos: Annotated[Path, typer.Argument(help="A folder of photos to train with.")],
    days: Annotated[int, typer.Option(min=3)] = 60,
) -> None:
    """Print the weights, and the gain that they have over a cross-fade on each kind of day."""
    crops = PhotoCrops(split_photos(photos, fewest=9)[0])  # eight are held out
    network, rng = load_model("tiny", device="cpu").network, np.random.default_rng(0)
    made: dict[str, list[tuple[LeftOut, Values]]] = {"photos": [], "scenes": [], "nightfalls": []}

    def add(kind: str, shots: list[Picture]) -> None:
        made[kind].append((compared(network, shots), prior_weights(shots[0], shots[2])))

    for number in range(days):
        if number % 3:
            add("photos", made_day(crops, rng))
            continue
        seed, gap = FIRST_SCENE + number, int(rng.integers(1, 5))
        add("scenes", [developed(view) for view in linear_views(seed, [sun_at(seed, step * gap) for step in range(3)])])
        lights = [sun(0.8 * seed, 0.6, 5200 - 250 * n, 2.2 * 0.62**n, 0.75**n) for n in (0, gap, 2 * gap)]
        add("nightfalls", [developed(view) for view in linear_views(seed, lights)])
    fitted = [found for kind in ("photos", "scenes") for found, _ in made[kind]]
    weights = weights_of_picture(fitted, np.zeros((BANDS, len(WAYS))))
    print("bands x", WAYS, "\n", np.round(weights, 2).tolist())
    for kind, days_of_kind in made.items():
        gains = [gained(found, weights[:, None]) for found, _ in days_of_kind]
        print(kind, "of a cross-fade's squared error less:", np.round(np.quantile(gains, (0, 0.25, 0.5, 0.75, 1)), 3))
        gains = [gained(found, own) for found, own in days_of_kind]
        print(kind, "by prior_weights:", np.round(np.quantile(gains, (0, 0.25, 0.5, 0.75, 1)), 3))


if __name__ == "__main__":
    typer.run(main)
