"""Refine a photo's disparity until the photo, relit on it, looks plausible (Re-Depth Anything, arXiv 2512.17908)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relight_cli.depth.draws import Draw, draw, generator_of, stacked
from relight_cli.models.depth_anything import LONGER_SIDE, resize_picture
from relight_cli.models.depth_model import DisparityNetwork
from relight_cli.models.sds import add_noise, guided_noise, sds_gradient, sds_loss, smoothness
from relight_cli.models.shading import (
    DEPTH_SCALE,
    blinn_phong,
    letterbox,
    orthographic_depth,
    surface_normals,
)

Map = NDArray[np.float32]  # (h, w)
Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded, nominally [0, 1]
Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps, both summed over the runs."""

FEATURE_RATE, WEIGHT_RATE, SCALE_RATE = 1e-3, 2e-6, 1e-3  # of W, theta and o
SMOOTHNESS_WEIGHT = 1.0
MIN_RUNS = 3  # before an early stop: three give most of an ensemble's gain


class Prior(Protocol):
    """The model that judges the relit photo."""

    side: int  # of its square input pictures, in pixels
    latent_shape: tuple[int, int, int]  # (C, h, w)
    alphas_cumprod: Tensor  # (1000,)

    def encode(self, images: Tensor, noise: Tensor) -> Tensor: ...
    def predict_noise(self, noisy: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]: ...


class Targets(StrEnum):
    """What is optimised, besides the scale offset o; BOTH is the paper's method, the others are its studies."""

    FEATURES = "features"  # the feature maps W
    DECODER = "decoder"  # the weights theta of the decoder
    BOTH = "both"
    ALL = "all"  # all weights of the network, the encoder's too, from which W is made anew at each step


@dataclass(frozen=True)
class RefineOptions:
    """How much work is done; the defaults are the paper's."""

    runs: int = 10
    steps: int = 1000
    seed: int = 0
    run_batch: int = 1  # runs at a time
    early_stop: float = 0.0  # stop adding runs when the mean moves less than this share of its spread; 0: never
    targets: Targets = Targets.BOTH


@dataclass(frozen=True)
class Scene:
    """A photo, encoded once for all runs, on the device."""

    network: DisparityNetwork
    image: Tensor  # (1, 3, h, w), sRGB, at the network's size
    features: tuple[Tensor, ...]  # feature maps W of the encoder
    initial: Tensor  # (1, h, w), the network's own disparity, or 0 in the sky that it tells besides
    kept_mask: Tensor  # (h, w), 1 where the initial disparity stays, 0 where it is refined

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image.shape[2], self.image.shape[3]

    def fingerprint(self) -> str:
        """Return a hash of the image and the kept mask."""
        return hashlib.sha256(b"".join(t.cpu().numpy().tobytes() for t in (self.image, self.kept_mask))).hexdigest()


@dataclass(frozen=True)
class Run:
    """The result of one run."""

    disparity: Map
    scale: float  # s of the depth s / (D + m)


@dataclass(frozen=True)
class Ensemble:
    """The result of all runs."""

    disparity: Map  # mean of the runs
    deviation: Map  # standard deviation of the runs
    scale: float  # mean of the runs
    runs: int
    moves: tuple[float, ...] = ()  # by which each run after the first moved the mean, as shares of its spread


def encode_scene(network: DisparityNetwork, picture: Picture, device: str, longer_side: int = LONGER_SIDE) -> Scene:
    """Encode a photo with the depth network, once; the kept mask is 0 everywhere."""
    size = network.fitted_size(picture.shape[0], picture.shape[1], longer_side)
    image = resize_picture(torch.from_numpy(picture).to(device).permute(2, 0, 1)[None], size)
    with torch.no_grad():
        features = network.features(image)
        initial = network.decoder(features, size)
    return Scene(network, image, features, initial, torch.zeros_like(initial[0]))


def refine(
    scene: Scene,
    prior: Prior,
    options: RefineOptions,
    finished: Mapping[int, Run],
    keep: Callable[[int, Run], None] = lambda number, run: None,
    progress: Progress | None = None,
) -> Ensemble:
    """Return the mean of all runs; `finished` runs are not repeated, each new run is passed to `keep`."""
    runs: list[Run] = []
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps
        if progress:
            progress(done, options.runs * options.steps)

    for first in range(0, options.runs, options.run_batch):
        group = range(first, min(first + options.run_batch, options.runs))
        missing = [number for number in group if number not in finished]
        count(options.steps * (len(group) - len(missing)))
        found = dict(zip(missing, refine_runs(scene, prior, missing, options, count), strict=True))
        for number, run in found.items():
            keep(number, run)
        for number in group:
            runs.append(found.get(number) or finished[number])
            if _mean_is_stable(runs, options.early_stop):
                return ensemble(runs)
    return ensemble(runs)


def unrefined(scene: Scene) -> Ensemble:
    """Return the network's own disparity as that of a single run without steps."""
    return ensemble([Run(scene.initial[0].cpu().numpy(), DEPTH_SCALE)])


def ensemble(runs: Sequence[Run]) -> Ensemble:
    """Return the mean and the standard deviation of runs."""
    stack = np.stack([run.disparity for run in runs])
    scale = float(np.mean([run.scale for run in runs]))
    moves = tuple(_move_of_mean(stack[:count]) for count in range(2, len(runs) + 1))
    return Ensemble(stack.mean(axis=0), stack.std(axis=0), scale, len(runs), moves)


def _mean_is_stable(runs: Sequence[Run], early_stop: float) -> bool:
    """Return whether the last run moved the mean by less than `early_stop` of the mean's spread over the picture."""
    if len(runs) < MIN_RUNS or not early_stop:
        return False
    return _move_of_mean(np.stack([run.disparity for run in runs])) < early_stop


def _move_of_mean(stack: NDArray[np.float32]) -> float:
    """Return by how much the last of the runs (N, h, w) moved their mean, as a share of its spread over the picture."""
    before, now = stack[:-1].mean(axis=0), stack.mean(axis=0)
    return float(np.abs(now - before).mean() / max(float(now.std()), 1e-12))


def refine_runs(
    scene: Scene,
    prior: Prior,
    numbers: Sequence[int],
    options: RefineOptions,
    progress: Callable[[int], None] = lambda steps: None,
) -> list[Run]:
    """Optimise the runs of these numbers as one batch, each run with its own random generator."""
    if not numbers:
        return []
    batch = RunBatch(scene, len(numbers), options.targets)
    optimiser, generators = batch.optimiser(), [generator_of(options.seed, number) for number in numbers]
    with torch.enable_grad():
        for _ in range(options.steps):
            draws = stacked([draw(generator, prior.latent_shape) for generator in generators])
            optimiser.zero_grad(set_to_none=True)
            batch.loss(prior, draws).sum().backward()
            optimiser.step()
            progress(len(numbers))
    with torch.no_grad():
        maps = batch.disparity().cpu().numpy()
        scales = (DEPTH_SCALE + torch.tanh(batch.scale_offsets)).cpu().tolist()
    return [Run(disparity, scale) for disparity, scale in zip(maps, scales, strict=True)]


class RunBatch(nn.Module):
    """The parameters of a batch of runs: stacked feature maps W and scale offsets o, and one decoder theta per run.

    The decoders are called one after the other: `torch.func.vmap` over stacked weights runs grouped convolutions,
    which take 1.6 times as long (four decoders of Depth Anything V2 Small forward and backward, one CPU core).
    """

    def __init__(self, scene: Scene, count: int, targets: Targets = Targets.BOTH) -> None:
        super().__init__()
        self.scene, self.targets = scene, targets
        self.features = nn.ParameterList(torch.cat([maps] * count) for maps in scene.features)  # (B, ...)
        self.networks = [deepcopy(scene.network) for _ in range(count)] if targets == Targets.ALL else []
        for parameter in (parameter for network in self.networks for parameter in network.parameters()):
            parameter.requires_grad_(True)
        decoders = [network.decoder for network in self.networks] or [
            deepcopy(scene.network.decoder) for _ in range(count)
        ]
        self.decoders = nn.ModuleList(decoder.requires_grad_(targets != Targets.FEATURES) for decoder in decoders)
        self.features.requires_grad_(targets in (Targets.FEATURES, Targets.BOTH))
        self.scale_offsets = nn.Parameter(torch.zeros(count, device=scene.image.device))

    def optimiser(self) -> torch.optim.Optimizer:
        """Return AdamW with the paper's three learning rates; weights of the encoder have that of the decoder."""
        features, decoders = list(self.features), list(self.decoders.parameters())
        weights = {
            Targets.FEATURES: [],
            Targets.DECODER: decoders,
            Targets.BOTH: decoders,
            Targets.ALL: [parameter for network in self.networks for parameter in network.parameters()],
        }[self.targets]
        groups = [
            {"params": [maps for maps in features if maps.requires_grad], "lr": FEATURE_RATE},
            {"params": weights, "lr": WEIGHT_RATE},
            {"params": [self.scale_offsets], "lr": SCALE_RATE},
        ]
        return torch.optim.AdamW([group for group in groups if group["params"]])

    def disparity(self) -> Tensor:
        """Return each run's disparity (B, h, w), with the initial one where the mask keeps it."""
        scene = self.scene
        found = [decoder(self._features_of(i), scene.size) for i, decoder in enumerate(self.decoders)]
        return torch.lerp(torch.cat(found), scene.initial, scene.kept_mask)

    def _features_of(self, run: int) -> list[Tensor]:
        if self.targets == Targets.ALL:
            return list(self.networks[run].features(self.scene.image))
        return [maps[run : run + 1] for maps in self.features]

    def loss(self, prior: Prior, draws: Draw) -> Tensor:
        """Return each run's loss (B,): score distillation of the relit photo, plus smoothness."""
        scene, draws = self.scene, draws.to(self.scene.image.device)
        disparity = self.disparity()
        normals = surface_normals(orthographic_depth(disparity, self.scale_offsets))
        relit = blinn_phong(scene.image.expand(len(normals), -1, -1, -1), normals, draws.light)
        latents = prior.encode(2 * letterbox(relit, prior.side) - 1, draws.latent_noise)
        noisy = add_noise(latents.detach(), draws.noise, draws.timestep, prior.alphas_cumprod)
        gradient = sds_gradient(guided_noise(*prior.predict_noise(noisy, draws.timestep)), draws.noise)
        return sds_loss(latents, gradient) + SMOOTHNESS_WEIGHT * smoothness(disparity)
