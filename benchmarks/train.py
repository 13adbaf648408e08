"""Train a small CroCoDiLight through all stages on rendered pairs, or measure a step of the published size.

python benchmarks/train.py small RUNS    renders views, trains the stages by the command, prints what they reach
python benchmarks/train.py published     counts the work and the memory of a sample at the published size
python benchmarks/train.py one-step light  takes one step of it, with random weights
"""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from relight_cli.jobs.memory import peak_memory
from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.croco import CroCo, CroCoConfig
from relight_cli.models.crocodilight import BlockStack, CroCoDiLight, CroCoDiLightConfig
from relight_cli.models.lpips import LPIPS, Backbone
from relight_cli.training.crocodilight.losses import ImageLoss
from relight_cli.training.crocodilight.stages import (
    CroCoStage,
    DecoderStage,
    LightStage,
    MapperStage,
    Stage,
    checkpoint_activations,
)
from relight_cli.training.scenes.scenes import SceneOptions, render_scenes, render_views, sample_scene
from relight_cli.training.scenes.viewing import camera_axes

app = typer.Typer(no_args_is_help=True, help=__doc__)

VIEWS, HELD_OUT, SIZE = 320, 24, 32  # pixels; a tile shows a view twice as large
SHARD = 16
PAIRS = {"croco": "viewpoints", "shadow": "shadowed"}  # the folder of a stage, if it is not "views"
ALWAYS = 3.0  # a share of masks that leaves no light without one
SCENES, BASELINE = 320, 0.05  # of the stage croco: scenes, and how far apart their cameras are, of their distance
STEPS = {"croco": 600, "decoder": 400, "light": 1200, "shadow": 500, "albedo": 500}
SMOOTHED = 5  # records of the log, of ten steps each, whose mean is the loss at the end
NETWORK = """
[network]
tile_size = 64
width = 128
encoder_depth = 3
encoder_heads = 4
delighting_depth = 2
relighting_depth = 2
heads = 4
dpt_widths = [24, 32, 48, 64]
dpt_features = 24
dpt_output_widths = [16, 8]
croco_decoder_width = 128
croco_decoder_depth = 2
croco_decoder_heads = 4

[crops]
mask = 0.5
shift = 0.0

[loss]
metric = "gradients"

[machine]
precision = "float32"
"""


def render(folder: Path, first: int, count: int, masked: float = SceneOptions.mask_share) -> None:
    """Render views of procedural scenes under three lights, as `relight_cli.training.views` stores them.

    `masked` is the share of the lights with something outside the picture that casts a shadow into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count, SHARD):
        path = folder / f"views_{seed:08d}.npy"
        if not path.exists():
            views = render_views(seed, SHARD, SceneOptions(size=SIZE, lights=3, mask_share=masked))
            layers = torch.cat((views.albedo[:, None], views.shading, views.shadow_free), dim=1)
            np.save(path, layers.clamp(max=6e4).half().numpy())


def render_viewpoints(folder: Path, first: int, count: int) -> None:
    """Render procedural scenes from two places each, in one light, which CroCo learns from: SCENE/1.png, SCENE/2.png.

    The second camera stands up to BASELINE of its distance beside the first and looks at the same point.
    """
    options = SceneOptions(size=SIZE, lights=1)
    for seed in range(first, first + count):
        if (folder / f"{seed}" / "2.png").exists():
            continue
        scene, random = sample_scene(seed, options), Random(seed)
        eye, target = torch.tensor(scene.layout.eye), torch.tensor(scene.layout.target)
        right, up, _ = camera_axes(scene.layout)
        aside, over = (random.uniform(-BASELINE, BASELINE) * (eye - target).norm() for _ in range(2))
        moved = replace(scene.layout, eye=tuple((eye + aside * right + over * up).tolist()))
        views = render_scenes([scene, replace(scene, layout=moved)], options)
        linear = (views.albedo * views.shading[:, 0]).clamp(min=0)
        exposure = 0.18 / linear[0].mean().clamp(min=1e-6)
        pictures = linear_to_srgb((linear * exposure).clamp(max=1)).permute(0, 2, 3, 1).mul(255).round().byte().numpy()
        (folder / f"{seed}").mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, 1):
            Image.fromarray(picture).save(folder / f"{seed}" / f"{number}.png")


def configuration(stage: str, start: str, steps: int) -> str:
    """Return the configuration of a stage."""
    folder = PAIRS.get(stage, "views")
    first = f'start = "{start}"\n' if start else 'licence = "Apache-2.0"\n'
    schedule = f"steps = {steps}\nbatch = 8\nrate = 1e-3\nweight_decay = 0.01\nwarm_up = 0.05\n"
    return (
        f'run = "{stage}"\n{first}\n[[pairs]]\nfolder = "{folder}"\nlicence = "Apache-2.0"\n{NETWORK}\n'
        f'[schedule]\n{schedule}decay = "cosine"\nema = 0.99\n\n[log]\nevery = 10\nheld_out = {HELD_OUT}\n'
    )


@app.command()
def small(
    runs: Annotated[Path, typer.Argument(help="Folder of the views and the runs; finished ones are kept.")],
    scale: Annotated[float, typer.Option(help="Take so many times the steps.")] = 1.0,
) -> None:
    """Train the stages one after the other and print the losses at both ends and the figures on held-out views."""
    render(runs / "views", 0, VIEWS)
    render(runs / "shadowed", VIEWS, VIEWS, ALWAYS)
    render_viewpoints(runs / "viewpoints", 0, SCENES)
    start = ""
    for stage, steps in STEPS.items():
        config = runs / f"{stage}.toml"
        config.write_text(configuration(stage, start, round(steps * scale)))
        began = time.monotonic()
        command = [sys.executable, "-m", "relight_cli", "train", stage, str(config), "--quiet", "--device", "cpu"]
        subprocess.run(command, check=True)
        seconds = time.monotonic() - began
        start = f"{stage}/croco.pth" if stage == "croco" else f"{stage}/{stage}.safetensors"
        print(f"{stage}: {seconds:.0f} s; {reached(runs / stage / 'log.jsonl')}", flush=True)


def reached(log: Path) -> str:
    """Return the training losses of a log, of its first ten steps and its last fifty, and the last held-out figures."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    losses, figures = ([x for x in lines if ("rate" in x) == trained] for trained in (True, False))
    changes = []
    for name in (name for name in losses[0] if name not in ("step", "rate", "seconds")):
        first, last = losses[0][name], fmean(one[name] for one in losses[-SMOOTHED:])
        changes.append(f"{name} {first:.4f} -> {last:.4f} ({last / first:.0%})")
    return ", ".join(changes) + "; " + ", ".join(f"{k} {v:.2f}" for k, v in figures[-1].items() if k != "step")


@app.command()
def published(
    stages: Annotated[str, typer.Option(help="Stages to count.")] = "croco,decoder,light,shadow",
    tile: Annotated[int, typer.Option(help="Side of a tile, in pixels.")] = 448,
    flops: Annotated[float, typer.Option(help="TFLOP/s that a GPU reaches: 40 % of an A100's 312 in bfloat16.")] = 125,
) -> None:
    """Count the work and the memory of one sample of each stage at the published size, without computing it.

    A product and its sum are two operations. Activations are those that the backward pass needs, in float32, with fused
    attention and without checkpointing. Weights are all of the network, with gradients and Adam of what is trained.
    """
    for stage in stages.split(","):
        with torch.device("meta"):
            counted = step_of(stage, tile)
        counted.freeze()
        kept: dict[int, tuple[int, torch.Tensor]] = {}  # bytes by storage; the tensor keeps the number in use
        weights = {p.untyped_storage()._cdata for p in counted.parameters()}

        def keep(tensor: torch.Tensor, weights: set[int] = weights, kept: dict = kept) -> torch.Tensor:
            if (storage := tensor.untyped_storage())._cdata not in weights:
                kept[storage._cdata] = storage.nbytes(), tensor
            return tensor

        pictures = torch.empty(1, 1 if stage == "decoder" else 2, 3, tile, tile, device="meta")
        with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            counted(pictures, torch.arange(1))["total"].backward()
        trained, whole = (sum(p.numel() for p in of) for of in (counted.trained().values(), counted.parameters()))
        work = counter.get_total_flops()
        activations = sum(size for size, _ in kept.values()) / 1e9
        hours = work * 1e6 / flops / 1e12 / 3600
        print(
            f"{stage}: {trained / 1e6:.1f} of {whole / 1e6:.1f} M parameters trained; "
            f"a sample {work / 1e12:.2f} TFLOP, activations {activations:.1f} GB; "
            f"weights, gradients and Adam {4 * (whole + 3 * trained) / 1e9:.1f} GB; "
            f"a million samples {hours:.1f} GPU-hours",
            flush=True,
        )


@app.command()
def one_step(
    stage: Annotated[str, typer.Argument(help="croco, decoder, light, shadow or albedo.")],
    tile: Annotated[int, typer.Option(help="Side of a tile, in pixels.")] = 448,
    batch: Annotated[int, typer.Option(help="Samples of the step.")] = 1,
    device: str = "cpu",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    checkpointing: bool = True,
    repeat: Annotated[int, typer.Option(help="Steps; the fastest counts.")] = 1,
) -> None:
    """Take a step of a stage at the published size, with random weights; print processor seconds and peak memory."""
    torch.manual_seed(0)
    measured = step_of(stage, tile).to(device)
    measured.freeze()
    if checkpointing:
        checkpoint_activations(measured.network)
    optimiser = torch.optim.Adam(measured.trained().values(), 5e-5)
    pictures = torch.rand(batch, 1 if stage == "decoder" else 2, 3, tile, tile, device=device)
    seconds = []
    for _ in range(repeat):
        began, clock = time.process_time(), time.monotonic()
        kind, dtype = torch.device(device).type, getattr(torch, precision)
        with torch.autocast(kind, dtype, dtype != torch.float32):
            loss = measured(pictures, torch.arange(batch))["total"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
            seconds.append(time.monotonic() - clock)
        else:
            seconds.append(time.process_time() - began)
    peak = torch.cuda.max_memory_allocated() if device.startswith("cuda") else peak_memory() or 0
    print(f"{stage}, checkpointing {checkpointing}: {min(seconds):.1f} s, {peak / 1e9:.2f} GB", flush=True)


def step_of(stage: str, tile: int) -> Stage:
    """Return a stage at the published size, with random weights."""
    if stage == "croco":
        return CroCoStage(CroCo(CroCoConfig(image_size=tile)), 0.9)
    network = CroCoDiLight(CroCoDiLightConfig(tile_size=tile))
    if stage in ("shadow", "albedo"):
        sizes = network.config
        network.mappers[stage] = BlockStack(sizes, sizes.relighting_depth, sizes.heads, sizes.mlp_ratio)
        return MapperStage(network, stage)
    widths = (64, 128, 256, 512, 512)
    lpips: nn.Module = LPIPS(Backbone("vgg"), [torch.rand(width) for width in widths]).requires_grad_(False)
    loss = ImageLoss(lpips, 0.5, 0.5)
    return DecoderStage(network, loss) if stage == "decoder" else LightStage(network, loss, 0.3)


if __name__ == "__main__":
    app()
