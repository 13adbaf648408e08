"""Score distillation: the loss of a picture from a diffusion model's prediction (arXiv 2512.17908, section 3)."""

import torch
from torch import Tensor
from torch.nn import functional as F

GUIDANCE = 50.0
TIMESTEPS = (20, 600)  # drawn uniformly between these, both included, of 1000


def draw_timestep(generator: torch.Generator) -> Tensor:
    """Draw the timestep of one picture, (1,)."""
    first, last = TIMESTEPS
    return torch.randint(first, last + 1, (1,), generator=generator)


def add_noise(latents: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Return x_t = sqrt(a_t) x + sqrt(1 - a_t) e for latents (B, C, h, w) and timesteps (B,) (DDPM, equation 4)."""
    kept = alphas_cumprod[timesteps][:, None, None, None]
    return kept.sqrt() * latents + (1 - kept).sqrt() * noise


def guided_noise(text: Tensor, unconditional: Tensor, guidance: float = GUIDANCE) -> Tensor:
    """Return e_hat = e_text + w (e_text - e_uncond) (classifier-free guidance, weight 1 + w)."""
    return text + guidance * (text - unconditional)


def sds_gradient(guided: Tensor, noise: Tensor) -> Tensor:
    """Return the direction in which latents become less plausible, equally weighted at all timesteps; NaN becomes 0."""
    return torch.nan_to_num(guided - noise)


def sds_loss(latents: Tensor, gradient: Tensor) -> Tensor:
    """Return each picture's loss (B,), half the mean square of `gradient`, with gradient / size as its derivative."""
    target = (latents - gradient).detach()
    return 0.5 * F.mse_loss(latents, target, reduction="none").flatten(1).mean(dim=1)


def smoothness(disparity: Tensor) -> Tensor:
    """Return the mean absolute Laplacian (B,), zero-padded, of each disparity (B, H, W) scaled to [0, 1].

    The gradient treats minimum and maximum as constants.
    """
    low, high = (end(disparity.detach(), dim=(1, 2), keepdim=True) for end in (torch.amin, torch.amax))
    unit = ((disparity - low) / (high - low).clamp(min=1e-8))[:, None]
    kernel = disparity.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return F.conv2d(unit, kernel, padding=1).abs().mean(dim=(1, 2, 3))
