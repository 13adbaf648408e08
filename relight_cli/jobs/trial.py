"""Estimate what a batch costs from one photo of it, with the network on a few tiles of a small copy."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import RelightError
from relight_cli.jobs.dry_run import DryRun, Estimate, Size
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.memory import device_peak, peak_memory
from relight_cli.jobs.reading import read_input
from relight_cli.photos.formats import format_of
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_layers, write_photo

if TYPE_CHECKING:
    from relight_cli.jobs.options import LightCommandOptions, PhotoCommandOptions
    from relight_cli.jobs.outputs import Job
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.models.interface import Model

COPY = 1.4  # longer side of the small copy, in tiles: two tiles of a usual photo
WARM_UP = 2.0  # seconds; a shorter trial is mostly preparation, and a second one is measured
Make = Callable[[Photo, "LightCommandOptions", str], list[Photo | LayeredPhoto]]
"""Takes a photo, options and its name; returns it in another light, and its layers. Rows may be made when read."""
Settle = Callable[[Photo], "LightCommandOptions"]


@dataclass(frozen=True)
class Trial:
    """What the first readable photo took."""

    options: "LightCommandOptions"  # of the run: --budget has chosen its --max-side
    size: Size
    seconds: float  # of reading, gain and writing, without tiles
    tile: float  # seconds of one tile
    before: int | None  # peak memory of the process in bytes without the photo
    after: int | None
    decoded: int  # bytes of the photo in memory
    device_memory: int | None


def estimate(plan: DryRun, model: "Model", cost: "TileCost", settle: Settle, make: Make) -> Estimate | None:
    """Return what the photos of a plan cost; those that turn out to be unreadable are moved to `plan.failed`.

    `settle` gets the first photo and returns the options of all. Returns None if no photo can be read.

    Time: the tiles of each photo, timed on two, and reading, gain and writing in proportion to its pixels. Memory:
    what the first photo took, in proportion to the pixels of the largest, and the next photo, which is read meanwhile.
    """
    trial = _first_readable(plan, model, cost, settle, make)
    if trial is None:
        return None
    options = trial.options
    sizes = [size or trial.size for size in plan.sizes.values()]
    tiles = [_tiles(model, cost, options, size) for size in sizes]
    shares = sorted(math.prod(size) / math.prod(trial.size) for size in sizes)
    seconds = sum(tiles) * trial.tile + sum(shares) * trial.seconds
    memory = None
    if trial.before is not None and trial.after is not None:
        next_one = int(trial.decoded * shares[-2]) if shares[1:] else 0
        memory = trial.before + int((trial.after - trial.before) * shares[-1]) + next_one
    return Estimate(seconds, memory, "two tiles", trial.device_memory)


def _first_readable(plan: DryRun, model: "Model", cost: "TileCost", settle: Settle, make: Make) -> Trial | None:
    for job in plan.to_make:
        before, began = peak_memory(), time.perf_counter()
        try:
            photo = read_input(job.source, plan.options, plan.options.page)
        except RelightError as error:
            plan.failed.append(error)
            del plan.sizes[job.source]
            continue
        reading, held = time.perf_counter() - began, peak_memory()
        tile, timed = cost.seconds(model, photo), peak_memory()
        if before is not None and held is not None and timed is not None:
            before += timed - held  # what tiles take does not grow with photos
        options = settle(photo)
        changing = _seconds_without_tiles(job, photo, model, cost, options, make, tile)
        size: Size = (photo.pixels.shape[0], photo.pixels.shape[1])
        decoded = math.prod(photo.pixels.shape) * photo.pixels.dtype.itemsize
        after = peak_memory()
        return Trial(options, size, reading + changing, tile, before, after, decoded, device_peak(model.device))
    return None


def _seconds_without_tiles(
    job: "Job",
    photo: Photo,
    model: "Model",
    cost: "TileCost",
    options: "LightCommandOptions",
    make: Make,
    tile: float,
) -> float:
    """Make a photo with a small copy for the network and write it to nowhere; return the seconds besides tiles."""
    side = small_side(model, options.max_side, cost.best_side(model))
    small = replace(options, max_side=side, budget=None) if options.detail else options
    size: Size = (photo.pixels.shape[0], photo.pixels.shape[1])
    tiles = _tiles(model, cost, small, size)
    if not options.detail and tiles > 2:  # the raw picture of the network: all else is small beside its tiles
        return 0.0
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for made, path in zip(make(photo, small, str(job.source)), (job.target, *job.extras), strict=True):
            write_nowhere(made, path, options)
        seconds = time.perf_counter() - began
        if seconds > WARM_UP:
            break
    return max(0.0, seconds - tiles * tile)


def small_side(model: "Model", wanted: int | None, best: int) -> int:
    """Return the longer side of a copy of about two tiles, or of the smaller copy that a run makes."""
    return min(side for side in (wanted, best, round(COPY * model.network.tile_size)) if side)


def write_nowhere(photo: Photo | LayeredPhoto, path: Path, options: "PhotoCommandOptions") -> None:
    """Encode a photo, or layers, as for a file called `path`, and keep nothing."""
    kind = None if path == STDIO else format_of(path)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        if isinstance(photo, LayeredPhoto):
            write_layers(photo, nowhere, effort=options.effort)
            return
        write_photo(photo, nowhere, format=kind, quality=options.quality, effort=options.effort)


def _tiles(model: "Model", cost: "TileCost", options: "LightCommandOptions", size: Size) -> int:
    """Return the tiles of a photo of a size; none if nothing changes."""
    if options.strength == 0 and options.detail:
        return 0
    import numpy as np

    blank = Photo(np.broadcast_to(np.uint8(0), (*size, 3)))
    return cost.tiles(model, blank, options.max_side)
