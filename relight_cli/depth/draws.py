"""The random numbers of depth refinement, each run's from a generator of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relight_cli.models.sds import draw_timestep
from relight_cli.models.shading import Light, draw_light


@dataclass(frozen=True)
class Draw:
    """The random numbers of one step, for each run of a batch."""

    light: Light
    latent_noise: Tensor  # (B, C, h, w), for the encoder's sample
    timestep: Tensor  # (B,)
    noise: Tensor  # (B, C, h, w), which the denoiser predicts

    def to(self, device: torch.device) -> "Draw":
        """Return the draw on another device."""
        rest = (self.latent_noise, self.timestep, self.noise)
        return Draw(self.light.to(device), *(values.to(device) for values in rest))


def generator_of(seed: int, run: int) -> torch.Generator:
    """Return a run's random generator, on the CPU, so that every device and every batch draws the same numbers."""
    state = np.random.SeedSequence((seed, run)).generate_state(2)
    return torch.Generator().manual_seed((int(state[0]) << 32) + int(state[1]))


def draw(generator: torch.Generator, latent_shape: tuple[int, int, int]) -> Draw:
    """Draw the random numbers of one step of one run."""
    light = draw_light(generator)
    latent_noise = torch.randn(1, *latent_shape, generator=generator)
    timestep = draw_timestep(generator)
    return Draw(light, latent_noise, timestep, torch.randn(1, *latent_shape, generator=generator))


def stacked(draws: Sequence[Draw]) -> Draw:
    """Stack the draws of several runs."""

    def join(values: Iterator[Tensor]) -> Tensor:
        return torch.cat(list(values))

    light = Light(
        join(d.light.direction for d in draws),
        join(d.light.shininess for d in draws),
        join(d.light.weights for d in draws),
    )
    rest = (join(getattr(d, name) for d in draws) for name in ("latent_noise", "timestep", "noise"))
    return Draw(light, *rest)
