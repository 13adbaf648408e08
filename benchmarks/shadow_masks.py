"""Compare the masks of `deshadow --mask-only` with the shadows that are known, and its probabilities with how often.

python benchmarks/shadow_masks.py [--photos DIR] [--views DIR] [--real DIR]

The folders are those of quality.py. Of masks, a pixel counts as shadow from one half on: intersection over union and
balanced error (the mean of the share of shadow that is missed and of light that is taken for shadow), over the pixels
of all pictures. Of probabilities: the same, the expected calibration error (ten bins), and how often pixels of each bin
are shadow. The baseline is LAB statistics as published.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from baselines import lab_shadow
from datasets import made_photos, mapped, rendered_views, samples, unsound_shots
from numpy.typing import NDArray

import relight_cli as rl
from relight_cli.evaluation.protocol import Mask, Sample
from relight_cli.evaluation.protocols import multishot
from relight_cli.relighting.shadow_mask import mask_photo
from relight_cli.relighting.whole_view import THRESHOLD

BINS = np.linspace(0, 1, 11)
Values = NDArray[np.float32]


def overlap(values: Values, truth: Mask) -> tuple[float, float]:
    """Return intersection over union and balanced error of values from one half on."""
    found = values >= 0.5
    missed, taken = (~found)[truth].mean(), found[~truth].mean()
    return (found & truth).sum() / max(1, (found | truth).sum()), (missed + taken) / 2


def calibration(values: Values, truth: Mask) -> tuple[float, list[str]]:
    """Return the expected calibration error, and how often the pixels of each bin are shadow."""
    number = np.digitize(values, BINS[1:-1])
    error, shares = 0.0, []
    for one in range(len(BINS) - 1):
        inside = number == one
        if inside.any():
            error += inside.mean() * abs(float(values[inside].mean()) - truth[inside].mean())
        shares.append(f"{truth[inside].mean():.2f} ({inside.mean():.1%})" if inside.any() else "")
    return error, shares


def judge(
    title: str,
    pictures: Iterable[Sample],
    methods: dict[str, Callable[[Sample], Values]],
    unsound: Collection[str] = (),
) -> None:
    """Print the table of a set, and that of its pictures with a sound truth if not all have one."""
    known = [k for k in pictures if k.mask is not None]
    groups = {"": known, ", a sound truth": [k for k in known if k.name not in unsound]}
    found: dict[str, dict[str, Values]] = {name: {} for name in methods}
    for one in known:
        for name, method in methods.items():
            found[name][one.name] = method(one)
    for group, members in groups.items():
        if group and len(members) == len(known):
            continue
        truth = np.concatenate([np.ravel(np.asarray(k.mask)) for k in members])
        print(f"\n| {title}{group} ({len(members)}) | IoU | balanced error | ECE |\n|---|---|---|---|")
        for name, values in found.items():
            flat = np.concatenate([values[k.name].ravel() for k in members])
            iou, balanced = overlap(flat, truth)
            error, shares = calibration(flat, truth)
            print(f"| {name} | {iou:.3f} | {balanced:.3f} | {error:.3f} |", flush=True)
        print(f"\nshadow, of pixels that the last line gives 0 to .1, .1 to .2 ...: {', '.join(shares)}")


def main(
    photos: Annotated[Path | None, typer.Option()] = None,
    views: Annotated[Path | None, typer.Option()] = None,
    real: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Print the tables."""
    made, rendered = (made_photos(photos) if photos else None), (rendered_views(views) if views else None)
    shots = samples(multishot.PROTOCOL, real / "shadow") if real else None
    model = rl.load_model("tiny")

    @lru_cache(maxsize=1)  # which needs the pictures one after the other
    def found(picture: bytes, height: int) -> rl.ShadowMask:
        pixels = np.frombuffer(picture, np.float32).reshape(height, -1, 3)
        return rl.shadow_mask(model, rl.Photo.from_array(pixels))

    def mask(known: Sample, threshold: float = THRESHOLD) -> rl.ShadowMask:
        one = found(known.picture.astype(np.float32).tobytes(), len(known.picture))
        cover = one.found.cover(one.copy, threshold)
        return replace(one, photo=mask_photo(one.original, cover, one.copy, None))

    def values(photo: rl.Photo) -> Values:
        return photo.pixels[slice(0, photo.pixels.shape[0])][..., 0].astype(np.float32) / np.float32(65535)

    methods = {
        "LAB statistics": lambda k: lab_shadow(k.picture).astype(np.float32),
        "--mask-only --threshold 0": lambda k: values(mask(k, 0).photo),
        "--mask-only": lambda k: values(mask(k).photo),
        "--mask-only --threshold .6": lambda k: values(mask(k, 0.6).photo),
        "--mask-only --probability": lambda k: values(mask(k).probability),
    }
    if made:
        judge("held-out photos, made shadows", mapped(made, made.to_free[0]), methods)
    if rendered:
        judge("held-out rendered views", mapped(rendered, rendered.to_free[0]), methods)
    if real and shots:
        judge("real shots", shots, methods, unsound_shots(real / "shadow"))


if __name__ == "__main__":
    typer.run(main)
