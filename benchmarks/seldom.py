"""Run relight-cli with a network that computes only a few batches of tiles and repeats their results for all others.

python benchmarks/seldom.py relight PHOTO ...

This measures the peak memory of large photos in little time: photo, bands, tiles and network are real, and so are the
activations of the first batches. The output picture is meaningless.
"""

from collections import Counter
from dataclasses import replace

import torch

from relight_cli.checkpoints import models
from relight_cli.cli import main
from relight_cli.models.interface import Model, RelightingModel

BATCHES = 2  # of each size that pass through each part of the network
CHEAP = ("adapt_illumination",)  # parts that are always computed


class Seldom:
    """A `RelightingModel` that computes the first calls of each part, and then returns the last result again."""

    def __init__(self, network: RelightingModel) -> None:
        self._network = network
        self._calls: Counter[tuple[object, ...]] = Counter()
        self._results: dict[tuple[object, ...], object] = {}

    def __getattr__(self, name: str) -> object:
        found = getattr(self._network, name)
        if not callable(found) or name in CHEAP:
            return found

        def part(*arguments: object) -> object:
            key = name, *(one.shape if isinstance(one, torch.Tensor) else one for one in arguments)
            self._calls[key] += 1
            if self._calls[key] <= BATCHES:
                self._results[key] = found(*arguments)
            return self._results[key]

        return part


load = models.load_model


def load_model(*arguments: object, **options: object) -> Model:
    """Load a model whose network computes seldom."""
    loaded = load(*arguments, **options)
    return replace(loaded, network=Seldom(loaded.network))


if __name__ == "__main__":
    models.load_model = load_model  # commands import it when they run
    main()
