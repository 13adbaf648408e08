"""Continue with less when the device runs out of memory, and return what is free to the system."""

import contextlib
import ctypes
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from relight_cli.devices import choose, is_out_of_memory
from relight_cli.jobs.console import say

if TYPE_CHECKING:
    from relight_cli.models.interface import Model

R = TypeVar("R")


class MemoryFallback:
    """Which model runs, and how many tiles at a time: fewer, and at last on the CPU, once memory did not suffice."""

    def __init__(self, model: "Model | None", tile_batch: int, dtype: str) -> None:
        """Start with `tile_batch` tiles, 0 for what suits the device; `dtype` is that of --dtype."""
        self.model, self._dtype, self._wanted = model, dtype, tile_batch
        self.tile_batch = tile_batch or (model.tile_batch if model else 0)

    @property
    def on_cpu(self) -> bool:
        """Whether the network shares its memory with the encoders of files."""
        return self.model is None or self.model.device == "cpu"

    def run(self, work: Callable[["Model | None", int], R]) -> R:
        """Do the work with the model and a number of tiles at a time; with less as long as memory runs out."""
        while True:
            try:
                return work(self.model, self.tile_batch)
            except Exception as error:
                if not is_out_of_memory(error) or not self._can_reduce():
                    raise
            # Not in the except block: while the error is alive, so are the tensors in its frames.
            self._reduce()

    def _can_reduce(self) -> bool:
        return self.model is not None and (self.tile_batch > 1 or self.model.device != "cpu")

    def _reduce(self) -> None:
        assert self.model is not None
        if self.tile_batch > 1:
            self.tile_batch //= 2
        else:
            say(f"out of memory on {self.model.device} with one tile at a time: continuing on the CPU.")
            self._move_to_cpu(self.model)
        _release_device_memory()

    def _move_to_cpu(self, model: "Model") -> None:
        from torch import nn

        compute, network = choose("cpu", self._dtype), model.network
        assert isinstance(network, nn.Module)
        network.to("cpu", compute.tiny_dtype if model.name == "tiny" else compute.dtype)
        self.model = replace(model, device="cpu", tile_batch=compute.tile_batch)
        self.tile_batch = self._wanted or compute.tile_batch


def release_memory() -> None:
    """Return the pages that glibc keeps of freed memory to the system; do nothing elsewhere.

    Every thread has a heap of its own, in which planes of other sizes leave holes: in a batch of 3 MP, 50 MB of 640.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # Windows, macOS and musl have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def _release_device_memory() -> None:
    """Free what nothing refers to any more, and what torch keeps of it on the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
