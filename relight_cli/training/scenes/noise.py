"""Seeded lattice noise for the procedural textures and shadow masks."""

import torch
from torch import Tensor


def lattice_hash(x: Tensor, y: Tensor, seed: Tensor | int) -> Tensor:
    """Hash integer lattice points (int32, any shape) to floats in [0, 1); products wrap around on purpose."""
    seed = torch.as_tensor(seed, dtype=torch.int32, device=x.device)
    h = x * 374761393 + y * 668265263 + seed * 1442695041
    h = (h ^ (h >> 13)) * 1274126177
    h = (h ^ (h >> 15)) * 1911520717
    return ((h ^ (h >> 16)) & 0xFFFFFF).to(torch.float32) / float(1 << 24)


def value_noise(x: Tensor, y: Tensor, seed: Tensor | int) -> Tensor:
    """Interpolate hashed lattice values smoothly, in [0, 1]; x and y have the same shape, in lattice units."""
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = x0.to(torch.int32), y0.to(torch.int32)
    top = torch.lerp(lattice_hash(i, j, seed), lattice_hash(i + 1, j, seed), fx)
    bottom = torch.lerp(lattice_hash(i, j + 1, seed), lattice_hash(i + 1, j + 1, seed), fx)
    return torch.lerp(top, bottom, fy)


def fractal_noise(x: Tensor, y: Tensor, seed: Tensor | int, octaves: int, footprint: Tensor | float = 0.0) -> Tensor:
    """Sum octaves of value noise to about [0, 1], mean 0.5.

    `footprint` is a pixel's width in lattice units: octaves finer than two pixels fade to their mean, so that
    nothing aliases.
    """
    total = torch.zeros_like(x)
    amplitude, frequency = 0.5, 1.0
    for octave in range(octaves):
        # Rotating each octave hides the lattice.
        u = frequency * (0.8 * x + 0.6 * y) + 17.3 * octave
        v = frequency * (0.8 * y - 0.6 * x) - 9.7 * octave
        visible = (1.5 - 2.0 * frequency * torch.as_tensor(footprint, device=x.device)).clamp(0, 1)
        total = total + amplitude * visible * (value_noise(u, v, seed + octave) - 0.5)
        amplitude, frequency, x, y = amplitude * 0.55, frequency * 2.03, y, -x
    return total + 0.5
