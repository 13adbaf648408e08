"""How near `tiny` comes to the truth, beside the untouched photo and a classical method, for every task.

python benchmarks/quality.py [--photos DIR] [--views DIR] [--real DIR] [--only relight|deshadow|albedo]

--photos  photos that `tiny` was trained with: those held out are put under made light (64 crops, 256 x 256)
--views   rendered views held out of the training (relight_cli.training.views with --first-seed 10000000), each to_array
--real    real photos: shadow/VIEW_1.png ... and VIEW_free.png (one view without cast shadows), objects/ of the MIT
          intrinsic images, albedo/NAME_image.png with NAME_albedo.png

On pictures rounded to 8-bit sRGB: PSNR in dB, also inside and outside the shadow, SSIM of luma, mean absolute LAB
error; means over pictures. `lit by the truth` is the oracle: the picture under the truth's own illumination latent.
Albedo is scaled by one factor first; LMSE as Grosse et al. 2009.
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
from relight_cli.rasters.resizing import Picture
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.layers import linear
from relight_cli.relighting.light_change import ChangeOptions, TileOptions
from relight_cli.relighting.mapping import map_picture
from relight_cli.relighting.relight import ReferenceLight, relight

Ways = dict[str, Callable[[Known], Picture]]
Scores = dict[str, dict[str, float]]  # of each way
RAW, DETAIL = ChangeOptions(detail=False), ChangeOptions()
WORSE_BY = 0.5  # dB by which a picture may be worse than the untouched one before it is named


class Tiny:
    """The embedded network as the commands use it."""

    def __init__(self) -> None:
        self.network = load_tiny()
        self.tiling = TileOptions(max_side=self.network.max_side, agree=True)
        self.by_reference = TileOptions(max_side=self.network.reference_side)

    def lit(self, picture: Picture, light: Picture, change: ChangeOptions = DETAIL) -> Picture:
        """Relight a picture by another."""
        reference = ReferenceLight(self.network, light, self.by_reference)
        return to_array(relight(self.network, picture, reference, change, self.by_reference))

    def without(self, what: str, picture: Picture, change: ChangeOptions = DETAIL) -> Picture:
        """Map a picture's own light."""
        return to_array(map_picture(self.network, picture, what, change, self.tiling))


def rounded(picture: Picture) -> Picture:
    """Round to 8 bits."""
    return (np.rint(picture.clip(0, 1) * 255) / 255).astype(np.float32)


def table(title: str, known: Iterator[Known], ways: Ways, score: Callable[[Known, Picture], dict[str, float]]) -> None:
    """Print the mean scores of each way, and once more of the pictures with a sound truth where others have none."""
    scored: list[tuple[Known, Scores]] = []
    for one in known:
        scored.append((one, {way: score(one, rounded(make(one))) for way, make in ways.items()}))
    print_means(title, scored)
    sound = [(one, scores) for one, scores in scored if one.sound]
    if len(sound) < len(scored):
        print_means(f"{title}, their truth without left-over shadows", sound)


def print_means(title: str, scored: list[tuple[Known, Scores]]) -> None:
    """Print a table; where there is a PSNR, name the pictures that the last way makes worse."""
    ways = scored[0][1]
    columns = list(next(iter(ways.values())))
    print(f"\n| {title} ({len(scored)}) | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for way in ways:
        means = (np.nanmean([scores[way][column] for _, scores in scored]) for column in columns)
        print(f"| {way} | {' | '.join(f'{m:.2f}' if m > 1.5 else f'{m:.3f}' for m in means)} |", flush=True)
    if "PSNR" in columns:
        first, last = next(iter(ways)), list(ways)[-1]
        worse = [one.name for one, scores in scored if scores[last]["PSNR"] < scores[first]["PSNR"] - WORSE_BY]
        print(f"\nworse than the first line by more than {WORSE_BY} dB: {len(worse)} {' '.join(worse)}")


def nearness(known: Known, picture: Picture) -> dict[str, float]:
    """Score all of a picture."""
    return {
        "PSNR": psnr(picture, known.truth),
        "SSIM": ssim(picture, known.truth),
        "LAB": lab_error(picture, known.truth),
    }


def shadow_nearness(known: Known, picture: Picture) -> dict[str, float]:
    """Score a picture, its shadow and the rest."""
    inside = known.mask if known.mask is not None and known.mask.any() else None
    scores = nearness(known, picture)
    for name, mask in {"in shadow": inside, "outside": None if known.mask is None else ~known.mask}.items():
        there = mask is not None and mask.any()
        scores[f"PSNR {name}"] = psnr(picture, known.truth, mask) if there else np.nan
        scores[f"LAB {name}"] = lab_error(picture, known.truth, mask) if there else np.nan
    return scores


def albedo_nearness(known: Known, picture: Picture) -> dict[str, float]:
    """Score an albedo whose scale is not known."""
    return nearness(known, rounded(scale_invariant(picture, known.truth)))


def object_nearness(known: Known, picture: Picture) -> dict[str, float]:
    """Score an object's albedo, and its shading as the picture over it."""
    assert known.mask is not None
    assert known.shading is not None
    light, albedo = (linear(x).mean(axis=2) for x in (known.picture, picture))
    shading = light / albedo.clip(1e-3)
    errors = local_error(known.truth.mean(axis=2), albedo, known.mask), local_error(known.shading, shading, known.mask)
    return {"LMSE": sum(errors) / 2, "LMSE albedo": errors[0], "LMSE shading": errors[1]}


def retinex_of(known: Known) -> Picture:
    """Give the colour retinex of all of a picture, or of its object."""
    return retinex(known.picture, None if known.shading is None else known.mask)


def judge_relight(tiny: Tiny, sets: dict[str, Iterator[Known]]) -> None:
    """Print the tables of relight, and of what must not change."""
    ways: Ways = {
        "untouched": lambda k: k.picture,
        "LAB colour transfer": lambda k: colour_transfer(k.picture, k.truth),
        "tiny, --no-detail": lambda k: tiny.lit(k.picture, k.truth, RAW),
        "tiny": lambda k: tiny.lit(k.picture, k.truth),
    }
    for name, known in sets.items():
        kept = list(known)
        table(f"relight: {name}", iter(kept), ways, nearness)
        own = [psnr(rounded(tiny.lit(k.picture, k.picture)), k.picture) for k in kept]
        back = [psnr(rounded(tiny.lit(tiny.lit(k.picture, k.truth), k.picture)), k.picture) for k in kept]
        print(f"\nunder its own light: {np.mean(own):.2f} dB; lit by the other and back: {np.mean(back):.2f} dB")


def mapping_ways(tiny: Tiny, what: str, classical: tuple[str, Callable[[Known], Picture]]) -> Ways:
    """Give the ways of deshadow and albedo."""
    return {
        "untouched": lambda k: k.picture,
        classical[0]: classical[1],
        "tiny, lit by the truth": lambda k: tiny.lit(k.picture, k.truth),
        "tiny, --no-detail": lambda k: tiny.without(what, k.picture, RAW),
        "tiny": lambda k: tiny.without(what, k.picture),
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
            ways = mapping_ways(tiny, "shadow", ("LAB statistics", lambda k: lab_deshadow(k.picture)))
            for name, known in deshadowed.items():
                table(f"deshadow: {name}", known, ways, shadow_nearness)
            if real:
                free = {
                    k.name.rpartition("_")[0]: Known(k.name, k.truth, k.truth, sound=k.sound)
                    for k in shots_to_deshadow(real / "shadow")
                }
                table("deshadow: without cast shadows, against itself", iter(free.values()), ways, nearness)
        if only in (None, "albedo"):
            ways = mapping_ways(tiny, "albedo", ("colour retinex", retinex_of))
            for name, known in albedo.items():
                table(f"albedo: {name}", known, ways, albedo_nearness)
            if real:
                del ways["tiny, lit by the truth"]
                table("albedo: real objects", objects(real / "objects"), ways, object_nearness)


if __name__ == "__main__":
    typer.run(main)
