"""Measure the seconds per step of depth refinement: all runs as one batch, against one by one as published.

python benchmarks/depth_speed.py [--size full|reduced] [--runs 10] [--steps 20] [--dtype auto]

The networks have random weights; speed does not depend on them. "Published manner" means the denoiser in half precision
and everything else in float32, and the depth encoder once for every run. On a CPU the seconds are processor time of all
threads together, so that other work on the machine counts less. Prints a table and, as the last line, the same as one
JSON object. Ratios hold within one call.
"""

import json
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
import torch
import typer
from tables import machine
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from relight_cli.depth.draws import draw, generator_of
from relight_cli.depth.refinement import (
    Picture,
    RefineOptions,
    RunBatch,
    encode_scene,
    refine_runs,
)
from relight_cli.devices import choose
from relight_cli.models.depth_anything import DepthNetwork, DisparityDecoder
from relight_cli.models.diffusion_prior import DiffusionPrior, VariationalEncoder


class Size(StrEnum):
    FULL = "full"  # Stable Diffusion 1.5 and Depth Anything V2 Small, a photo of 518 x 392
    REDUCED = "reduced"  # half of their channels, half the pictures' sides


class InHalf(nn.Module):
    """A denoiser in half precision, with inputs in float32."""

    def __init__(self, denoiser: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.denoiser, self.dtype = denoiser.to(dtype), dtype

    def forward(self, noisy: Tensor, timesteps: Tensor, text: Tensor, **options: Any) -> tuple[Tensor, ...]:
        return self.denoiser(noisy.to(self.dtype), timesteps, text.to(self.dtype), **options)


def depth_network(size: Size) -> DepthNetwork:
    """Return Depth Anything V2 Small, or one with half of its channels."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    part = 1 if size == Size.FULL else 2
    backbone = Dinov2Config(
        hidden_size=384 // part,
        num_hidden_layers=12,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=384 // part,
        neck_hidden_sizes=[width // part for width in (48, 96, 192, 384)],
        fusion_hidden_size=64 // part,
        patch_size=14,
    )
    network = DepthAnythingForDepthEstimation(config)
    nn.init.constant_(network.head.conv3.bias, 1.0)  # a disparity of zero everywhere would have no gradient
    decoder = DisparityDecoder(network.neck, network.head)
    complete = DepthNetwork(network.backbone, decoder, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return complete.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def diffusion_prior(size: Size, dtype: torch.dtype, denoiser_dtype: torch.dtype) -> DiffusionPrior:
    """Return denoiser and encoder of Stable Diffusion 1.5, or half of their channels for half the picture's side."""
    import diffusers.utils.logging
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    part, side = (1, 64) if size == Size.FULL else (2, 32)
    denoiser = UNet2DConditionModel(
        sample_size=side,
        block_out_channels=tuple(width // part for width in (320, 640, 1280, 1280)),
        attention_head_dim=8,
        cross_attention_dim=768,
        norm_num_groups=16,
    )
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=tuple(width // part for width in (128, 256, 512, 512)),
        layers_per_block=2,
        norm_num_groups=16,
    )
    autoencoder.decoder = autoencoder.post_quant_conv = None
    diffusers.utils.logging.set_verbosity_error()
    text = torch.zeros(1, 77, 768, dtype=dtype)
    encoder, half = VariationalEncoder(autoencoder.to(dtype)), InHalf(denoiser, denoiser_dtype)
    latent_shape, kept = (4, side, side), torch.linspace(0.999, 0.005, 1000)
    prior = DiffusionPrior(encoder, half, kept, text, text.clone(), side * 8, latent_shape)
    return prior.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def batched(network: DepthNetwork, prior: DiffusionPrior, picture: Picture, device: str, runs: int, steps: int) -> None:
    """Refine all runs as one batch."""
    refine_runs(encode_scene(network, picture, device), prior, range(runs), RefineOptions(runs, steps))


def one_by_one(
    network: DepthNetwork, prior: DiffusionPrior, picture: Picture, device: str, runs: int, steps: int
) -> None:
    """Refine the runs one by one, each from the photo on."""
    for run in range(runs):
        refine_runs(encode_scene(network, picture, device), prior, [run], RefineOptions(runs, steps))


def operations(network: DepthNetwork, prior: DiffusionPrior, picture: Picture, device: str) -> float:
    """Return the floating-point operations of one step of one run, forward and backward."""
    batch = RunBatch(encode_scene(network, picture, device), 1)
    draws = draw(generator_of(0, 0), prior.latent_shape)
    with FlopCounterMode(display=False) as counter:
        batch.loss(prior, draws).sum().backward()
    return counter.get_total_flops()


def gemm_peak(device: str, dtype: torch.dtype) -> float:
    """Return how fast the machine multiplies matrices, in FLOP/s."""
    side, best = (8192 if device.startswith("cuda") else 2048), 0.0
    x, w = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(8):
        started = clock(device)
        _ = x @ w
        best = max(best, 2 * side**3 / (clock(device) - started))
    return best


def clock(device: str) -> float:
    """Return the seconds that the device has worked, after it has finished all its work."""
    if device == "cpu":
        return time.process_time()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measured(work: Callable[[int], None], device: str, runs: int, steps: int) -> dict[str, float]:
    """Return seconds per run and step and, on CUDA, peak memory of `steps` steps, after a first step."""
    work(1)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    started = clock(device)
    work(steps)
    found = {"seconds_per_run_step": (clock(device) - started) / runs / steps}
    if device.startswith("cuda"):
        found["peak_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


def main(
    size: Size = Size.REDUCED,
    runs: Annotated[int, typer.Option(min=1)] = 4,
    steps: Annotated[int, typer.Option(min=1)] = 3,
    dtype: str = "auto",
) -> None:
    """Measure and print."""
    compute, side = choose(dtype=dtype), 1 if size == Size.FULL else 2
    device, half = compute.device, torch.bfloat16 if compute.device == "cpu" else torch.float16
    picture = np.random.default_rng(0).random((392 // side, 518 // side, 3)).astype(np.float32)
    network = depth_network(size).to(device)
    ours = diffusion_prior(size, compute.dtype, compute.dtype).to(device)
    both = measured(lambda n: batched(network, ours, picture, device, runs, n), device, runs, steps)
    alone = measured(lambda n: one_by_one(network, ours, picture, device, runs, n), device, runs, steps)
    flops = operations(network, ours, picture, device)
    mixed = diffusion_prior(size, torch.float32, half).to(device)
    theirs = measured(lambda n: one_by_one(network, mixed, picture, device, runs, n), device, runs, steps)
    peak = gemm_peak(compute.device, compute.dtype)
    result: dict[str, object] = {
        "size": size,
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "device": compute.device,
        "dtype": str(compute.dtype).removeprefix("torch."),
        "runs": runs,
        "steps": steps,
        "tflop_per_run_step": round(flops / 1e12, 3),
        "gemm_peak_tflops": round(peak / 1e12, 3),
        "share_of_gemm_peak": round(flops / both["seconds_per_run_step"] / peak, 3),
    }
    for name, found in (("batched", both), ("one_by_one", alone), ("published_manner", theirs)):
        result |= {f"{name}_{key}": round(value, 4) for key, value in found.items()}
    result["times_published"] = round(theirs["seconds_per_run_step"] / both["seconds_per_run_step"], 2)
    width = max(map(len, result))
    print("\n".join(f"{key:{width}}  {value}" for key, value in result.items()))
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
