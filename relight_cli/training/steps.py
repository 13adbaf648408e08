"""A stage of a training run on a CPU: its learning rates, and a loop that logs, evaluates and saves."""

import math
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from relight_cli.training.run_folder import Recipe, RunFolder

WARM_UP = 40  # steps of a short run
EVALUATED = 4  # of so many lines of the log, one has figures on held-out pictures


class Steps(Protocol):
    """A run that goes on."""

    step: int
    recipe: Recipe
    folder: RunFolder


@dataclass(frozen=True)
class Schedule:
    """The steps of a stage."""

    steps: int  # of the learning rates, and of the run
    batch: int
    rate: float  # the highest
    seed: int


def code_revision() -> str | None:
    """Return the git revision of this code, with a + if files differ from it; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    answers = [
        subprocess.run([*git, *words], capture_output=True, text=True) for words in (["rev-parse", "HEAD"], ["diff"])
    ]
    if any(answer.returncode for answer in answers):
        return None
    return answers[0].stdout.strip() + ("+" if answers[1].stdout else "")


def learning_rate(step: int, steps: int, highest: float, warm_up: int = WARM_UP) -> float:
    """Return the rate: it rises over the first `warm_up` steps, then falls along a cosine to a fiftieth."""
    return highest * min(1.0, (step + 1) / warm_up) * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1, step / steps))))


def begin_stage(run: Steps, steps: int, facts: Mapping[str, Any]) -> None:
    """Add a stage up to step `steps` to the recipe of a run, unless it is finished: what `facts` say, the revision."""
    if run.step < steps:
        run.recipe.append({"from_step": run.step, "steps": steps, **facts, "revision": code_revision()})


def take_steps(
    run: Steps,
    schedule: Schedule,
    source: Mapping[str, Any],
    advance: Callable[[float], dict[str, float]],
    evaluate: Callable[[], dict[str, float]],
    *,
    minutes: float,
    log_every: int,
) -> dict[str, Any]:
    """Train until the schedule or the minutes end; return the log's last line, also of a finished run.

    Its recipe gets a stage, see `begin_stage`: the schedule and `source`, what is learned from.
    `advance` gets a learning rate, takes one step and returns losses; not every step has all of them.
    """
    begin_stage(run, schedule.steps, {**asdict(schedule), **source})
    started, losses, figures = time.monotonic(), list[dict[str, float]](), run.folder.last_record(run.step)
    done = run.step >= schedule.steps
    while not done:
        losses.append(advance(learning_rate(run.step, schedule.steps, schedule.rate)))
        seconds = time.monotonic() - started
        done = run.step >= schedule.steps or seconds > 60 * minutes
        if done or run.step % log_every == 0:
            names = {name: None for part in losses for name in part}
            means = {name: round(float(np.mean([part[name] for part in losses if name in part])), 4) for name in names}
            figures = {"step": run.step, "seconds": round(seconds), "processor": round(time.process_time())} | means
            if done or run.step % (EVALUATED * log_every) == 0:
                figures |= evaluate()
            run.folder.save(run.step, run.recipe, figures)
            losses.clear()
    return figures
