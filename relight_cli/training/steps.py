"""The steps of a training run on a CPU: their learning rate, and a loop that logs, evaluates and saves."""

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from relight_cli.training.run_folder import Recipe, RunFolder

WARM_UP = 40  # steps
EVALUATED = 4  # of so many lines of the log, one has figures on held-out pictures


class Steps(Protocol):
    """A run that `take_steps` goes on with."""

    step: int
    recipe: Recipe
    folder: RunFolder


def learning_rate(step: int, steps: int, highest: float) -> float:
    """Return the rate: it rises over the first steps, then falls along a cosine to a fiftieth."""
    return highest * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1, step / steps))))


def take_steps(
    run: Steps,
    advance: Callable[[float], dict[str, float]],
    evaluate: Callable[[], dict[str, float]],
    *,
    steps: int,
    minutes: float,
    rate: float,
    log_every: int,
) -> dict[str, Any]:
    """Train until the schedule of so many steps or the minutes end; return the log's last line, also of a finished run.

    `advance` gets a learning rate, takes one step and returns losses; not every step has all of them.
    """
    started, losses, figures = time.monotonic(), list[dict[str, float]](), run.folder.last_record(run.step)
    done = run.step >= steps
    while not done:
        losses.append(advance(learning_rate(run.step, steps, rate)))
        seconds = time.monotonic() - started
        done = run.step >= steps or seconds > 60 * minutes
        if done or run.step % log_every == 0:
            names = {name: None for part in losses for name in part}
            means = {name: round(float(np.mean([part[name] for part in losses if name in part])), 4) for name in names}
            figures = {"step": run.step, "seconds": round(seconds), "processor": round(time.process_time())} | means
            if done or run.step % (EVALUATED * log_every) == 0:
                figures |= evaluate()
            run.folder.save(run.step, run.recipe, figures)
            losses.clear()
    return figures
