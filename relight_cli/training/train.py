"""Train all of `tiny`; a run can be resumed.

python -m relight_cli.training.train PHOTOS RUN --views VIEWS --minutes 60

With N workers (`workers.py`) each step learns from N batches.
"""

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import typer
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.tiny import Tiny, TinyConfig
from relight_cli.training.grounds import Grounds
from relight_cli.training.losses import albedo_losses, light_losses, shadow_losses
from relight_cli.training.pairs import LitViews, Pairs, mixed_pairs, photo_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.run_folder import RunFolder
from relight_cli.training.sheets import sample_sheet, save_picture
from relight_cli.training.start import load_exported, require_new
from relight_cli.training.steps import begin_stage, learning_rate
from relight_cli.training.views import RenderedViews
from relight_cli.training.workers import any_rank, average_gradients, process_group, world_size

SIZES = (128, 128, 160, 192, 256, 320)  # sides of crops, in pixels
MAPPERS = ("shadow", "albedo")
TURNS = {"light": light_losses, "shadows": shadow_losses, "albedo": albedo_losses}
WARM_UP = 300  # steps
LOG_EVERY, SHEET_EVERY = 400, 2000  # steps
Batch = tuple[str, Pairs]
"""The name of a step's turn, which selects its losses, and the pictures that it learns from."""


@dataclass(frozen=True)
class Mixture:
    """The data of a run.

    The number of a step and the rank of its worker seed its draw, so that a resumed run draws the same.
    """

    crops: PhotoCrops
    known: Sequence[LitViews]
    turns: list[str]
    photo_share: float
    pixels: int  # in the first pictures of a batch
    seed: int
    rank: int  # of this worker
    device: str

    def draw(self, step: int) -> Batch:
        """Draw the pictures of a step."""
        rng = np.random.default_rng((self.seed, step, self.rank))
        size = int(rng.choice(SIZES))
        turn = self.turns[step % len(self.turns)]
        share = 0.0 if turn == "albedo" and self.known else self.photo_share  # the albedo of photos is unknown
        count = max(1, self.pixels // size**2)
        return turn, mixed_pairs(self.crops, self.known, count, size, rng, self.device, share)


def prefetched(draw: Callable[[int], Batch], step: int) -> Generator[Batch, None, None]:
    """Yield the batch of each step from `step` on; a thread draws the next while the network learns."""
    with ThreadPoolExecutor(1) as executor:
        following = executor.submit(draw, step)
        while True:
            batch, step = following.result(), step + 1
            following = executor.submit(draw, step)
            yield batch


class Run:
    """A training run: the network, its moving average and the optimiser, kept in a folder."""

    def __init__(self, folder: Path, start: Path | None, device: str) -> None:
        """Resume the run in the folder, or start a new one, from exported weights if given."""
        self.model = Tiny(TinyConfig(mappers=MAPPERS)).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=averaging)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.step, self.recipe = 0, list[dict[str, Any]]()
        parts = {"model": self.model, "average": self.average, "optimiser": self.optimiser}
        self.folder = RunFolder(folder, parts)
        if found := self.folder.restore(device):
            self.step, self.recipe = found
        elif start:
            self.recipe = load_exported(start, (self.model, self.average.module))

    def advance(self, pairs: Pairs, rate: float, turn: str) -> dict[str, float]:
        """Take one step with the losses of `turn`; return them."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(pairs.a.device.type, torch.bfloat16):
            losses = TURNS[turn](self.model, pairs)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        average_gradients(self.model)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if norm.isfinite():  # an overflow skips only this step
            self.optimiser.step()
            self.average.update_parameters(self.model)
        self.step += 1
        return {name: loss.item() for name, loss in losses.items()} | {"overflows": float(not norm.isfinite())}

    def save(self, record: dict[str, Any]) -> None:
        """Append a line to the log and replace the checkpoint."""
        self.folder.save(self.step, self.recipe, record)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Return the PSNR in dB of each picture of a batch, in [0, 1]."""
    return -10 * (x.clamp(0, 1) - y).square().mean(dim=(1, 2, 3)).clamp(min=1e-10).log10()


@torch.no_grad()
def evaluate(model: Tiny, pairs: Pairs) -> dict[str, float]:
    """Return the mean PSNR in dB of relighting a by b (model, untouched, one gain per channel) and of deshadowing a."""
    intrinsic, own = model.delight(model.encode(pairs.a))
    _, light = model.delight(model.encode(pairs.b))
    relit = model.decode(model.relight(intrinsic, model.adapt_illumination(light, own)))
    mean_gain = pairs.a * (pairs.b.mean((2, 3), keepdim=True) / pairs.a.mean((2, 3), keepdim=True).clamp(min=1e-3))
    pictures = {"untouched": pairs.a, "mean_gain": mean_gain, "model": relit}
    figures = {name: round(psnr(x, pairs.b).mean().item(), 2) for name, x in pictures.items()}
    free = linear_to_srgb((srgb_to_linear(pairs.a) * pairs.to_free[0].exp()).clamp(0, 1))
    deshadowed = model.decode(model.relight(intrinsic, model.map_illumination("shadow", intrinsic, own)))
    pictures = {"shadowed": pairs.a, "deshadowed": deshadowed}
    known = ~free.isnan().any(1).any(1).any(1)
    return figures | {name: round(psnr(x, free)[known].mean().item(), 2) for name, x in pictures.items()}


def learn(run: Run, mixture: Mixture, held_out_pairs: Pairs, *, steps: int, rate: float, minutes: float) -> None:
    """Train until the schedule or the minutes end; save the run every `LOG_EVERY` steps and at the end."""
    started, losses, done = time.monotonic(), list[dict[str, float]](), run.step >= steps
    with closing(prefetched(mixture.draw, run.step)) as batches:
        while not done:
            turn, pairs = next(batches)
            losses.append(run.advance(pairs, learning_rate(run.step, steps, rate, WARM_UP), turn))
            seconds = time.monotonic() - started
            done = any_rank(run.step >= steps or seconds >= minutes * 60)
            if done or run.step % LOG_EVERY == 0:
                if mixture.rank == 0:
                    record_progress(run, losses, held_out_pairs, seconds)
                losses.clear()


def record_progress(run: Run, losses: list[dict[str, float]], held_out_pairs: Pairs, seconds: float) -> None:
    """Save the run with its mean losses and figures on held-out pictures; write a sheet every `SHEET_EVERY` steps."""
    record: dict[str, Any] = {"step": run.step, "seconds": round(seconds)}
    names = dict.fromkeys(name for parts in losses for name in parts)
    record |= {n: round(float(np.mean([parts[n] for parts in losses if n in parts])), 4) for n in names}
    average = cast(Tiny, run.average.module.eval())
    run.save(record | evaluate(average, held_out_pairs))
    if run.step % SHEET_EVERY == 0:
        save_picture(sample_sheet(average, held_out_pairs), run.folder.path / f"sheet_{run.step:06d}.png")


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos to train on.")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; an earlier run there is resumed.")],
    views: Annotated[Path | None, typer.Option(help="Folder of rendered views.")] = None,
    grounds: Annotated[Path | None, typer.Option(help="Folder of painted grounds.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Exported weights that a new run starts from; their recipe stays.")
    ] = None,
    turns: Annotated[
        str, typer.Option(help="The losses that steps train in turn: light, shadows or albedo.")
    ] = "light,shadows,albedo",
    photo_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of photos among the pictures; the rest are views and grounds.")
    ] = 0.33,
    minutes: float = 60,
    steps: Annotated[int, typer.Option(help="Length of the whole learning-rate schedule.")] = 9000,
    pixels: Annotated[int, typer.Option(help="Pixels of the first pictures of a worker's batch.")] = 110_000,
    rate: float = 7e-4,
    seed: int = 1,
    device: str = "cpu",
) -> None:
    """Train until the schedule or the minutes end; write RUN/checkpoint.pt, RUN/log.jsonl and sample sheets."""
    if unknown := set(turns.split(",")) - set(TURNS):
        raise typer.BadParameter(f"unknown turns {', '.join(sorted(unknown))}: choose from {', '.join(TURNS)}.")
    require_new(folder, start)
    torch.manual_seed(seed)
    train, held_out = split(photos)
    known = ([RenderedViews(views, varied=True)] if views else []) + ([Grounds(grounds)] if grounds else [])
    held_out_pairs = photo_pairs(PhotoCrops(held_out), 16, 256, np.random.default_rng(seed + 1000), device)
    with process_group() as rank:
        run = Run(folder, start, device)
        mixture = Mixture(PhotoCrops(train), known, turns.split(","), photo_share, pixels, seed, rank, device)
        data = {"photos": len(train), "views": [views.count for views in known], "start": start.name if start else None}
        schedule = {"pixels": pixels, "sizes": SIZES, "rate": rate, "seed": seed}
        shares = {"turns": turns, "photo_share": photo_share, "workers": world_size()}
        begin_stage(run, steps, schedule | shares | data | {"config": asdict(run.model.config)})
        learn(run, mixture, held_out_pairs, steps=steps, rate=rate, minutes=minutes)


if __name__ == "__main__":
    typer.run(main)
