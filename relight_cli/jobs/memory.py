"""Continue with fewer tiles or on the CPU when memory runs out, and return free memory to the system."""

import contextlib
import ctypes
import functools
import gc
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from relight_cli.devices import choose, is_out_of_memory
from relight_cli.jobs.console import say

if TYPE_CHECKING:
    from relight_cli.models.interface import Model

R = TypeVar("R")


class MemoryFallback:
    """The model and the tiles at a time; when memory runs out, fewer tiles and finally the CPU."""

    def __init__(self, model: "Model | None", tile_batch: int, dtype: str) -> None:
        """Start with `tile_batch` tiles (0: what suits the device); `dtype` is that of --dtype."""
        self.model, self._dtype, self._wanted = model, dtype, tile_batch
        self.tile_batch = tile_batch or (model.tile_batch if model else 0)
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """Batches of tiles at a time."""
        return self.model.workers if self.model else 1

    @property
    def on_cpu(self) -> bool:
        """Whether the network uses the same memory as the encoders."""
        return self.model is None or self.model.device == "cpu"

    def run(self, work: Callable[["Model | None", int], R]) -> R:
        """Call `work(model, tile_batch)`; as long as memory runs out, reduce and call it again."""
        while True:
            tried = self.tile_batch
            try:
                return work(self.model, tried)
            except Exception as error:
                if not is_out_of_memory(error) or not self._can_reduce(tried):
                    raise
            # Not in the except block, where the error keeps the tensors in its frames alive.
            with self._lock:
                if self.tile_batch == tried:  # else another photo has reduced it
                    self._reduce()

    def _can_reduce(self, tried: int) -> bool:
        return self.model is not None and (tried > 1 or self.model.device != "cpu")

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

        from relight_cli.models.tiny import Tiny

        compute, network = choose("cpu", self._dtype), model.network
        assert isinstance(network, nn.Module)
        network.to("cpu", compute.tiny_dtype if isinstance(network, Tiny) else compute.dtype)
        self.model = replace(model, device="cpu", tile_batch=compute.tile_batch)
        self.tile_batch = self._wanted or compute.tile_batch


@functools.cache
def keep_loaded() -> None:
    """Exempt what is loaded by now from the garbage collection: once in a process, since later it may be garbage."""
    gc.freeze()


def release_memory() -> None:
    """Return freed memory that glibc keeps to the system; do nothing with other C libraries.

    Each thread has its own heap, in which planes of different sizes leave holes: 50 of 640 MB in a batch
    of 3 MP photos.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # Windows, macOS and musl have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory() -> int | None:
    """Return the most memory that this process has had, in bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # of Linux, in kilobytes


def device_peak(device: str) -> int | None:
    """Return the most memory that tensors have had on a CUDA device, in bytes; None on another device."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_allocated(device)


def _release_device_memory() -> None:
    """Collect garbage and empty the caches that torch keeps on the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
