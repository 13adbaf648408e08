"""Train `tiny`'s encoder, delighting and relighting: one command, resumable.

python -m relight_cli.training.train PHOTOS RUN --minutes 60
"""

import json
import math
import time
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import torch
import typer
from torch import Tensor

from relight_cli.models.tiny import Tiny, TinyConfig
from relight_cli.training.losses import cross_lighting
from relight_cli.training.pairs import Pairs, joined, photo_pairs, view_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.views import RenderedViews

SIZES = (96, 96, 96, 128, 128, 128, 160, 160, 224, 320)  # crops' sides: mostly many small ones


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Give the PSNR in dB of each of a batch of pictures in [0, 1]."""
    return -10 * (x.clamp(0, 1) - y).square().mean(dim=(1, 2, 3)).clamp(min=1e-10).log10()


@torch.no_grad()
def judge(model: Tiny, pairs: Pairs) -> dict[str, float]:
    """Relight a by b: mean PSNR in dB of the untouched picture, of one gain a channel, and of the model."""
    intrinsic, _ = model.delight(model.encode(pairs.a))
    _, light = model.delight(model.encode(pairs.b))
    relit = model.decode(model.relight(intrinsic, light))
    mean_gain = pairs.a * (pairs.b.mean((2, 3), keepdim=True) / pairs.a.mean((2, 3), keepdim=True).clamp(min=1e-3))
    pictures = {"untouched": pairs.a, "mean_gain": mean_gain, "model": relit}
    return {name: round(psnr(x, pairs.b).mean().item(), 2) for name, x in pictures.items()}


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos to train on.")],
    run: Annotated[Path, typer.Argument(help="Folder of checkpoints and the log; an earlier run there goes on.")],
    views: Annotated[Path | None, typer.Option(help="Folder of rendered views, half of every batch.")] = None,
    minutes: float = 60,
    steps: Annotated[int, typer.Option(help="Length of the whole learning-rate schedule.")] = 20000,
    pixels: Annotated[int, typer.Option(help="Pixels in a batch's first pictures.")] = 110_000,
    rate: float = 7e-4,
    seed: int = 1,
    device: str = "cpu",
) -> None:
    """Train until the schedule or the minutes end; write run/checkpoint.pt and run/log.jsonl."""
    run.mkdir(parents=True, exist_ok=True)
    train, held_out = split(photos)
    crops, validation = PhotoCrops(train), PhotoCrops(held_out)
    judged = photo_pairs(validation, 32, 256, np.random.default_rng(seed + 1000), device)
    torch.manual_seed(seed)
    model = Tiny(TinyConfig()).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998))
    rendered = RenderedViews(views) if views else None
    step, checkpoint, recipe = 0, run / "checkpoint.pt", []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        average.module.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, recipe = state["step"], state["recipe"]
        average.n_averaged.fill_(1)
    mix = {"photos": len(train), "views": rendered.count if rendered else 0}
    recipe = [
        *recipe,
        {"from_step": step, **mix, "steps": steps, "pixels": pixels, "sizes": SIZES, "rate": rate, "seed": seed},
    ]
    started, losses = time.monotonic(), []
    while step < steps and time.monotonic() - started < minutes * 60:
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 300)
            group["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        rng = np.random.default_rng((seed, step))
        size = int(rng.choice(SIZES))
        count = max(1, pixels // size**2)
        pairs = photo_pairs(crops, count - count // 2 if rendered else count, size, rng, device)
        if rendered and count > 1:
            pairs = joined([pairs, view_pairs(rendered, count // 2, size, rng, device)])
        with torch.autocast(device.partition(":")[0], torch.bfloat16):
            loss = cross_lighting(model, pairs)
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(model)
        step += 1
        losses.append([loss.light.item(), loss.edges.item(), loss.picture.item()])
        if step % 200 == 0 or step == steps:
            light, edges, picture = np.mean(losses, axis=0).round(4).tolist()
            record = {
                "step": step,
                "seconds": round(time.monotonic() - started),
                "light": light,
                "edges": edges,
                "picture": picture,
            }
            record |= judge(cast(Tiny, average.module.eval()), judged)
            losses.clear()
            with (run / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
            state = {
                "model": model.state_dict(),
                "average": average.module.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "recipe": recipe,
            }
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


if __name__ == "__main__":
    typer.run(main)
