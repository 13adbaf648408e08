"""How long photos take: say so when it is long, and choose --max-side so that a photo takes a given time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relight_cli.jobs.options import PhotoCommandOptions

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.options import Progress

LADDER = (512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)  # sizes that --budget chooses from, below the best
LONG = 60.0  # seconds of a photo, above which its time is said


@dataclass(frozen=True)
class TileCost:
    """What a command's photos cost."""

    tiles: Callable[["Model", "Photo", int | None], int]  # through the network, at a --max-side
    best_side: Callable[["Model"], int]  # the network's --max-side; 0: full size
    seconds: Callable[["Model", "Photo"], float]  # of one tile, given the first photo


@dataclass(frozen=True)
class Choice:
    """The --max-side that a budget allows."""

    max_side: int | None  # None: the network's best
    tiles: int
    seconds: float


def rungs(best_side: int) -> list[int | None]:
    """Return the sizes that --budget chooses from, the smallest first; the last is the network's best."""
    return [*(side for side in LADDER if not best_side or side < best_side), None]


def choose_side(cost: TileCost, model: "Model", photo: "Photo", budget: float) -> Choice:
    """Return the largest size at which a photo takes at most `budget` seconds, or else the smallest size.

    Sizes that do not make the photo smaller count as the network's best.
    """
    seconds = cost.seconds(model, photo)
    longer = max(photo.pixels.shape[:2])
    sides = [side for side in rungs(cost.best_side(model)) if side is None or side < longer]
    choices = [Choice(side, tiles, tiles * seconds) for side in sides for tiles in [cost.tiles(model, photo, side)]]
    return next((choice for choice in reversed(choices) if choice.seconds <= budget), choices[0])


def budget_note(choice: Choice, budget: float) -> str:
    """Return the note on a choice, which holds for all photos of a run."""
    size = "the network's own size" if choice.max_side is None else f"--max-side {choice.max_side}"
    more = ", the least" if choice.seconds > budget else ""
    return f"--budget {budget:g}: {size}, {tile_text(choice.tiles)}, about {duration(choice.seconds)} a photo{more}."


def tile_text(tiles: int) -> str:
    """Return a number of tiles in words."""
    return "1 tile" if tiles == 1 else f"{tiles} tiles"


def duration(seconds: float) -> str:
    """Return a duration in words, rounded: `43 seconds`, `34 minutes`, `2.5 hours`."""
    if seconds < 90:
        number, unit = max(1, round(seconds)), "second"
    elif seconds < 90 * 60:
        number, unit = round(seconds / 60), "minute"
    else:
        return f"{seconds / 3600:.1f} hours"
    return f"{number} {unit}{'s' * (number != 1)}"


@dataclass
class LongRunNote:
    """Says once in a run how long a photo takes, after its first tiles, if it is long."""

    options: PhotoCommandOptions
    notify: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    said: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def watch(self, name: str, model: "Model", progress: "Progress") -> "Progress":
        """Return a progress callback that also measures, from now on, and says the time of the photo `name`."""
        began = self.clock()
        measured = self.said

        def watched(done: int, total: int) -> None:
            nonlocal measured
            if not measured and done:
                measured = True
                self._say(name, model, total, (self.clock() - began) / done * total)
            progress(done, total)

        return watched

    def _say(self, name: str, model: "Model", tiles: int, seconds: float) -> None:
        with self._lock:  # photos may be computed at the same time
            if seconds < LONG or self.said:
                return
            self.said = True
        where = "this CPU" if model.device == "cpu" else model.device
        self.notify(f"{name}: {tile_text(tiles)}, about {duration(seconds)} on {where}{self._remedy(model)}.")

    def _remedy(self, model: "Model") -> str:
        side = self.options.max_side
        if not self.options.detail or getattr(self.options, "budget", None) is not None:
            return ""
        if side:
            return "; a smaller --max-side shortens it"
        smaller = "a smaller --max-side" if model.network.max_side else "--max-side 1024"
        return f"; {smaller} or --budget 60 shortens it"
