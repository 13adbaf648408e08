"""How near relit pictures come to the truth, for `tiny`, a classical colour transfer and the untouched photo.

python benchmarks/quality.py [--photos DIR] [--views DIR] [--shots DIR]

--photos  photos that `tiny` was trained with: those held out are put under two made lights (256 x 256, 64 pairs)
--views   rendered views held out of the training (relight_cli.training.views with --first-seed 10000000)
--shots   photos of fixed views in several lights, named VIEW_1.png, VIEW_2.png ...; every shot lit by the next one

Each pair: the first picture relit by the second, against the second; mean PSNR in dB on 8-bit sRGB, mean SSIM on luma.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2gray, rgb2lab
from skimage.metrics import structural_similarity

from relight_cli.checkpoints import load_tiny
from relight_cli.imaging.photo import read_photo
from relight_cli.pipelines.light_change import ChangeOptions, TileOptions
from relight_cli.pipelines.relighting import ReferenceLight, relight
from relight_cli.training.pairs import Pairs, photo_pairs, view_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.views import RenderedViews

Picture = NDArray[np.float32]


def colour_transfer(picture: Picture, reference: Picture) -> Picture:
    """Give the picture the reference's mean and deviation in LAB (Reinhard et al. 2001)."""
    own, wanted = rgb2lab(picture), rgb2lab(reference)
    scaled = (own - own.mean((0, 1))) * wanted.std((0, 1)) / own.std((0, 1)).clip(1e-3) + wanted.mean((0, 1))
    return lab2rgb(scaled).astype(np.float32)


def made_pairs(pairs: Pairs) -> Iterator[tuple[Picture, Picture]]:
    """Give the pairs of a batch one by one, as pictures."""
    for a, b in zip(pairs.a, pairs.b, strict=True):
        yield a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy()


def shot_pairs(folder: Path) -> Iterator[tuple[Picture, Picture]]:
    """Give each shot of a view with the next shot of it."""
    shots = defaultdict(list)
    for path in sorted(folder.glob("*_[0-9]*.png")):
        shots[path.stem.rpartition("_")[0]].append(path)
    for paths in shots.values():
        pictures = [read_photo(path, max_pixels=10**8).to_srgb() for path in paths]
        for i, picture in enumerate(pictures):
            if len(pictures) > 1:
                yield picture, pictures[(i + 1) % len(pictures)]


def judge(pairs: Iterator[tuple[Picture, Picture]]) -> dict[str, tuple[float, float]]:
    """Give mean PSNR and SSIM of each way."""
    network, tiling = load_tiny(), TileOptions()
    scores = defaultdict(list)
    for picture, wanted in pairs:
        light = ReferenceLight(network, wanted, tiling)
        ways = {
            "untouched": picture,
            "LAB colour transfer": colour_transfer(picture, wanted),
            "tiny, --no-detail": relight(network, picture, light, ChangeOptions(detail=False), tiling),
            "tiny": relight(network, picture, light, ChangeOptions(), tiling),
        }
        for way, out in ways.items():
            rounded = np.rint(out.clip(0, 1) * 255) / 255
            psnr = -10 * np.log10(max(1e-10, ((rounded - wanted) ** 2).mean()))
            scores[way].append((psnr, structural_similarity(rgb2gray(rounded), rgb2gray(wanted), data_range=1)))
    return {way: tuple(np.mean(values, axis=0)) for way, values in scores.items()}


def main(
    photos: Annotated[Path | None, typer.Option()] = None,
    views: Annotated[Path | None, typer.Option()] = None,
    shots: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Print one table."""
    rng, sets = np.random.default_rng(77), {}
    with torch.no_grad():
        if photos:
            sets["held-out photos, made light"] = made_pairs(
                photo_pairs(PhotoCrops(split(photos)[1]), 64, 256, rng, "cpu")
            )
        if views:
            sets["held-out rendered views"] = made_pairs(view_pairs(RenderedViews(views), 64, 256, rng, "cpu"))
        if shots:
            sets["real shots of one view"] = shot_pairs(shots)
        for name, pairs in sets.items():
            print(f"\n| relight: {name} | PSNR | SSIM |\n|---|---|---|")
            for way, (psnr, ssim) in judge(pairs).items():
                print(f"| {way} | {psnr:.2f} | {ssim:.3f} |")


if __name__ == "__main__":
    typer.run(main)
