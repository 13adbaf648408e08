"""Train the network that takes the light of a soft reference of the same view over to a photo.

python -m relight_cli.training.light_transfer PHOTOS VIEWS RUN

PHOTOS are any photos, VIEWS those of relight_cli.training.geometry_views. A pair is one view under two lights; the
second is the truth, and the reference is what is left of it after patches of other pictures were pasted over it and it
was made soft.
"""

import json
import math
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.light_transfer import LightTransferNet
from relight_cli.relighting.gain import LARGEST
from relight_cli.relighting.light_transfer import CHANNELS, TransferInput
from relight_cli.training.light_pairs import LightPairs, LitSources, Pair

FLOOR = 3e-4  # mean square below which a picture is good enough: 35 dB
SHOWN, WARM_UP = 25, 15  # steps
KEPT = 240  # pairs, which are drawn more than once
INSIDE, TRUST = 0.7, 0.3  # weights of what is under patches, and of knowing where they are


def batch_of(pairs: list[Pair]) -> dict[str, Tensor]:
    """Return features, quotient, photo, truth and patches of pairs as (B, C, S, S)."""
    made = [TransferInput.of(p.photo, p.reference, p.cells) for p in pairs]
    maps = {
        "features": [x.features for x in made],
        "quotient": [x.quotient for x in made],
        "around": [x.around for x in made],
        "agreed": [x.agreed[..., None] for x in made],
        "photo": [p.photo for p in pairs],
        "truth": [p.truth for p in pairs],
        "patch": [p.patch[..., None] for p in pairs],
    }
    return {name: torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2).contiguous() for name, x in maps.items()}


def drawn(kept: list[dict[str, Tensor]], count: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Draw a batch from pairs, half of them mirrored along each side."""
    batch = [kept[n] for n in rng.choice(len(kept), count, replace=len(kept) < count)]
    sides = [[side for side in (2, 3) if rng.random() < 0.5] for _ in batch]
    return {name: torch.cat([x[name].flip(s) for x, s in zip(batch, sides, strict=True)]) for name in batch[0]}


def errors(network: LightTransferNet, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean squares in sRGB of each picture (B,) outside and inside patches, and the loss of trust."""
    with torch.autocast("cpu", torch.bfloat16):
        maps = network(batch["features"].contiguous(memory_format=torch.channels_last))
    trust, share, correction = (x.float() for x in maps)
    quotient, around = batch["quotient"], batch["around"]
    gain = around + torch.sigmoid(share + batch["agreed"]) * (quotient - around) + correction
    lit = linear_to_srgb((batch["photo"] * torch.exp2(gain.clamp(-LARGEST, LARGEST))).clamp(0, 1))
    squares = (lit - linear_to_srgb(batch["truth"])) ** 2
    inside = batch["patch"]
    means = [(squares * w).mean((1, 2, 3)) / w.mean((1, 2, 3)).clamp(min=1e-3) for w in (1 - inside, inside)]
    return means[0], means[1], F.binary_cross_entropy_with_logits(trust + batch["agreed"], 1 - inside)


def train(
    photos: Annotated[Path, typer.Argument()],
    views: Annotated[Path, typer.Argument()],
    run: Annotated[Path, typer.Argument()],
    steps: Annotated[int, typer.Option()] = 1600,
    minutes: Annotated[float, typer.Option(help="The schedule ends with the steps or the minutes.")] = 1e6,
    batch: Annotated[int, typer.Option()] = 12,
    rate: Annotated[float, typer.Option()] = 2.5e-3,
    seed: Annotated[int, typer.Option()] = 1,
    start: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
) -> None:
    """Train on a cosine schedule; write RUN/light_transfer.safetensors and RUN/log.jsonl."""
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    network = LightTransferNet(CHANNELS)
    maker = LightPairs(LitSources.of(photos, views), seed)
    if start:
        network.load_state_dict({name: value.float() for name, value in load_file(start).items()})
    optimiser = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-3)
    figures, begun, step, done = [], time.monotonic(), 0, 0.0
    kept: list[dict[str, Tensor]] = []
    while done < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done))
        kept = [*kept, *(batch_of([maker.pair()]) for _ in range(max(1, batch // 2) if kept else batch))][-KEPT:]
        outside, inside, trust = errors(network, drawn(kept, batch, maker.rng))
        loss = (outside + FLOOR).log().mean() + INSIDE * (inside + FLOOR).log().mean() + TRUST * trust
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        done = max(step / steps, (time.monotonic() - begun) / 60 / minutes)
        figures.append([*(-10 * (x.detach() + FLOOR).log10().mean().item() for x in (outside, inside)), trust.item()])
        if step % SHOWN == 0 or done >= 1:
            means = dict(zip(("outside", "inside", "trust"), np.mean(figures[-SHOWN:], axis=0).tolist(), strict=True))
            with (run / "log.jsonl").open("a") as file:
                file.write(json.dumps({"step": step, "seconds": round(time.process_time())} | means) + "\n")
            state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
            save_file(state, run / "light_transfer.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(train)
