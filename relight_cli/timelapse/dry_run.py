"""--dry-run of sequences: what would be read and made, and what it costs, from two frames made on a small copy."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.jobs.console import notifier
from relight_cli.jobs.dry_run import Estimate, print_cost, print_line
from relight_cli.jobs.memory import device_peak, peak_memory
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.trial import small_side, write_nowhere
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.writers import Writer

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.timelapse.sequence_proof import SequenceProof
    from relight_cli.timelapse.timelapse import FrameResult


def print_sequence(
    read: Iterable[Path | None], writer: Writer, count: int, options: PhotoCommandOptions, more: Path | None = None
) -> int:
    """Print what a sequence of `count` frames reads and writes; return how many frames it would make."""
    for path in dict.fromkeys(read):
        if path:
            print_line("read", str(path))
    to_make = [number for number in range(count) if not (writer.finished or writer.is_made(number))]
    if count - len(to_make):
        print_line("skip", f"{count - len(to_make)} frames in {writer.path}")
    if to_make:
        what = "replace" if os.path.lexists(writer.target(to_make[0])) else "make"
        names = "" if writer.is_single_file else f", from {writer.target(to_make[0]).name} on"
        print_line(what, f"{len(to_make)} frames in {writer.path}{names}")
    for path in (options.report, options.compare, more):
        if path:
            print_line("write", str(path))
    return len(to_make)


def print_work(model: "Model | None", cost: Estimate, count: int, *, encoded: bool) -> None:
    """Print the model, and what `count` frames cost."""
    print_line("model", f"{model.name}, on {model.device}" if model else "none")
    print_cost(cost, count, "frame")
    if not encoded:
        print_line("", "the time is without the encoding of the video")


def on_small_copy(options: TimelapseOptions, model: "Model | None") -> TimelapseOptions:
    """Return the options with a small copy for the network, which frames are timed on."""
    if model is None or not options.detail:
        return options
    return replace(options, max_side=small_side(model, options.max_side, model.network.max_side))


def print_frame_cost(
    frames: Frames,
    planned: Sequence[OutputFrame],
    make: "Callable[[OutputFrame], FrameResult | None]",
    model: "Model | None",
    chosen: TimelapseOptions,
    options: PhotoCommandOptions,
    writer: Writer,
    proof: "SequenceProof",
) -> None:
    """Print the model, and what the planned frames cost; for the arguments see `frame_cost`."""
    target = None if writer.is_single_file else writer.target(0)
    cost = frame_cost(frames, planned, make, model, chosen, options, target, proof)
    print_work(model, cost, len(planned), encoded=target is not None)


def frame_cost(
    frames: Frames,
    planned: Sequence[OutputFrame],
    make: "Callable[[OutputFrame], FrameResult | None]",
    model: "Model | None",
    chosen: TimelapseOptions,
    options: PhotoCommandOptions,
    target: Path | None,
    proof: "SequenceProof",
) -> Estimate:
    """Return what the planned frames cost; `make` makes one on a small copy, `target` names the format of frames.

    The `proof` of the sequence is made once; then it is known whether the network makes frames.

    Raises PhotoUnreadableError if none of the first frames can be made.
    """
    new = [frame for frame in planned if frame.keyframe is None] or list(planned)
    raw = model is not None and not chosen.detail  # the picture of the network: all else is small beside its tiles
    seconds = 0.0 if raw else _seconds_of_second([*new[:2], new[0]][:2], make, frames, options, target)
    if model and (proof.uses_network or chosen.deflicker):
        from relight_cli.relighting.relight import relighting_seconds

        tile = relighting_seconds(model)
        small = 0 if raw else _tiles(model, frames, on_small_copy(chosen, model))
        seconds = max(0.0, seconds - small * tile) + _tiles(model, frames, chosen) * tile
    device_memory = device_peak(model.device) if model else None
    return Estimate(proof.seconds + seconds * len(new), peak_memory(), "a frame", device_memory)


def _seconds_of_second(
    wanted: Sequence[OutputFrame],
    make: "Callable[[OutputFrame], FrameResult | None]",
    frames: Frames,
    options: PhotoCommandOptions,
    target: Path | None,
) -> float:
    """Make the first frames and return the seconds of the last: the first one also prepares the work."""
    seconds, photo = 0.0, None
    for frame in wanted:
        began = time.perf_counter()
        made = make(frame)
        if made is None:
            notifier(options.quiet)("a frame next to an unreadable one is not timed.")
            continue
        photo = photo or frames.reader()(made.template)
        if target:
            write_nowhere(photo.with_srgb(made.picture), target, options)
        seconds = time.perf_counter() - began
    return seconds


def _tiles(model: "Model", frames: Frames, chosen: TimelapseOptions) -> int:
    import numpy as np

    from relight_cli.relighting.light_change import tile_count
    from relight_cli.relighting.options import change_options
    from relight_cli.timelapse.timelapse import sequence_tiling

    blank = np.broadcast_to(np.float32(0), (frames.height, frames.width, 3))
    return tile_count(model.network, blank, change_options(chosen), sequence_tiling(model, chosen))
