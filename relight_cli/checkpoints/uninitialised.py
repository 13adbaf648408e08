"""Build modules without initial values, which a checkpoint replaces."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class Uninitialised(TorchFunctionMode):
    """Skips the initialisation of tensors while modules are built.

    On the meta device torch would trace random values, for which it imports its compiler: 0.8 s of a start.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Skip functions that fill a tensor: those of `nn.init`, and the methods that they call."""
        if func in (Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_):
            return args[0]
        return kwargs["tensor"] if getattr(func, "__module__", "") == "torch.nn.init" else func(*args, **(kwargs or {}))
