"""The losses of the stages (CroCoDiLight, ICLR 2026, training): each is one formula."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.crocodilight import IMAGENET_STD

SCALES = 4  # of the multi-scale gradient loss


@dataclass(frozen=True)
class ImageLoss:
    """The weighted sum of a perceptual distance and the MSE in the network's normalised space."""

    distance: Callable[[Tensor, Tensor], Tensor]  # of pictures (B, 3, S, S), sRGB in [0, 1]; returns (B,)
    perceptual: float  # weight of the distance
    mse: float

    def __call__(self, made: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Return "total", "perceptual" and "mse" of pictures (B, 3, S, S), sRGB in [0, 1]."""
        perceptual, mse = self.distance(made, truth).mean(), normalised_mse(made, truth)
        return {"total": self.perceptual * perceptual + self.mse * mse, "perceptual": perceptual, "mse": mse}


def normalised_mse(made: Tensor, truth: Tensor) -> Tensor:
    """Return the MSE of pictures (B, 3, S, S) divided by ImageNet's standard deviations, the space of the output."""
    std = made.new_tensor(IMAGENET_STD)[:, None, None]
    return ((made - truth) / std).square().mean()


def gradient_distance(made: Tensor, truth: Tensor) -> Tensor:
    """Return the multi-scale gradient loss (B,): the mean absolute gradient of the difference, over scales 1 to 1/8.

    After Li and Snavely, MegaDepth (CVPR 2018), section 4.2, here on colours. It takes the place of LPIPS.
    """
    difference = made - truth
    total = made.new_zeros(len(made))
    for scale in range(SCALES):
        small = F.avg_pool2d(difference, 2**scale) if scale else difference
        total = total + small.diff(dim=2).abs().mean((1, 2, 3)) + small.diff(dim=3).abs().mean((1, 2, 3))
    return total / SCALES


def masked_patch_mse(predicted: Tensor, truth: Tensor, hidden: Tensor) -> Tensor:
    """Return the MSE of the hidden patches (B, m) among patches (B, N, P)."""
    places = hidden[..., None].expand(-1, -1, truth.shape[-1])
    return (predicted.gather(1, places) - truth.gather(1, places)).square().mean()


def latent_mse(a: Tensor, b: Tensor) -> Tensor:
    """Return the MSE of latents (B, N, C), computed in float32."""
    return (a.float() - b.float()).square().mean()


def distance_of(metric: str, load_lpips: Callable[[str], nn.Module]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the perceptual distance by the name that the configuration has."""
    return gradient_distance if metric == "gradients" else load_lpips(metric.removeprefix("lpips-"))


def psnr(made: Tensor, truth: Tensor) -> Tensor:
    """Return the PSNR in dB (B,) of pictures (B, 3, S, S) in [0, 1]."""
    return -10 * (made.clamp(0, 1) - truth).square().mean((1, 2, 3)).clamp(min=1e-10).log10()


def hidden_and_visible(seeds: Tensor, patches: int, share: float) -> tuple[Tensor, Tensor]:
    """Return the numbers of the hidden (B, m) and the visible patches (B, n) of each picture, drawn by its seed."""
    hidden = min(patches - 1, max(1, round(patches * share)))
    orders = [torch.randperm(patches, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    order = torch.stack(orders)
    return order[:, :hidden], order[:, hidden:]
