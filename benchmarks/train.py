"""Train a small CroCoDiLight through all stages on rendered pairs, or measure a step of the published size.

python benchmarks/train.py small RUNS    renders views, trains the stages by the command, prints what they reach
python benchmarks/train.py published     measures memory and time of a step of each stage, with random weights
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import nn

from relight_cli.jobs.memory import peak_memory
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
from relight_cli.training.scenes.scenes import SceneOptions, render_views

app = typer.Typer(no_args_is_help=True, help=__doc__)

VIEWS, HELD_OUT, SIZE = 192, 32, 64
SHARD = 16
STEPS = {"croco": 1500, "decoder": 800, "light": 1200, "shadow": 300, "albedo": 300}
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
croco_decoder_width = 96
croco_decoder_depth = 2
croco_decoder_heads = 4

[crops]
mask = 0.5
shift = 0.05

[loss]
metric = "gradients"

[machine]
precision = "float32"
"""


def render(folder: Path, first: int, count: int) -> None:
    """Render views of procedural scenes under three lights, as `relight_cli.training.views` stores them."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count, SHARD):
        path = folder / f"views_{seed:08d}.npy"
        if not path.exists():
            views = render_views(seed, SHARD, SceneOptions(size=SIZE, lights=3))
            layers = torch.cat((views.albedo[:, None], views.shading, views.shadow_free), dim=1)
            np.save(path, layers.clamp(max=6e4).half().numpy())


def configuration(stage: str, start: str, steps: int) -> str:
    """Return the configuration of a stage."""
    first = f'start = "{start}"\n' if start else 'licence = "Apache-2.0"\n'
    schedule = f"steps = {steps}\nbatch = 8\nrate = 2e-3\nweight_decay = 0.01\nwarm_up = 0.05\n"
    return (
        f'run = "{stage}"\n{first}\n[[pairs]]\nfolder = "views"\nlicence = "Apache-2.0"\n{NETWORK}\n'
        f'[schedule]\n{schedule}decay = "cosine"\nema = 0.99\n\n[log]\nevery = 50\nheld_out = {HELD_OUT}\n'
    )


@app.command()
def small(
    runs: Annotated[Path, typer.Argument(help="Folder of the views and the runs; finished ones are kept.")],
    scale: Annotated[float, typer.Option(help="Take so many times the steps.")] = 1.0,
) -> None:
    """Train the stages one after the other and print the losses at both ends and the figures on held-out views."""
    render(runs / "views", 0, VIEWS)
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
    """Return the first and the last mean losses of a log, and the last figures on held-out views."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    losses, figures = ([x for x in lines if ("rate" in x) == trained] for trained in (True, False))
    first, last = losses[0], losses[-1]
    names = [name for name in first if name not in ("step", "rate", "seconds")]
    changes = ", ".join(f"{name} {first[name]:.4f} -> {last[name]:.4f}" for name in names)
    return f"{changes}; " + ", ".join(f"{k} {v:.2f}" for k, v in figures[-1].items() if k != "step")


@app.command()
def published(
    stages: Annotated[str, typer.Option(help="Stages to measure.")] = "croco,decoder,light,shadow",
    tile: Annotated[int, typer.Option(help="Side of a tile, in pixels.")] = 448,
    batch: Annotated[int, typer.Option(help="Samples of the step.")] = 1,
    device: str = "cpu",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
) -> None:
    """Take one step of each stage at the published size, with random weights and LPIPS on VGG-16; each in a process."""
    for stage in stages.split(","):
        for checkpointing in (False, True):
            words = [stage, str(tile), str(batch), device, precision, str(checkpointing)]
            subprocess.run([sys.executable, __file__, "one-step", *words], check=True)


@app.command(hidden=True)
def one_step(stage: str, tile: int, batch: int, device: str, precision: str, checkpointing: str) -> None:
    """Take two steps and print the processor seconds of the second, and the most memory."""
    torch.manual_seed(0)
    measured = step_of(stage, tile).to(device)
    measured.freeze()
    if checkpointing == "True":
        checkpoint_activations(measured.network)
    parameters = list(measured.trained().values())
    optimiser = torch.optim.Adam(parameters, 5e-5)
    views = 1 if stage == "decoder" else 2
    pictures = torch.rand(batch, views, 3, tile, tile, device=device)
    seconds = [0.0, 0.0]
    for number in range(2):
        began = time.process_time()
        kind, dtype = torch.device(device).type, getattr(torch, precision)
        with torch.autocast(kind, dtype, dtype != torch.float32):
            loss = measured(pictures, torch.arange(batch))["total"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds[number] = time.process_time() - began
    peak = torch.cuda.max_memory_allocated() if device.startswith("cuda") else peak_memory() or 0
    trained, all_of_it = (sum(p.numel() for p in of) / 1e6 for of in (parameters, measured.network.parameters()))
    print(
        f"{stage}, checkpointing {checkpointing}: {trained:.1f} of {all_of_it:.1f} M parameters trained, "
        f"{seconds[1]:.1f} s, {peak / 1e9:.2f} GB",
        flush=True,
    )


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
