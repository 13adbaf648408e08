"""Measure how long a network takes for a tile."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relight_cli.models.interface import Model
from relight_cli.relighting.light_change import Target, change_light
from relight_cli.relighting.options import ChangeOptions, TileOptions

Pixels = NDArray[np.float32]  # (H, W, 3)
WARM_UP = 1.0  # seconds; a shorter first pass is mostly preparation, and a second one is measured


def seconds_per_tile(model: Model, target: Target, clock: Callable[[], float] = time.monotonic) -> float:
    """Return the seconds that the model takes for one tile of noise in the light of `target`.

    As many tiles as in a run are computed at a time (`Model.workers`), each on as many threads.
    """

    def change(tiles: Pixels, tiling: TileOptions) -> None:
        change_light(model.network, tiles, target, ChangeOptions(), tiling)[slice(0, len(tiles))]

    return seconds_of_work(model, change, clock)


def seconds_of_work(
    model: Model, work: Callable[[Pixels, TileOptions], object], clock: Callable[[], float] = time.monotonic
) -> float:
    """Return the seconds that work on a row of tiles of noise takes for each of them; see `seconds_per_tile`."""
    first = _seconds(model, work, clock)
    return first if first >= WARM_UP else _seconds(model, work, clock)


def _seconds(model: Model, work: Callable[[Pixels, TileOptions], object], clock: Callable[[], float]) -> float:
    side = model.network.tile_size
    tiles = np.random.default_rng(0).random((side, side * model.workers, 3), np.float32)
    tiling = TileOptions(overlap=0, batch=1, device=model.device, workers=model.workers)
    began = clock()
    work(tiles, tiling)
    return (clock() - began) / model.workers
