"""Estimate the time and memory of a refinement from trial steps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relight_cli.depth.draws import draw, generator_of, stacked
from relight_cli.depth.refinement import Prior, RunBatch, Scene


@dataclass(frozen=True)
class StepCost:
    """Time and memory of one step of one batch of runs."""

    seconds: float
    memory: int  # peak in bytes, without the networks' own


def measure_step(scene: Scene, prior: Prior, runs: int) -> StepCost:
    """Return the cost of a step of a batch of `runs` runs: memory from a first trial step, time from a second."""
    batch = RunBatch(scene, runs)
    optimiser, generators = batch.optimiser(), [generator_of(0, run) for run in range(runs)]

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        draws = stacked([draw(generator, prior.latent_shape) for generator in generators])
        batch.loss(prior, draws).sum().backward()
        optimiser.step()
        if scene.image.device.type == "cuda":
            torch.cuda.synchronize(scene.image.device)

    with torch.enable_grad():
        with _memory_of(batch, prior) as memory:
            step()
        started = time.perf_counter()
        step()
    return StepCost(time.perf_counter() - started, memory())


def largest_batch(one_run: StepCost, memory: int, runs: int) -> int:
    """Return how many of `runs` runs to do at a time in `memory` bytes, in batches of about equal size."""
    fitting = max(1, min(runs, memory // max(1, one_run.memory)))
    batches = -(-runs // fitting)
    return -(-runs // batches)


@contextmanager
def _memory_of(batch: RunBatch, prior: Prior) -> Iterator[Callable[[], int]]:
    """Measure the memory that the block takes; the yielded function returns it afterwards, in bytes.

    CUDA reports its own peak. Elsewhere it is what autograd saves for the backward pass plus the optimiser's state.
    """
    device = batch.scene.image.device
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device) - before
        return
    own = list(batch.parameters())
    networks = prior.parameters() if isinstance(prior, nn.Module) else []
    known = {parameter.untyped_storage().data_ptr() for parameter in (*own, *networks)}
    sizes: dict[int, int] = {}  # bytes by address

    def count(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in known:
            sizes[storage.data_ptr()] = storage.nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
        optimised = 4 * sum(parameter.nbytes for parameter in own)  # parameters, gradients and two moments
        yield lambda: sum(sizes.values()) + optimised
