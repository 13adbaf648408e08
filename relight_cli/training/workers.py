"""Processes that train one network, each on its own pictures; without torchrun there is one worker.

torchrun --nproc-per-node 2 -m relight_cli.training.train ...

On a CPU two processes use two cores better than two threads: the network's layers are too small to be divided.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def process_group(backend: str = "gloo") -> Iterator[int]:
    """Join the workers that torchrun has started; yield the rank of this one, 0 without torchrun."""
    if not dist.is_torchelastic_launched():
        yield 0
        return
    dist.init_process_group(backend)
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Return the number of workers."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(model: nn.Module) -> None:
    """Replace the gradients of every worker by the mean of all workers."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    joined = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(joined)
    parts = (joined / world_size()).split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view_as(gradient))


def any_rank(flag: bool) -> bool:
    """Return whether the flag is set for any worker."""
    if not dist.is_initialized():
        return flag
    highest = torch.tensor(float(flag))
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    return bool(highest.item())
