"""--dry-run of videos: what would be read and made, and what it costs, from one keyframe and one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from relight_cli.jobs.dry_run import Estimate, print_cost, print_line
from relight_cli.jobs.memory import device_peak, peak_memory
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.relighting.moving_light import EVERY
from relight_cli.sequences.frames import PhotoFrame, VideoFrame
from relight_cli.sequences.light import FrameLight

if TYPE_CHECKING:
    from relight_cli.models.interface import Model


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


@dataclass(frozen=True)
class Trial:
    """One frame of a video or a sequence, on which the time is measured."""

    name: str
    frame: PhotoFrame | VideoFrame
    count: int  # of frames
    light: FrameLight

    def seconds(self) -> float:
        """Return how long all frames take without encoding, from one made twice: the first time prepares."""
        keyframe, each = 0.0, 0.0
        for _ in range(2):
            began = perf_counter()
            stops = self.light.estimate(self.frame)
            estimated = perf_counter()
            self.frame.lit(stops)
            keyframe, each = estimated - began, perf_counter() - estimated
        return self.count * each + (1 + self.count / (self.light.every or EVERY)) * keyframe


def print_cost_of(trials: Sequence[Trial], model: "Model") -> None:
    """Print the model, and how long the frames of all videos take."""
    for trial in trials:
        print_line("", trial.name)
    seconds, count = sum(trial.seconds() for trial in trials), sum(trial.count for trial in trials)
    print_line("model", f"{model.name}, on {model.device}")
    cost = Estimate(seconds, peak_memory(), "a keyframe and a frame", device_peak(model.device))
    print_cost(cost, count, "frame")
    print_line("", "the time is without encoding")
