"""Measure how visible tile borders are and how near the picture is to the truth, by --tile-colour.

python benchmarks/seams.py [--scenes 16] [--width 2000] [--height 1500] [--keep DIR] [--real DIR] [--every N]

Renders scenes that no training has seen (--keep stores them), removes their shadows and computes their albedo with
`tiny` at full size, as with --max-side 0, and prints means over the scenes that contain a shadow. By default both go by
whole views, which have no tiles: the row `whole view` is scored where tiles would meet. The seam scores are
the mean step of the log gain across tile borders over its mean elsewhere, where the tiles meet unblended in the middle
of their overlap ("seam") and in the blended output ("blended"). PSNR is in dB (albedo scaled by one factor first),
without detail and with it. --real is the folder of the multi-shot set: every N-th pair of it is relit by latents alone
at full size, and the step of its log gain where tiles meet is printed, next to that of the true change of light.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from datasets import samples
from torch import Tensor

from relight_cli.checkpoints.models import load_model
from relight_cli.evaluation.methods import relit_picture
from relight_cli.evaluation.picture_metrics import encoded, psnr, scale_invariant
from relight_cli.evaluation.protocol import Sample
from relight_cli.evaluation.protocols import multishot_pairs
from relight_cli.models.interface import Model, RelightingModel
from relight_cli.rasters.resizing import Picture
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.gain import DARK, multiply_light
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.light_change import TileRun, channels_last, tile_grid, tile_log_gains
from relight_cli.relighting.lit_windows import light_grid
from relight_cli.relighting.mapping import map_picture
from relight_cli.relighting.options import ChangeOptions, ReferenceKind, RelightOptions, TileOptions
from relight_cli.relighting.tiles import TileGrid, stitch_tiles
from relight_cli.training.scenes.scenes import SceneOptions, render_views

FIRST_SEED = 10_500_000  # far above the seeds of the training and of the views held out of it
NO_SHADOW = 50.0  # dB; above this PSNR the untouched picture is as good as the truth


def scene(seed: int, height: int, width: int, keep: Path | None) -> tuple[Picture, dict[str, Picture]]:
    """Return one rendered scene: the picture, rounded to 8-bit sRGB, and the truth for each mapper."""
    path = keep / f"{seed}_{width}x{height}.npz" if keep else None
    if path and path.exists():
        layers = np.load(path)["layers"].astype(np.float32)
    else:
        views = render_views(seed, 1, SceneOptions(size=(height, width), lights=1))
        albedo, lit, free = views.albedo[0], views.shading[0, 0], views.shadow_free[0, 0]
        layers = torch.stack((albedo * lit, albedo * free, albedo)).permute(0, 2, 3, 1).numpy()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, layers=layers.astype(np.float16))
    photo, free, albedo = (encoded(layer) for layer in layers)
    return (np.rint(photo * 255) / 255).astype(np.float32), {"shadow": free, "albedo": albedo}


def middles(first: list[int], tile: int, length: int) -> list[int]:
    """Return where tiles meet along one side: the ends, and the middle of each overlap."""
    return [0, *((here + tile + after) // 2 for here, after in itertools.pairwise(first)), length]


def seam_score(log_gain: Picture, grid: TileGrid) -> float:
    """Return the mean step of the log gain between pixels across tile borders, over its mean elsewhere."""
    luma = log_gain.mean(axis=2)
    across, elsewhere = [], []
    for axis, first, length in ((0, grid.rows, grid.height), (1, grid.columns, grid.width)):
        step = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        borders = np.asarray(middles(first, grid.tile, length)[1:-1], int) - 1
        across.extend(step[borders])
        elsewhere.extend(np.delete(step, borders))
    return float(np.mean(across) / max(1e-9, np.mean(elsewhere)))


def mosaic(grid: TileGrid, tiles: list[Picture]) -> Picture:
    """Return the picture put together from tiles without blending."""
    out = np.zeros((max(grid.height, grid.tile), max(grid.width, grid.tile), 3), np.float32)
    down, across = middles(grid.rows, grid.tile, len(out)), middles(grid.columns, grid.tile, out.shape[1])
    for index, tile in enumerate(tiles):
        row, column = divmod(index, len(grid.columns))
        y, x = (slice(*ends[i : i + 2]) for ends, i in ((down, row), (across, column)))
        top, left = grid.rows[row], grid.columns[column]
        out[y, x] = tile[y.start - top : y.stop - top, x.start - left : x.stop - left]
    return out[: grid.height, : grid.width]


def scores(
    network: RelightingModel, picture: Picture, truth: Picture, mapper: str
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the scores of the untouched picture, of whole views and of tiles."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return network.map_illumination(mapper, intrinsic, own)

    def psnr_of(made: Picture) -> float:
        made = made.clip(0, 1)
        return psnr(scale_invariant(made, truth) if mapper == "albedo" else made, truth)

    tiling = TileOptions()
    grid = tile_grid(network, picture, ChangeOptions(), tiling)
    run = TileRun(network, target, ChangeOptions(), tiling, lambda done: None)
    pairs = [
        (channels_last(relit), tile_log_gains(relit, own))
        for relit, own in run.tiles(picture, grid, lambda *both: both)
    ]
    raw, log_gains = ([tile for pair in pairs for tile in pair[i]] for i in (0, 1))
    blended = stitch_tiles(grid, log_gains)
    yield "untouched", {"seam": np.nan, "blended": np.nan, "--no-detail": np.nan, "PSNR": psnr_of(picture)}
    yield "whole view", whole_view_scores(network, picture, mapper, grid, psnr_of)
    yield (
        "--tile-colour free",
        {
            "seam": seam_score(mosaic(grid, log_gains), grid),
            "blended": seam_score(blended, grid),
            "--no-detail": psnr_of(stitch_tiles(grid, raw)),
            "PSNR": psnr_of(multiply_light(picture, blended)),
        },
    )


def whole_view_scores(
    network: RelightingModel, picture: Picture, mapper: str, grid: TileGrid, psnr_of: Callable[[Picture], float]
) -> dict[str, float]:
    """Return the scores of whole views, where the tiles of a grid would meet."""
    made = to_array(map_picture(network, picture, mapper, ChangeOptions(), TileOptions(agree=True)))
    seam = seam_score(np.log2((to_linear(made) + DARK) / (to_linear(picture) + DARK)), grid)
    return {"seam": seam, "blended": seam, "--no-detail": np.nan, "PSNR": psnr_of(made)}


def relight_scores(model: Model, pairs: list[Sample]) -> Iterator[tuple[float, float]]:
    """Yield the seam scores of pictures relit by latents alone, and of their true change of light."""
    options = RelightOptions(reference=ReferenceKind.LATENTS, max_side=0)
    for pair in pairs:
        made = relit_picture(model, pair.picture, pair.truth, options).clip(0, 1)
        own = to_linear(pair.picture) + DARK
        grid = light_grid(model.network, pair.picture, ChangeOptions(), TileOptions())
        made_gain, true_gain = (np.log2((to_linear(picture) + DARK) / own) for picture in (made, pair.truth))
        yield seam_score(made_gain, grid), seam_score(true_gain, grid)


def main(
    scenes: int = 16,
    width: int = 2000,
    height: int = 1500,
    keep: Annotated[Path | None, typer.Option(help="Folder of rendered scenes; existing ones are used.")] = None,
    real: Annotated[Path | None, typer.Option(help="Folder of the multi-shot set.")] = None,
    every: Annotated[int, typer.Option(help="Of its pairs.")] = 6,
) -> None:
    """Print one table for each mapper, and the seam of relight by latents."""
    pairs = list(samples(multishot_pairs.PROTOCOL, real))[::every] if real else []
    model = load_model("tiny", device="cpu")
    network, table = model.network, defaultdict(lambda: defaultdict(list))
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        picture, truths = scene(seed, height, width, keep)
        if psnr(picture, truths["shadow"]) > NO_SHADOW:
            continue
        for mapper, truth in truths.items():
            for method, score in scores(network, picture, truth, mapper):
                table[mapper][method].append(score)
                typer.echo(f"{seed} {mapper} {method} { ({n: round(x, 2) for n, x in score.items()}) }", err=True)
    for mapper, methods in table.items():
        first = next(iter(methods.values()))
        columns, size = list(first[0]), f"{width} x {height}"
        print(f"\n| {mapper}, {len(first)} scenes, {size} | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
        for method, rows in methods.items():
            means = (np.mean([row[column] for row in rows]) for column in columns)
            print(f"| {method} | {' | '.join('' if np.isnan(m) else f'{m:.2f}' for m in means)} |")
    if pairs:
        made, true = np.mean(list(relight_scores(model, pairs)), axis=0)
        print(f"\nrelight by latents, {len(pairs)} real shots: seam {made:.2f}, of the true change of light {true:.2f}")


if __name__ == "__main__":
    typer.run(main)
