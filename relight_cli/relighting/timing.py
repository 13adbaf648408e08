"""Measure how long a network takes for a tile."""

import time
from collections.abc import Callable

import numpy as np

from relight_cli.models.interface import Model
from relight_cli.relighting.light_change import Target, change_light
from relight_cli.relighting.options import ChangeOptions, TileOptions

WARM_UP = 1.0  # seconds; a shorter first pass is mostly preparation, and a second one is measured


def seconds_per_tile(model: Model, target: Target, clock: Callable[[], float] = time.monotonic) -> float:
    """Return the seconds that the model takes for one tile of noise in the light of `target`.

    As many tiles as in a run are computed at a time (`Model.workers`), each on as many threads.
    """
    first = _seconds(model, target, clock)
    return first if first >= WARM_UP else _seconds(model, target, clock)


def _seconds(model: Model, target: Target, clock: Callable[[], float]) -> float:
    side = model.network.tile_size
    tiles = np.random.default_rng(0).random((side, side * model.workers, 3), np.float32)
    tiling = TileOptions(overlap=0, batch=1, device=model.device, workers=model.workers)
    began = clock()
    change_light(model.network, tiles, target, ChangeOptions(), tiling)[slice(0, side)]
    return (clock() - began) / model.workers
