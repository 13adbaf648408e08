"""A known surface, a depth network that sees it wrongly, and a prior that knows how the surface looks under any light.

The prior is the optimal denoiser of a distribution with one picture in it: the photo lit on the true surface.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from relight_cli.checkpoints.depth import load_depth_network
from relight_cli.depth.refinement import Scene, draw, generator_of
from relight_cli.models.shading import blinn_phong, letterbox, orthographic_depth, surface_normals

HEIGHT, WIDTH = 112, 140


def true_disparity() -> Tensor:
    """A hill on a floor that comes nearer downwards, (H, W)."""
    return _floor() + 0.6 * _hill()


def wrong_scene(weights: Path) -> Scene:
    """Encode a photo of the surface, and bend the feature maps until the network sees a slant and hardly a hill."""
    network = load_depth_network(weights / "Depth-Anything-V2-Small-hf", device="cpu")
    generator = torch.Generator().manual_seed(0)
    colours = torch.rand(1, 3, 8, 10, generator=generator) * 0.3 + 0.5
    image = F.interpolate(colours, (HEIGHT, WIDTH), mode="bilinear")
    wanted = _floor() + 0.1 * _hill() + 0.12 * torch.linspace(-1.25, 1.25, WIDTH)
    maps = [found.clone().requires_grad_() for found in network.features(image)]
    optimiser = torch.optim.Adam(maps, lr=0.03)
    for _ in range(150):
        optimiser.zero_grad()
        F.mse_loss(network.decoder(maps, (HEIGHT, WIDTH))[0], wanted).backward()
        optimiser.step()
    features = tuple(found.detach() for found in maps)
    with torch.no_grad():
        initial = network.decoder(features, (HEIGHT, WIDTH))
    return Scene(network, image, features, initial, torch.zeros(HEIGHT, WIDTH))


class KnowingPrior:
    """See the module; with `pull` off it finds whatever it is shown plausible."""

    side, latent_shape = 64, (4, 8, 8)
    alphas_cumprod = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)

    def __init__(self, scene: Scene, seed: int, runs: list[int], *, pull: bool = True) -> None:
        self.scene, self.pull = scene, pull
        self.chance = [generator_of(seed, run) for run in runs]  # draws what the runs draw

    def encode(self, images: Tensor, noise: Tensor) -> Tensor:
        latents = F.avg_pool2d(images, 8)
        self.shown = torch.cat((latents, latents.mean(dim=1, keepdim=True)), dim=1)
        return self.shown

    def predict_noise(self, noisy: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        plausible = torch.cat([self._true_latents(chance) for chance in self.chance]) if self.pull else self.shown
        kept = self.alphas_cumprod[timesteps][:, None, None, None]
        noise = ((noisy - kept.sqrt() * plausible) / (1 - kept).sqrt()).detach()
        return noise, noise

    def _true_latents(self, chance: torch.Generator) -> Tensor:
        normals = surface_normals(orthographic_depth(true_disparity()[None], torch.zeros(1)))
        relit = blinn_phong(self.scene.image, normals, draw(chance, self.latent_shape).light)
        latents = F.avg_pool2d(2 * letterbox(relit, self.side) - 1, 8)
        return torch.cat((latents, latents.mean(dim=1, keepdim=True)), dim=1)


def _floor() -> Tensor:
    return (1 + 0.25 * torch.linspace(-1, 1, HEIGHT))[:, None].expand(HEIGHT, WIDTH)


def _hill() -> Tensor:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1.25 : 1.25 : WIDTH * 1j]
    return torch.from_numpy(np.exp(-((x - 0.3) ** 2 + (y + 0.2) ** 2) / 0.3).astype(np.float32))
