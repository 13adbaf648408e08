"""Train the decoder of the sky of the geometry network; a run can be resumed.

python -m relight_cli.training.sky PHOTOS MASKS VIEWS RUN --export relight_cli/data/geometry.safetensors
"""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
import typer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from relight_cli.checkpoints.geometry import geometry_sha256, load_geometry
from relight_cli.checkpoints.network_files import to_store
from relight_cli.models.geometry import GeometryNetwork, SkyDecoder
from relight_cli.rasters.resizing import fit_within
from relight_cli.training.geometry_pictures import GeometryViews
from relight_cli.training.photos import split
from relight_cli.training.run_folder import RunFolder
from relight_cli.training.sky_pictures import NONE, SKY, SkyPhotos, SkyPictures
from relight_cli.training.steps import Schedule, take_steps

LOG_EVERY = 40  # steps
NEAR, BORDER = 7, 3.0  # side in pixels of what is near the border of the sky, and how much more it counts


class Run:
    """A training run in a folder: the decoder, its moving average and the optimiser. The rest of the network stays."""

    def __init__(self, folder: Path) -> None:
        """Resume the run in the folder, or start one from the network in the package."""
        self.model = load_geometry().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.sky.requires_grad_(True)
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
        self.average = torch.optim.swa_utils.AveragedModel(self.model.sky, multi_avg_fn=averaging)
        self.optimiser = torch.optim.AdamW(self.model.sky.parameters(), betas=(0.9, 0.98), weight_decay=0.02)
        self.step, self.recipe = 0, list[dict[str, Any]]()
        self.folder = RunFolder(folder, {"model": self.model.sky, "average": self.average, "optimiser": self.optimiser})
        if found := self.folder.restore():
            self.step, self.recipe = found

    def advance(self, pictures: SkyPictures, count: int, seed: int, rate: float) -> dict[str, float]:
        """Take one step; its number and the seed decide what it learns from."""
        batch, masks = pictures.draw(count, np.random.default_rng((seed, self.step)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.model.encoder(batch.contiguous(memory_format=torch.channels_last))
            logits = self.model.sky(maps, self.model.view(maps[-1]))
        loss = sky_loss(logits.float(), masks)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.sky.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.model.sky)
        self.step += 1
        return {"loss": loss.item()}

    @property
    def averaged(self) -> GeometryNetwork:
        """The network with the averaged decoder."""
        network = load_geometry()
        network.sky.load_state_dict(cast(SkyDecoder, self.average.module).state_dict())
        return network

    def export(self, target: Path, figures: dict[str, Any]) -> None:
        """Write the averaged decoder into the file of the network."""
        with safe_open(target, "pt") as file:
            described = file.metadata()
        others = json.loads(described["figures"])
        others.pop("sky_iou", None)  # of another decoder
        described["figures"] = json.dumps(others)
        learned = cast(SkyDecoder, self.average.module).state_dict()
        weights = load_file(target) | to_store({f"sky.{key}": value for key, value in learned.items()})
        save_file(weights, target, described | {"sky": json.dumps({"recipe": self.recipe, "figures": figures})})


def sky_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return the cross-entropy of logits (N, 1, h, w) where masks (N, 1, H, W) are known: 1 sky, 0 none.

    The border of the sky counts more, since a wrong one is a halo in every picture that is made with it.
    """
    large, wanted = F.interpolate(logits, masks.shape[-2:], mode="bilinear"), masks.clamp(min=0)
    near_sky, near_rest = (F.max_pool2d((masks == value).float(), NEAR, 1, NEAR // 2) for value in (1, 0))
    border = near_sky * near_rest
    weights = (1 + BORDER * border) * (masks >= 0)
    wrong = F.binary_cross_entropy_with_logits(large, wanted, reduction="none")
    return (wrong * weights).sum() / weights.sum().clamp(min=1)


@torch.no_grad()
def evaluate(network: GeometryNetwork, photos: SkyPhotos, views: GeometryViews) -> dict[str, float]:
    """Return the intersection over union of the sky in held-out photos and views, and the share called sky wrongly."""
    hit, either, wrong, none = (0.0, 0.0, 0.0, 0.0)
    for picture, mask in zip(photos.pictures, photos.masks, strict=True):
        size = fit_within(mask.shape[0], mask.shape[1], network.config.side)
        tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        seen = network.eval()(F.interpolate(tensor, size, mode="area")).sky
        found = (F.interpolate(seen, mask.shape, mode="bilinear")[0, 0] > 0.5).numpy()
        hit, either = hit + (found & (mask == SKY)).sum(), either + ((found & (mask == NONE)) | (mask == SKY)).sum()
        wrong, none = wrong + (found & (mask == NONE)).sum(), none + (mask == NONE).sum()
    batch = views.whole()
    sky = torch.cat([network(part).sky for part in batch.pictures.split(8)]) > 0.5
    truth = batch.disparity == 0
    figures = {
        "photos_iou": hit / max(either, 1),
        "photos_wrong": wrong / max(none, 1),
        "views_iou": float((sky & truth).sum() / (sky | truth).sum().clamp(min=1)),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos, some of which are held out.")],
    masks: Annotated[Path, typer.Argument(help="Folder of masks: NAME.png, 255 is sky, 0 none, 128 unknown.")],
    views: Annotated[Path, typer.Argument(help="Folder of views to train on (geometry_views).")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run; an earlier run there is resumed.")],
    held_out: Annotated[Path, typer.Option(help="Folder of held-out views.")],
    export: Annotated[Path | None, typer.Option(help="The file of the network that the decoder is written to.")] = None,
    minutes: float = 40,
    steps: Annotated[int, typer.Option(help="Length of the learning-rate schedule, and of the run.")] = 1500,
    batch: int = 8,
    rate: float = 2e-3,
    seed: int = 1,
) -> None:
    """Train until the schedule or the minutes end; write RUN/checkpoint.pt and RUN/log.jsonl."""
    if export and not export.exists():
        raise typer.BadParameter(f"{export} is no file: name that of the network, which the decoder is written into.")
    torch.manual_seed(seed)
    train, test = (SkyPhotos(paths, masks) for paths in split(photos))
    run, data, test_views = Run(folder), GeometryViews(views), GeometryViews(held_out)
    source = {"photos": len(train.pictures), "views": data.count, "network": geometry_sha256()}
    pictures = SkyPictures(train, data)
    figures = take_steps(
        run,
        Schedule(steps, batch, rate, seed),
        source,
        lambda rate: run.advance(pictures, batch, seed, rate),
        lambda: evaluate(run.averaged, test, test_views),
        minutes=minutes,
        log_every=LOG_EVERY,
    )
    if export:
        run.export(export, figures)


if __name__ == "__main__":
    typer.run(main)
