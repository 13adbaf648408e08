"""Several processes that train one network, each on pictures of its own; without torchrun there is one worker.

torchrun --nproc-per-node 2 -m relight_cli.training.train ...

On a CPU they use two cores better than two threads do: the network's layers are too small to be shared.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def process_group() -> Iterator[int]:
    """Meet the other workers that torchrun has started; give this one's rank, 0 where it is alone."""
    if not dist.is_torchelastic_launched():
        yield 0
        return
    dist.init_process_group("gloo")
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Tell how many workers there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(model: nn.Module) -> None:
    """Give every worker the mean of all workers' gradients."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    whole = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(whole)
    parts = (whole / world_size()).split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view_as(gradient))


def any_rank(flag: bool) -> bool:
    """Tell whether the flag is set for any worker."""
    if not dist.is_initialized():
        return flag
    highest = torch.tensor(float(flag))
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    return bool(highest.item())
