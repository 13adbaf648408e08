"""How visible the borders of tiles are, and how near the picture comes to the truth, with colours agreed and without.

python benchmarks/seams.py [--scenes 16] [--width 2000] [--height 1500] [--keep DIR]

Renders scenes that no training has seen (--keep stores them), makes each shadow-free and albedo with `tiny` at full
size, as with --max-side 0, and prints means over the scenes that hold a shadow: the mean step of the log gain across
tile borders over its mean elsewhere, both where the tiles meet unblended in the middle of their overlap ("seam") and in
the blended output ("blended"); PSNR in dB (albedo scaled by one factor first), without detail and with it.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from metrics import encoded, psnr, scale_invariant
from torch import Tensor

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.tiny import Tiny
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.gain import multiply_light
from relight_cli.relighting.light_change import (
    ChangeOptions,
    TileOptions,
    TileRun,
    as_tiles,
    coarse_grid,
    gains,
    tile_grid,
)
from relight_cli.relighting.tiles import TileGrid, stitch_tiles
from relight_cli.training.scenes.scenes import SceneOptions, render_views

FIRST_SEED = 10_500_000  # far above those of the training and of the views held out of it
NOTHING_TO_DO = 50.0  # dB from which the untouched picture is as good as the truth


def scene(seed: int, height: int, width: int, keep: Path | None) -> tuple[Picture, dict[str, Picture]]:
    """Render one scene: the picture, rounded to 8-bit sRGB, and what each mapper should make of it."""
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
    """Give where tiles meet along one side: the ends, and the middle of each overlap."""
    return [0, *((here + tile + after) // 2 for here, after in itertools.pairwise(first)), length]


def steps(stops: Picture, grid: TileGrid) -> float:
    """Give the mean step of the log gain between neighbours across tile borders, over its mean elsewhere."""
    luma = stops.mean(axis=2)
    across, elsewhere = [], []
    for axis, first, length in ((0, grid.rows, grid.height), (1, grid.columns, grid.width)):
        step = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        borders = np.asarray(middles(first, grid.tile, length)[1:-1], int) - 1
        across.extend(step[borders])
        elsewhere.extend(np.delete(step, borders))
    return float(np.mean(across) / max(1e-9, np.mean(elsewhere)))


def mosaic(grid: TileGrid, tiles: list[Picture]) -> Picture:
    """Put tiles together without a blend."""
    put = np.zeros((max(grid.height, grid.tile), max(grid.width, grid.tile), 3), np.float32)
    down, across = middles(grid.rows, grid.tile, len(put)), middles(grid.columns, grid.tile, put.shape[1])
    for index, tile in enumerate(tiles):
        row, column = divmod(index, len(grid.columns))
        y, x = (slice(*ends[i : i + 2]) for ends, i in ((down, row), (across, column)))
        top, left = grid.rows[row], grid.columns[column]
        put[y, x] = tile[y.start - top : y.stop - top, x.start - left : x.stop - left]
    return put[: grid.height, : grid.width]


def scores(network: Tiny, picture: Picture, truth: Picture, mapper: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the scores of each way."""

    def target(grid: TileGrid, indices: range, intrinsic: Tensor, own: Tensor) -> Tensor:
        return network.map_illumination(mapper, intrinsic, own)

    def near(made: Picture) -> float:
        made = made.clip(0, 1)
        return psnr(scale_invariant(made, truth) if mapper == "albedo" else made, truth)

    tiling = TileOptions(agree=True)
    grid = tile_grid(network, picture, ChangeOptions(), tiling)
    run = TileRun(network, target, ChangeOptions(), tiling, lambda done: None)
    pairs = [(as_tiles(relit), gains(relit, own)) for relit, own in run.tiles(picture, grid)]
    raw, stops = ([tile for pair in pairs for tile in pair[i]] for i in (0, 1))
    coarse = coarse_grid(network, grid, tiling)
    assert coarse
    colour = run.colour(picture, grid, coarse)
    corrections = list(colour.corrections(stops))
    yield "untouched", {"seam": np.nan, "blended": np.nan, "--no-detail": np.nan, "PSNR": near(picture)}
    for name, added in {"free": [np.zeros_like(tile) for tile in stops], "agree": corrections}.items():
        agreed = [tile + correction for tile, correction in zip(stops, added, strict=True)]
        decoded = [multiply_light(tile, correction) for tile, correction in zip(raw, added, strict=True)]
        blended = stitch_tiles(grid, agreed)
        yield (
            f"--tile-colour {name}",
            {
                "seam": steps(mosaic(grid, agreed), grid),
                "blended": steps(blended, grid),
                "--no-detail": near(stitch_tiles(grid, decoded)),
                "PSNR": near(multiply_light(picture, blended)),
            },
        )


def main(
    scenes: int = 16,
    width: int = 2000,
    height: int = 1500,
    keep: Annotated[Path | None, typer.Option(help="Folder of rendered scenes; those there are taken.")] = None,
) -> None:
    """Print one table for each mapper."""
    network, table = load_tiny(), defaultdict(lambda: defaultdict(list))
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        picture, truths = scene(seed, height, width, keep)
        if psnr(picture, truths["shadow"]) > NOTHING_TO_DO:
            continue
        for mapper, truth in truths.items():
            for way, score in scores(network, picture, truth, mapper):
                table[mapper][way].append(score)
                typer.echo(f"{seed} {mapper} {way} { ({n: round(x, 2) for n, x in score.items()}) }", err=True)
    for mapper, ways in table.items():
        first = next(iter(ways.values()))
        columns, size = list(first[0]), f"{width} x {height}"
        print(f"\n| {mapper}, {len(first)} scenes, {size} | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
        for way, rows in ways.items():
            means = (np.mean([row[column] for row in rows]) for column in columns)
            print(f"| {way} | {' | '.join('' if np.isnan(m) else f'{m:.2f}' for m in means)} |")


if __name__ == "__main__":
    typer.run(main)
