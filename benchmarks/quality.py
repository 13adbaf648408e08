"""Compare `tiny`, the untouched photo and a classical method with the truth, for every task.

python benchmarks/quality.py [--photos DIR] [--views DIR] [--real DIR] [--only relight|deshadow|albedo]

--photos  folder of the photos that `tiny` was trained with: those held out are put under made light (64 crops, 256 x
          256)
--views   rendered views held out of the training (relight_cli.training.views with --first-seed 10000000), each whole
--real    real photos: shadow/VIEW_1.png ... and VIEW_free.png (the view without cast shadows), objects/ of the MIT
          intrinsic images, albedo/NAME_image.png with NAME_albedo.png

Scores of pictures rounded to 8-bit sRGB, means over pictures: PSNR in dB, also inside and outside the shadow, SSIM of
luma, mean absolute LAB error. `lit by the truth` is the oracle: the picture under the truth's own illumination latent.
Albedo is scaled by one factor first; LMSE as in Grosse et al. 2009.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from baselines import colour_transfer, lab_deshadow, retinex
from datasets import (
    Known,
    films,
    made_photos,
    mapped,
    objects,
    pairs_to_relight,
    rendered_views,
    shots_to_deshadow,
    shots_to_relight,
)
from metrics import lab_error, local_error, psnr, scale_invariant, ssim

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import Picture
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.mapping import map_picture
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.relight import ReferenceLight, relight_picture

Methods = dict[str, Callable[[Known], Picture]]
Scores = dict[str, dict[str, float]]  # by method
RAW, DETAIL, BEST = ChangeOptions(detail=False), ChangeOptions(), ChangeOptions(threshold=None)
# Thresholds of colour retinex, grey and chromaticity, the best for each set in hindsight: of grey .075, .2, .4, .8 with
# chromaticity .075, and grey .8 with .03 (every eighth view; film frames: grey .075 and .2, chromaticity .075 and .03).
RETINEX = {"held-out rendered views": (0.4, 0.075), "film frames": (0.2, 0.03), "real objects": (0.8, 0.075)}
# Deviations below the mean from which LAB statistics take a pixel for a shadow: the best of 0, a third (as published),
# two thirds and 1 on the real shots.
LAB_DEVIATIONS = 2 / 3
WORSE_BY = 0.5  # dB; pictures that become worse than the untouched ones by more are listed


class Tiny:
    """The embedded network, run as the commands run it."""

    def __init__(self) -> None:
        self.network = load_tiny()
        self.tiling = TileOptions(max_side=self.network.max_side, agree=True)
        self.by_reference = TileOptions(max_side=self.network.reference_side)

    def lit(self, picture: Picture, light: Picture, change: ChangeOptions = DETAIL) -> Picture:
        """Return a picture in the light of another."""
        reference = ReferenceLight(Photo(light))
        return to_array(relight_picture(self.network, picture, reference, change, self.by_reference))

    def mapped(self, mapper: str, picture: Picture, change: ChangeOptions = BEST) -> Picture:
        """Return a picture under its own light, mapped."""
        return to_array(map_picture(self.network, picture, mapper, change, self.tiling))


def rounded(picture: Picture) -> Picture:
    """Return a picture rounded to 8 bits."""
    return (np.rint(picture.clip(0, 1) * 255) / 255).astype(np.float32)


def print_scores(
    title: str, pictures: Iterator[Known], methods: Methods, score: Callable[[Known, Picture], dict[str, float]]
) -> None:
    """Print the mean scores of each method, and again for pictures with a sound truth if not all have one."""
    scored: list[tuple[Known, Scores]] = []
    for known in pictures:
        scored.append((known, {method: score(known, rounded(make(known))) for method, make in methods.items()}))
    print_means(title, scored)
    sound = [(known, scores) for known, scores in scored if known.sound]
    if len(sound) < len(scored):
        print_means(f"{title}, their truth without left-over shadows", sound)


def print_means(title: str, scored: list[tuple[Known, Scores]]) -> None:
    """Print a table; if it has a PSNR, list the pictures that the last method makes worse."""
    methods = scored[0][1]
    columns = list(next(iter(methods.values())))
    print(f"\n| {title} ({len(scored)}) | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for method in methods:
        means = (np.nanmean([scores[method][column] for _, scores in scored]) for column in columns)
        print(f"| {method} | {' | '.join(f'{m:.2f}' if m > 1.5 else f'{m:.3f}' for m in means)} |", flush=True)
    if "PSNR" in columns:
        first, last = next(iter(methods)), list(methods)[-1]
        worse = [known.name for known, scores in scored if scores[last]["PSNR"] < scores[first]["PSNR"] - WORSE_BY]
        print(f"\nworse than the first line by more than {WORSE_BY} dB: {len(worse)} {' '.join(worse)}")


def score_picture(known: Known, picture: Picture) -> dict[str, float]:
    """Return the scores of a picture."""
    return {
        "PSNR": psnr(picture, known.truth),
        "SSIM": ssim(picture, known.truth),
        "LAB": lab_error(picture, known.truth),
    }


def score_shadow(known: Known, picture: Picture) -> dict[str, float]:
    """Return the scores of a picture, of its shadow and of the rest."""
    inside = known.mask if known.mask is not None and known.mask.any() else None
    scores = score_picture(known, picture)
    for name, mask in {"in shadow": inside, "outside": None if known.mask is None else ~known.mask}.items():
        exists = mask is not None and mask.any()
        scores[f"PSNR {name}"] = psnr(picture, known.truth, mask) if exists else np.nan
        scores[f"LAB {name}"] = lab_error(picture, known.truth, mask) if exists else np.nan
    return scores


def score_albedo(known: Known, picture: Picture) -> dict[str, float]:
    """Return the scores of an albedo, whose scale is unknown."""
    return score_picture(known, rounded(scale_invariant(picture, known.truth)))


def score_object(known: Known, picture: Picture) -> dict[str, float]:
    """Return the scores of an object's albedo, and of its shading: the picture divided by the albedo."""
    assert known.mask is not None
    assert known.shading is not None
    light, albedo = (to_linear(x).mean(axis=2) for x in (known.picture, picture))
    shading = light / albedo.clip(1e-3)
    errors = local_error(known.truth.mean(axis=2), albedo, known.mask), local_error(known.shading, shading, known.mask)
    return {"LMSE": sum(errors) / 2, "LMSE albedo": errors[0], "LMSE shading": errors[1]}


def retinex_for(name: str) -> tuple[str, Callable[[Known], Picture]]:
    """Return the colour retinex, with its name, for the pictures of a set, or for their objects alone."""
    grey, chroma = RETINEX[name]

    def method(known: Known) -> Picture:
        return retinex(known.picture, None if known.shading is None else known.mask, grey, chroma)

    return f"colour retinex, thresholds {grey:g} and {chroma:g}", method


def judge_relight(tiny: Tiny, sets: dict[str, Iterator[Known]]) -> None:
    """Print the tables of relight, and the scores of pictures that must not change."""
    methods: Methods = {
        "untouched": lambda k: k.picture,
        "LAB colour transfer": lambda k: colour_transfer(k.picture, k.truth),
        "tiny, --no-detail": lambda k: tiny.lit(k.picture, k.truth, RAW),
        "tiny": lambda k: tiny.lit(k.picture, k.truth),
    }
    for name, known in sets.items():
        kept = list(known)
        print_scores(f"relight: {name}", iter(kept), methods, score_picture)
        own = [psnr(rounded(tiny.lit(k.picture, k.picture)), k.picture) for k in kept]
        back = [psnr(rounded(tiny.lit(tiny.lit(k.picture, k.truth), k.picture)), k.picture) for k in kept]
        print(f"\nunder its own light: {np.mean(own):.2f} dB; lit by the other and back: {np.mean(back):.2f} dB")


def mapping_methods(tiny: Tiny, mapper: str, classical: tuple[str, Callable[[Known], Picture]]) -> Methods:
    """Return the methods of deshadow or albedo."""
    return {
        "untouched": lambda k: k.picture,
        classical[0]: classical[1],
        "tiny, lit by the truth": lambda k: tiny.lit(k.picture, k.truth),
        "tiny, --no-detail": lambda k: tiny.mapped(mapper, k.picture, RAW),
        "tiny": lambda k: tiny.mapped(mapper, k.picture),
    }


def main(
    photos: Annotated[Path | None, typer.Option()] = None,
    views: Annotated[Path | None, typer.Option()] = None,
    real: Annotated[Path | None, typer.Option()] = None,
    only: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Print the tables."""
    tiny = Tiny()
    made, rendered = (made_photos(photos) if photos else None), (rendered_views(views) if views else None)
    relit, deshadowed, albedo = {}, {}, {}
    if made:
        relit["held-out photos, made light"] = pairs_to_relight(made)
        deshadowed["held-out photos, made shadows"] = mapped(made, made.to_free[0])
    if rendered:
        relit["held-out rendered views"] = pairs_to_relight(rendered)
        deshadowed["held-out rendered views"] = mapped(rendered, rendered.to_free[0])
        albedo["held-out rendered views"] = mapped(rendered, rendered.to_white[0])
    if real:
        relit["real shots of one view"] = shots_to_relight(real / "shadow")
        deshadowed["real shots"] = shots_to_deshadow(real / "shadow")
        albedo["film frames"] = films(real / "albedo")
    with torch.inference_mode():
        if only in (None, "relight"):
            judge_relight(tiny, relit)
        if only in (None, "deshadow"):
            methods = mapping_methods(
                tiny, "shadow", ("LAB statistics", lambda k: lab_deshadow(k.picture, LAB_DEVIATIONS))
            )
            last = methods.pop("tiny")
            methods |= {"tiny, --threshold 0": lambda k: tiny.mapped("shadow", k.picture, DETAIL), "tiny": last}
            for name, known in deshadowed.items():
                print_scores(f"deshadow: {name}", known, methods, score_shadow)
            if real:
                free = {
                    k.name.rpartition("_")[0]: Known(k.name, k.truth, k.truth, sound=k.sound)
                    for k in shots_to_deshadow(real / "shadow")
                }
                title = "deshadow: without cast shadows, against itself"
                print_scores(title, iter(free.values()), methods, score_picture)
        if only in (None, "albedo"):
            for name, known in albedo.items():
                print_scores(f"albedo: {name}", known, mapping_methods(tiny, "albedo", retinex_for(name)), score_albedo)
            if real:
                methods = mapping_methods(tiny, "albedo", retinex_for("real objects"))
                del methods["tiny, lit by the truth"]
                print_scores("albedo: real objects", objects(real / "objects"), methods, score_object)


if __name__ == "__main__":
    typer.run(main)
