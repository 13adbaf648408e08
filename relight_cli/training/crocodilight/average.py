"""A moving average of the weights that a stage trains."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """The average of parameters over the steps; it takes the first ones in faster."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.parameters, self.decay, self.steps = parameters, decay, 0
        self.averages = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters after a step: a' = d a + (1 - d) p, with d = min(decay, (1 + n) / (10 + n))."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.decay else 0.0
        torch._foreach_lerp_(list(self.averages.values()), [p.detach() for p in self.parameters.values()], 1 - decay)
        self.steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averages for a while."""
        own = {name: p.data for name, p in self.parameters.items()}
        try:
            for name, parameter in self.parameters.items():
                parameter.data = self.averages[name]
            yield
        finally:
            for name, parameter in self.parameters.items():
                parameter.data = own[name]

    def state_dict(self) -> dict[str, dict[str, Tensor] | int]:
        """Return averages and steps."""
        return {"averages": self.averages, "steps": self.steps}

    def load_state_dict(self, state: dict[str, dict[str, Tensor] | int]) -> None:
        """Restore averages and steps."""
        averages, steps = state["averages"], state["steps"]
        assert isinstance(averages, dict)
        assert isinstance(steps, int)
        for name, average in self.averages.items():
            average.copy_(averages[name])
        self.steps = steps
