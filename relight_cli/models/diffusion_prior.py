"""A latent diffusion model as a prior of plausible pictures; its parts are passed in and come from `diffusers`."""

from typing import Any

import torch
from torch import Tensor, nn

GRADIENT_SCALE = 2.0**10  # float16 loses gradients below 6e-8; a power of two changes exponents only


class ScaleGradient(torch.autograd.Function):
    """Return a tensor unchanged, and multiply its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.factor, None


class VariationalEncoder(nn.Module):
    """The encoder of an AutoencoderKL, sampled."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return a sample (B, C, h, w) of the latents of pictures (B, 3, H, W) in [-1, 1]."""
        distribution = self.autoencoder.encode(images).latent_dist
        return (distribution.mean + distribution.std * noise) * self.autoencoder.config.scaling_factor


class TinyEncoder(nn.Module):
    """The encoder of an AutoencoderTiny, which ignores the noise."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the latents (B, C, h, w) of pictures (B, 3, H, W) in [-1, 1]."""
        return self.autoencoder.encode(images).latents * self.autoencoder.config.scaling_factor


class DiffusionPrior(nn.Module):
    """A text-conditioned denoiser and its encoder, in a dtype of their own; float32 in and out."""

    alphas_cumprod: Tensor
    prompt: Tensor
    unconditional: Tensor

    def __init__(
        self,
        encoder: VariationalEncoder | TinyEncoder,
        denoiser: Any,
        alphas_cumprod: Tensor,
        prompt: Tensor,
        unconditional: Tensor,
        side: int,
        latent_shape: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.encoder, self.denoiser = encoder, denoiser
        self.side, self.latent_shape = side, latent_shape  # side of the pictures in pixels; (C, h, w)
        self.register_buffer("alphas_cumprod", alphas_cumprod.float())
        self.register_buffer("unconditional", unconditional)  # (1, L, C), text embeddings
        self.register_buffer("prompt", prompt)

    def encode(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return latents (B, C, h, w) of pictures (B, 3, side, side) in [-1, 1], sampled with `noise` (B, C, h, w)."""
        dtype = self.prompt.dtype
        scaled = ScaleGradient.apply(images, 1 / GRADIENT_SCALE).to(dtype)
        return ScaleGradient.apply(self.encoder(scaled, noise.to(dtype)).float(), GRADIENT_SCALE)

    @torch.no_grad()
    def predict_noise(self, noisy: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise predicted in latents (B, C, h, w) at timesteps (B,): with the text, and without."""
        dtype, batch = self.prompt.dtype, len(noisy)
        text = torch.cat((self.prompt.expand(batch, -1, -1), self.unconditional.expand(batch, -1, -1)))
        predicted = self.denoiser(noisy.to(dtype).repeat(2, 1, 1, 1), timesteps.repeat(2), text, return_dict=False)[0]
        with_text, without = predicted.float().chunk(2)
        return with_text, without

    def set_prompt(self, prompt: Tensor) -> None:
        """Replace the text embedding (1, L, C) that describes the picture."""
        self.prompt = prompt.to(self.prompt)

    def set_checkpointing(self, enabled: bool) -> None:
        """Compute activations of the encoder again for its gradient instead of keeping them, or keep them."""
        autoencoder = self.encoder.autoencoder
        if enabled:
            autoencoder.enable_gradient_checkpointing()
        else:
            autoencoder.disable_gradient_checkpointing()
