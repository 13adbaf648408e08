"""What a refinement will take, from steps that are done once and thrown away."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relight_cli.depth.refinement import Prior, RunBatch, Scene, draw, generator_of, stacked


@dataclass(frozen=True)
class StepCost:
    """One step of one batch of runs."""

    seconds: float
    memory: int  # bytes at its peak, beyond the networks' own


def measure_step(scene: Scene, prior: Prior, runs: int) -> StepCost:
    """Do two steps of a batch of so many runs: the first tells the memory, the second the time."""
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


def largest_batch(one: StepCost, memory: int, runs: int) -> int:
    """Tell how many runs at a time fit into so many bytes, and make groups of about one size of them."""
    fitting = max(1, min(runs, memory // max(1, one.memory)))
    groups = -(-runs // fitting)
    return -(-runs // groups)


@contextmanager
def _memory_of(members: RunBatch, prior: Prior) -> Iterator[Callable[[], int]]:
    """Count the memory that the block takes; what comes back tells it afterwards.

    CUDA knows its own peak. Elsewhere it is what autograd keeps for the way back, and what the optimiser keeps.
    """
    device = members.scene.image.device
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device) - before
        return
    own = list(members.parameters())
    networks = prior.parameters() if isinstance(prior, nn.Module) else []
    known = {parameter.untyped_storage().data_ptr() for parameter in (*own, *networks)}
    kept: dict[int, int] = {}

    def note(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        optimised = 4 * sum(parameter.nbytes for parameter in own)  # with gradient and two moments
        yield lambda: sum(kept.values()) + optimised
