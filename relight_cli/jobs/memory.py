"""Go on with less when the device runs out of memory."""

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from relight_cli.devices import choose, is_out_of_memory
from relight_cli.jobs.console import say
from relight_cli.jobs.models import LoadedModel
from relight_cli.jobs.options import PhotoOptions

if TYPE_CHECKING:
    from relight_cli.relighting.light_change import TileOptions

R = TypeVar("R")


class Fallback:
    """How many tiles go at a time, and where; fewer, and at last on the CPU, once memory was too little."""

    def __init__(self, model: LoadedModel | None, tiling: "TileOptions", options: PhotoOptions) -> None:
        self.model, self.tiling, self.options = model, tiling, options

    @property
    def on_cpu(self) -> bool:
        """Tell whether the network takes the memory that files are written in, too."""
        return str(self.tiling.device) == "cpu"

    def run(self, work: Callable[["TileOptions"], R]) -> R:
        """Do the work, again with less for as long as it runs out of memory and there is less; then raise."""
        while True:
            try:
                return work(self.tiling)
            except Exception as error:
                if not is_out_of_memory(error) or not self._has_less():
                    raise
            # Here, not above: while the error is held, so are the tensors in its frames.
            self._take_less()

    def _has_less(self) -> bool:
        return self.model is not None and (self.tiling.batch > 1 or self.tiling.device != "cpu")

    def _take_less(self) -> None:
        if self.tiling.batch > 1:
            self.tiling = replace(self.tiling, batch=self.tiling.batch // 2)
        else:
            say(f"out of memory on {self.tiling.device} with one tile at a time: going on with the CPU.")
            self._move_to_cpu()
        _give_back_memory()

    def _move_to_cpu(self) -> None:
        from torch import nn

        assert self.model is not None
        compute, network = choose("cpu", self.options.dtype), self.model.network
        assert isinstance(network, nn.Module)
        dtype = compute.tiny_dtype if self.model.name == "tiny" else compute.dtype
        network.to("cpu", dtype)
        self.tiling = replace(self.tiling, device="cpu", batch=self.options.tile_batch or compute.tile_batch)


def _give_back_memory() -> None:
    """Free what nobody holds any more, also what torch keeps for itself."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
