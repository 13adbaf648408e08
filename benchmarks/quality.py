"""Compare `tiny`, the untouched photo and a classical method with the truth, for every task.

python benchmarks/quality.py [--photos DIR] [--views DIR] [--real DIR] [--only relight|deshadow|albedo]

--photos  folder of the photos that `tiny` was trained with: those held out are put under made light (64 crops, 256 x
          256)
--views   rendered views held out of the training (relight_cli.training.views with --first-seed 10000000), each whole
--real    real photos: shadow/VIEW_1.png ... and VIEW_free.png (the view without cast shadows), objects/ of the MIT
          intrinsic images, albedo/NAME_image.png with NAME_albedo.png

Scores of pictures rounded to 8-bit sRGB, by the code of 'relight-cli evaluate', means over pictures: PSNR in dB, also
inside and outside the shadow, SSIM of luma, mean absolute LAB error. `lit by the truth` is the oracle: the picture
under the truth's own illumination latent. Albedo is scaled by one factor first; LMSE as in Grosse et al. 2009.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from baselines import colour_transfer, lab_deshadow, retinex
from datasets import made_photos, mapped, pairs_to_relight, rendered_views, samples, unsound_shots

from relight_cli.checkpoints.models import load_model
from relight_cli.evaluation.methods import mapped_picture, relit_picture
from relight_cli.evaluation.picture_metrics import picture_scores, psnr
from relight_cli.evaluation.protocol import Picture, Sample, in_8_bits
from relight_cli.evaluation.protocols import mit, multishot, multishot_pairs, sintel
from relight_cli.evaluation.shadow_scores import shadow_scores
from relight_cli.models.interface import Model
from relight_cli.relighting.options import AlbedoOptions, DeshadowOptions, ReferenceKind, RelightOptions

Methods = dict[str, Callable[[Sample], Picture]]
Score = Callable[[Sample, Picture], dict[str, float]]
Scores = dict[str, dict[str, float]]  # by method
LATENTS = RelightOptions(reference=ReferenceKind.LATENTS)
RAW_LATENTS = RelightOptions(reference=ReferenceKind.LATENTS, detail=False)
ALL = DeshadowOptions(threshold=0)
MAPPINGS = {"shadow": DeshadowOptions, "albedo": AlbedoOptions}
# Thresholds of colour retinex, grey and chromaticity, the best for each set in hindsight: of grey .075, .2, .4, .8 with
# chromaticity .075, and grey .8 with .03 (every eighth view; film frames: grey .075 and .2, chromaticity .075 and .03).
RETINEX = {"held-out rendered views": (0.4, 0.075), "film frames": (0.2, 0.03), "real objects": (0.8, 0.075)}
# Deviations below the mean from which LAB statistics take a pixel for a shadow: the best of 0, a third (as published),
# two thirds and 1 on the real shots.
LAB_DEVIATIONS = 2 / 3
WORSE_BY = 0.5  # dB; pictures that become worse than the untouched ones by more are listed


def print_scores(
    title: str, pictures: Iterator[Sample], methods: Methods, score: Score, unsound: Collection[str] = ()
) -> None:
    """Print the mean scores of each method, and again for pictures with a sound truth if not all have one."""
    scored: list[tuple[Sample, Scores]] = []
    for known in pictures:
        scored.append((known, {method: score(known, in_8_bits(make(known))) for method, make in methods.items()}))
    print_means(title, scored)
    sound = [(known, scores) for known, scores in scored if known.name not in unsound]
    if len(sound) < len(scored):
        print_means(f"{title}, their truth without left-over shadows", sound)


def print_means(title: str, scored: list[tuple[Sample, Scores]]) -> None:
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


def score_picture(known: Sample, picture: Picture) -> dict[str, float]:
    """Return the scores of a picture."""
    return picture_scores(picture, known.truth)


def retinex_for(name: str) -> tuple[str, Callable[[Sample], Picture]]:
    """Return the colour retinex, with its name, for the pictures of a set, or for their objects alone."""
    grey, chroma = RETINEX[name]

    def method(known: Sample) -> Picture:
        return retinex(known.picture, None if known.shading is None else known.mask, grey, chroma)

    return f"colour retinex, thresholds {grey:g} and {chroma:g}", method


def judge_relight(tiny: Model, sets: dict[str, Iterator[Sample]]) -> None:
    """Print the tables of relight, and the scores of pictures that must not change."""
    methods: Methods = {
        "untouched": lambda k: k.picture,
        "LAB colour transfer": lambda k: colour_transfer(k.picture, k.truth),
        "tiny, --no-detail": lambda k: relit_picture(tiny, k.picture, k.truth, RAW_LATENTS),
        "tiny": lambda k: relit_picture(tiny, k.picture, k.truth, LATENTS),
    }

    def lit(picture: Picture, light: Picture) -> Picture:
        return relit_picture(tiny, picture, light, LATENTS)

    for name, known in sets.items():
        kept = list(known)
        print_scores(f"relight: {name}", iter(kept), methods, score_picture)
        own = [psnr(in_8_bits(lit(k.picture, k.picture)), k.picture) for k in kept]
        back = [psnr(in_8_bits(lit(lit(k.picture, k.truth), k.picture)), k.picture) for k in kept]
        print(f"\nunder its own light: {np.mean(own):.2f} dB; lit by the other and back: {np.mean(back):.2f} dB")


def mapping_methods(tiny: Model, task: str, classical: tuple[str, Callable[[Sample], Picture]]) -> Methods:
    """Return the methods of deshadow or albedo."""
    return {
        "untouched": lambda k: k.picture,
        classical[0]: classical[1],
        "tiny, lit by the truth": lambda k: relit_picture(tiny, k.picture, k.truth, LATENTS),
        "tiny, --no-detail": lambda k: mapped_picture(tiny, task, k.picture, MAPPINGS[task](detail=False)),
        "tiny": lambda k: mapped_picture(tiny, task, k.picture, MAPPINGS[task]()),
    }


def main(
    photos: Annotated[Path | None, typer.Option()] = None,
    views: Annotated[Path | None, typer.Option()] = None,
    real: Annotated[Path | None, typer.Option()] = None,
    only: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Print the tables."""
    tiny = load_model("tiny", device="cpu")
    made, rendered = (made_photos(photos) if photos else None), (rendered_views(views) if views else None)
    relit, deshadowed, albedo = {}, {}, {}
    unsound = unsound_shots(real / "shadow") if real else frozenset()
    if made:
        relit["held-out photos, made light"] = pairs_to_relight(made)
        deshadowed["held-out photos, made shadows"] = mapped(made, made.to_free[0])
    if rendered:
        relit["held-out rendered views"] = pairs_to_relight(rendered)
        deshadowed["held-out rendered views"] = mapped(rendered, rendered.to_free[0])
        albedo["held-out rendered views"] = mapped(rendered, rendered.to_white[0])
    if real:
        relit["real shots of one view"] = samples(multishot_pairs.PROTOCOL, real / "shadow")
        deshadowed["real shots"] = samples(multishot.PROTOCOL, real / "shadow")
        albedo["film frames"] = samples(sintel.PROTOCOL, real / "albedo")
    with torch.inference_mode():
        if only in (None, "relight"):
            judge_relight(tiny, relit)
        if only in (None, "deshadow"):
            methods = mapping_methods(
                tiny, "shadow", ("LAB statistics", lambda k: lab_deshadow(k.picture, LAB_DEVIATIONS))
            )
            last = methods.pop("tiny")
            methods |= {"tiny, --threshold 0": lambda k: mapped_picture(tiny, "shadow", k.picture, ALL), "tiny": last}
            for name, known in deshadowed.items():
                print_scores(f"deshadow: {name}", known, methods, shadow_scores, unsound)
            if real:
                free = {
                    k.name.rpartition("_")[0]: Sample(k.name, k.truth, k.truth)
                    for k in samples(multishot.PROTOCOL, real / "shadow")
                }
                title = "deshadow: without cast shadows, against itself"
                print_scores(title, iter(free.values()), methods, score_picture, unsound)
        if only in (None, "albedo"):
            for name, known in albedo.items():
                print_scores(
                    f"albedo: {name}", known, mapping_methods(tiny, "albedo", retinex_for(name)), sintel.albedo_scores
                )
            if real:
                methods = mapping_methods(tiny, "albedo", retinex_for("real objects"))
                del methods["tiny, lit by the truth"]
                print_scores(
                    "albedo: real objects", samples(mit.PROTOCOL, real / "objects"), methods, mit.object_scores
                )


if __name__ == "__main__":
    typer.run(main)
