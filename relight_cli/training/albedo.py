"""Train the albedo network; a run can be resumed.

python -m relight_cli.training.albedo PHOTOS RUN --views VIEWS --grounds GROUNDS --held-out HELD_OUT --minutes 60
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import typer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.network_files import to_store
from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.albedo import AlbedoConfig, AlbedoNetwork
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.interface import ALBEDO
from relight_cli.models.log_light import log_light_change, log_linear
from relight_cli.models.tiny import Tiny
from relight_cli.models.tiny_views import TinyView
from relight_cli.training.albedo_pictures import AlbedoPictures, Batch
from relight_cli.training.grounds import Grounds
from relight_cli.training.losses import Losses, albedo_terms, edge_loss, recorded_mask
from relight_cli.training.pairs import LitViews
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.run_folder import RunFolder
from relight_cli.training.start import load_exported, require_new
from relight_cli.training.steps import Schedule, take_steps
from relight_cli.training.views import RenderedViews

LOG_EVERY = 100  # steps
SCALES = 3  # of the edges' loss
PHOTOS = 0.15  # weight of the loss of photos
GROUNDS = 0.08  # of grounds, as a share of views


class Run:
    """A training run in a folder, of one decoder: it, its moving average and the optimiser.

    `tiny` and the encoder, from the package, stay as they are.
    """

    def __init__(self, folder: Path, rate: float, *, alone: bool = False, start: Path | None = None) -> None:
        """Resume the run in the folder, or start one: of the decoder that refines, or of the one that sees alone.

        A new run starts from the decoder in the exported file `start`, if given, and goes on with its recipe.
        """
        self.name = "alone" if alone else "refining"
        self.tiny = None if alone else load_tiny(dtype=torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = AlbedoNetwork(AlbedoConfig(), load_geometry().encoder)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=averaging)
        self.averaged = cast(AlbedoNetwork, self.average.module)
        self.decoder = self.model.get_submodule(self.name)
        self.optimiser = torch.optim.AdamW(self.decoder.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.step, self.recipe = 0, list[dict[str, Any]]()
        averaged = self.averaged.get_submodule(self.name)
        self.folder = RunFolder(folder, {"model": self.decoder, "average": averaged, "optimiser": self.optimiser})
        if found := self.folder.restore():
            self.step, self.recipe = found
        elif start:
            self.recipe = load_exported(start, (self.decoder, averaged), self.name)

    def advance(self, pictures: AlbedoPictures, count: int, seed: int, rate: float) -> dict[str, float]:
        """Take one step; its number and the seed decide what it learns from."""
        batch = pictures.draw(count, np.random.default_rng((seed, self.step)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        losses = network_losses(self.model, self.tiny, batch)
        total = torch.stack(list(losses.values())).sum()
        self.step += 1
        if total.isfinite():
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()
            torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
            self.optimiser.step()
            self.average.update_parameters(self.model)
        return {name: loss.item() for name, loss in losses.items()}

    def export(self, target: Path, figures: dict[str, Any]) -> None:
        """Write the averaged decoder into a file, next to the other decoder if the file has it.

        The metadata have the config and, of each decoder, the recipe and the last figures.
        """
        weights, described = dict[str, Tensor](), dict[str, str]()
        if target.exists():
            weights = {key: value for key, value in load_file(target).items() if not key.startswith(self.name)}
            with safe_open(target, "pt") as file:
                described = file.metadata()
        described |= {"config": json.dumps(asdict(self.model.config)), "licence": "Apache-2.0"}
        described[self.name] = json.dumps({"recipe": self.recipe, "figures": figures})
        learned = self.averaged.get_submodule(self.name).state_dict()
        weights |= to_store({f"{self.name}.{key}": value for key, value in learned.items()})
        save_file(weights, target, described)


def coefficients(network: AlbedoNetwork, tiny: Tiny | None, pictures: Tensor, guide: Tensor) -> Tensor:
    """Return the coefficients (N, 6, H / 4, W / 4) of the decoder that refines `tiny`, or of the other without it."""
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    mixed = torch.autocast("cpu", torch.bfloat16, enabled=torch.is_grad_enabled())
    with torch.no_grad(), mixed:
        seen = network.encode(pictures)
    if tiny is None:
        with mixed:
            return network.alone(seen, guide).float()
    with torch.no_grad():
        view = TinyView(tiny, pictures)
        found = view.coefficients(ALBEDO)
    with mixed:
        return network.refined(seen, guide, view.maps, found)


def network_losses(network: AlbedoNetwork, tiny: Tiny | None, batch: Batch) -> Losses:
    """Return the losses of a batch at every second pixel of every second row: of its views, and of its photos.

    What is known of a photo is the factor between two lights: its albedo has to be the same under both.
    """
    guide = log_linear(batch.pictures)
    change = log_light_change(guide, coefficients(network, tiny, batch.pictures, guide))
    change, guide, pictures, to_white, to_other = (
        x[..., batch.row :: 2, batch.column :: 2]
        for x in (change, guide, batch.pictures, batch.to_white, batch.to_other)
    )
    views = len(to_white)
    losses = albedo_terms(change[:views], pictures[:views], guide[:views], to_white, SCALES)
    if len(to_other):
        a, b = change[views:].chunk(2)
        recorded = torch.stack(recorded_mask(pictures[views:]).chunk(2)).prod(0)
        error = (b - a + to_other).clamp(-4, 4)
        share = recorded.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
        error = (error - (error * recorded).mean((1, 2, 3), keepdim=True) / share) * recorded
        edges = sum(edge_loss(torch.nn.functional.avg_pool2d(error, 2**k)) for k in range(SCALES))
        losses["photos"] = PHOTOS * (error.abs().mean() + edges / 2)
    return losses


@torch.no_grad()
def evaluate(network: AlbedoNetwork, tiny: Tiny | None, held_out: RenderedViews) -> float:
    """Return the mean PSNR in dB of the albedo of held-out views under their first light, each at its best scale."""
    found = list[Tensor]()
    albedo, shading, _ = held_out.whole()
    for truth, light in zip(albedo.split(8), shading[:, 0].split(8), strict=True):
        pictures = (linear_to_srgb((truth * light).clamp(0, 1)) * 255).round() / 255
        guide = log_linear(pictures)
        change = log_light_change(guide, coefficients(network, tiny, pictures, guide))
        made = srgb_to_linear(pictures) * change.exp()
        scale = (made * truth).sum((1, 2, 3), keepdim=True) / made.square().sum((1, 2, 3), keepdim=True)
        off = linear_to_srgb((made * scale).clamp(0, 1)) - linear_to_srgb(truth.clamp(0, 1))
        found.append(-10 * off.square().mean((1, 2, 3)).log10())
    return float(torch.cat(found).nanmean())


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; eight are held out.")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; an earlier run there is resumed.")],
    views: Annotated[list[Path], typer.Option(help="Folder of views (relight_cli.training.views); repeatable.")],
    held_out: Annotated[list[Path], typer.Option(help="Folder of held-out views; repeatable.")],
    share: Annotated[list[float] | None, typer.Option(help="Weight of each folder of views; all alike.")] = None,
    grounds: Annotated[Path | None, typer.Option(help="Folder of grounds (relight_cli.training.grounds).")] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Train the decoder that does not see the maps of tiny.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(help="The safetensors file whose decoder a new run starts from; its recipe stays."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="The safetensors file to write at the end; the other decoder in it stays.")
    ] = None,
    minutes: float = 60,
    steps: Annotated[int, typer.Option(help="Length of the learning-rate schedule, and of the run.")] = 4000,
    batch: Annotated[int, typer.Option(help="Pictures of 256 pixels in a batch, two for each view.")] = 8,
    rate: float = 1e-3,
    seed: int = 1,
) -> None:
    """Train until the schedule or the minutes end; write RUN/checkpoint.pt and RUN/log.jsonl."""
    require_new(folder, start)
    torch.manual_seed(seed)
    run = Run(folder, rate, alone=alone, start=start)
    folders: list[LitViews] = [RenderedViews(path, varied=True) for path in views]
    shares = share or [1 / len(folders)] * len(folders)
    if grounds:
        folders, shares = [*folders, Grounds(grounds)], [*shares, GROUNDS * sum(shares)]
    pictures = AlbedoPictures(folders, shares, PhotoCrops(split(photos)[0]))
    tests = {f"psnr_{path.name}": RenderedViews(path) for path in held_out}
    source = {"views": sum(RenderedViews(path).count for path in views)} | ({"start": start.name} if start else {})
    figures = take_steps(
        run,
        Schedule(steps, batch, rate, seed),
        source,
        lambda rate: run.advance(pictures, batch, seed, rate),
        lambda: {name: round(evaluate(run.averaged, run.tiny, test), 2) for name, test in tests.items()},
        minutes=minutes,
        log_every=LOG_EVERY,
    )
    if export:
        run.export(export, figures)


if __name__ == "__main__":
    typer.run(main)
