"""The pictures of a run: what is trained on, and what is held out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from relight_cli.errors import PhotoUnreadableError
from relight_cli.training.crocodilight.config import PairsConfig, TrainConfig
from relight_cli.training.crocodilight.layouts import Scene, read_scenes
from relight_cli.training.crocodilight.samples import Pictures, Sample, samples_of

NEEDS = {
    "croco": "two pictures of one view",
    "decoder": "pictures",
    "light": "two pictures of one view",
    "shadow": "pictures with and without cast shadows",
    "albedo": "pictures with their albedo",
}


@dataclass(frozen=True)
class Found:
    """A folder, its layout and its scenes."""

    pairs: PairsConfig
    layout: str
    scenes: list[Scene]


@dataclass(frozen=True)
class Data:
    """The samples of a run."""

    found: list[Found]
    train: list[Sample]
    held_out: list[Sample]
    cache_mb: int

    @cached_property
    def pictures(self) -> Pictures:
        """What reads the pictures, with one memory for all."""
        return Pictures(self.cache_mb)


def find_pairs(pairs: tuple[PairsConfig, ...]) -> list[Found]:
    """Return the scenes of each folder. Raises PhotoUnreadableError for one without any."""
    return [Found(one, *read_scenes(one.folder, one.layout)) for one in pairs]


def data_of(config: TrainConfig, notify: Callable[[str], None]) -> Data:
    """Find the pictures of a run and hold some scenes out. Raises PhotoUnreadableError if there are none.

    Scenes are held out whole, chosen by the seed from all folders; never more than a quarter.
    """
    found = find_pairs(config.pairs)
    usable = []
    for one in found:
        scenes = [scene for scene in one.scenes if samples_of(config.stage, [scene])]
        if not scenes:
            raise PhotoUnreadableError(
                f"{one.pairs.folder}: has {len(one.scenes)} scenes in the layout {one.layout}, but none with "
                f"{NEEDS[config.stage]}, which train {config.stage} needs; remove it from the configuration"
            )
        notify(f"{one.pairs.folder}: {len(scenes)} scenes, layout {one.layout}")
        usable += [(scene, one.pairs.repeat) for scene in scenes]
    count = min(config.log.held_out, len(usable) // 4)
    out = set(np.random.default_rng(config.schedule.seed).permutation(len(usable))[:count].tolist())
    kept = [scene for n, (scene, repeat) in enumerate(usable) if n not in out for _ in range(repeat)]
    held = [usable[n][0] for n in sorted(out)]
    first_of_each = [samples_of(config.stage, [scene])[0] for scene in held]
    return Data(found, samples_of(config.stage, kept), first_of_each, config.machine.cache_mb)
