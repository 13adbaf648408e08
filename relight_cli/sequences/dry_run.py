"""--dry-run of videos: what would be read and made, and what it costs, from one keyframe and one frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from relight_cli.jobs.dry_run import Estimate, print_cost, print_line
from relight_cli.jobs.memory import device_peak, peak_memory
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.sequences.video import VideoRun


def print_plan(jobs: Sequence[Job], files: Mapping[str, Path], options: CommandOptions) -> bool:
    """Print what would be read, made and skipped; return whether anything would be made."""
    for name, path in files.items():
        print_line("read", f"{path} ({name.replace('_', ' ')})")
    for job in jobs:
        what = "skip" if job.skip else "replace" if job.target.exists() else "make"
        print_line(what, f"{job.source} -> {job.target}")
    if options.report:
        print_line("write", str(options.report))
    return not all(job.skip for job in jobs)


def print_cost_of(videos: "Sequence[VideoRun]", model: "Model") -> None:
    """Print the model, and how long the frames of all videos take."""
    seconds, count = 0.0, 0
    for video in videos:
        facts = video.facts
        print_line("", f"{facts.path}: {facts.count} frames of {facts.width} x {facts.height}, {video.encoding.codec}")
        seconds += _seconds(video)
        count += facts.count
    print_line("model", f"{model.name}, on {model.device}")
    print_cost(Estimate(seconds, peak_memory(), device_peak(model.device)), count, "frame")
    print_line("", "the time is without the encoding of the video")


def _seconds(video: "VideoRun") -> float:
    """Return how long a video takes without encoding, from its first frame made twice: the first time prepares."""
    from relight_cli.relighting.moving_light import EVERY
    from relight_cli.sequences.video import first_frame

    frame, keyframe, each = first_frame(video), 0.0, 0.0
    for _ in range(2):
        began = perf_counter()
        stops = video.light.estimate(frame)
        estimated = perf_counter()
        frame.lit(stops)
        keyframe, each = estimated - began, perf_counter() - estimated
    count = max(1, video.facts.count)
    return count * each + (1 + count / (video.light.every or EVERY)) * keyframe
