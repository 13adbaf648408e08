"""Rendered views on disk: this command renders them, the training reads them.

python -m relight_cli.training.views PHOTOS VIEWS --count 2000
"""

from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from torch import Generator, Tensor

from relight_cli.models.colour import srgb_to_linear
from relight_cli.training.environments import read_environments
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.scenes.deep_layouts import sample_varied_layout
from relight_cli.training.scenes.layouts import sample_layout
from relight_cli.training.scenes.object_layouts import object_mask, sample_object_layout
from relight_cli.training.scenes.scenes import SceneOptions, render_views

SHARD = 16  # views in a file
MIXED, MOST_MIXED = 0.25, 0.7  # share of pictures lit by two lights, and the second light's largest share
RECOLOURED = 0.5  # share of views whose albedo gets other colours
CONTRASTED, MOST_CONTRAST = 0.65, 3.0  # share of views whose albedo gets more contrast, and its largest power
EXPOSURE, TINT, POWER = 0.2, 0.1, 0.25  # standard deviations of logs: of all light, of a channel, of a power
HELD_OUT_SEED = 10_000_000  # seeds of held-out views start here


class Layouts(StrEnum):
    """What the views show."""

    PLAIN = "plain"
    VARIED = "varied"
    OBJECTS = "objects"


_DRAWS = {Layouts.PLAIN: sample_layout, Layouts.VARIED: sample_varied_layout, Layouts.OBJECTS: sample_object_layout}


class RenderedViews:
    """Views of a folder, mapped from disk: albedo, then L shadings, then the same L without cast shadows.

    With `varied`, views also appear in mixtures of their lights, since light adds up, in other colours and contrasts.
    """

    def __init__(self, folder: Path, *, varied: bool = False) -> None:
        self.varied = varied
        self.shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
        if not self.shards:
            raise ValueError(f"{folder} holds no rendered views: render some with relight_cli.training.views")
        self.count = sum(len(shard) for shard in self.shards)

    def draw(
        self, count: int, size: int, rng: np.random.Generator, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return albedo (B, 3, S, S), shading and shadow-free shading under two lights of each view (B, 2, 3, S, S).

        All are linear. Crops have at least half a view's side, and half of them are mirrored. With `varied`, each light
        may be a mixture of two of the view's, its exposure and tint change, and albedo may have other colours.
        """
        drawn = []
        for _ in range(count):
            shard = self.shards[rng.integers(len(self.shards))]
            lights, side = shard.shape[1] // 2, shard.shape[-1]
            chosen = rng.choice(lights, 2, replace=False)
            crop = int(rng.integers(side // 2, side + 1))
            y, x = rng.integers(side - crop + 1, size=2)
            layers = shard[rng.integers(len(shard))][..., y : y + crop, x : x + crop]
            view = torch.from_numpy(np.array(layers, np.float32))  # (1 + 2 L, 3, S, S)
            view = F.interpolate(view, size=(size, size), mode="area" if crop >= size else "bilinear")
            albedo, *shadings = view.split((1, lights, lights))
            if self.varied:
                weights, albedo = varied_lights(lights, chosen, rng), contrasted(recoloured(albedo, rng), rng)
            else:
                weights = np.eye(lights)[chosen][..., None]
            mixed = (torch.einsum("nlc,lchw->nchw", torch.from_numpy(weights).float(), x) for x in shadings)
            view = torch.cat((albedo, *mixed))
            drawn.append(view.flip(-1) if rng.random() < 0.5 else view)
        albedo, shading, free = torch.stack(drawn).to(generator.device).split((1, 2, 2), dim=1)
        return albedo[:, 0], shading, free

    def whole(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return all views: albedo (V, 3, H, W), shading and shadow-free shading under two lights (V, 2, 3, H, W).

        All are linear and on the CPU; the lights are the first two.
        """
        lights = self.shards[0].shape[1] // 2
        used = [0, 1, 2, 1 + lights, 2 + lights]
        layers = torch.from_numpy(np.concatenate([shard[:, used] for shard in self.shards])).float()
        albedo, shading, free = layers.split((1, 2, 2), dim=1)
        return albedo[:, 0], shading, free


def varied_lights(lights: int, chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the weights of each light, by channel, in two pictures, (2, L, 3).

    Mostly it is the chosen light alone, at times mixed with another; exposure and tint vary a little.
    """
    weights = np.zeros((2, lights, 3))
    for weight, light in zip(weights, chosen, strict=True):
        other = (light + rng.integers(1, lights)) % lights
        share = rng.uniform(0, MOST_MIXED) if rng.random() < MIXED else 0.0
        weight[light] += 1 - share
        weight[other] += share
        weight *= np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, TINT, 3))
    return weights


def recoloured(albedo: Tensor, rng: np.random.Generator) -> Tensor:
    """Permute the channels of linear albedo (1, 3, S, S) and raise each to a power near 1, half of the time.

    The mean stays, and values are clipped at 1. Light that bounced off the surfaces keeps their old colours.
    """
    if rng.random() >= RECOLOURED:
        return albedo
    powers = torch.from_numpy(np.exp(rng.normal(0, POWER) + rng.normal(0, TINT, 3))).float()
    other = albedo[:, rng.permutation(3)].clamp(min=1e-3) ** powers[:, None, None]
    return (other * (albedo.mean() / other.mean())).clamp(max=1)


def contrasted(albedo: Tensor, rng: np.random.Generator) -> Tensor:
    """Raise linear albedo (1, 3, S, S) to a power of 1 or more, relative to its brightest value, most of the time.

    Painted scenes have few things as dark as real ones: what is dark would always be taken for shaded.
    """
    if rng.random() >= CONTRASTED:
        return albedo
    top = albedo.max().clamp(min=0.05)
    return top * (albedo / top) ** float(np.exp(rng.uniform(0, np.log(MOST_CONTRAST))))


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; some surfaces show crops of them.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the views; existing files are kept.")],
    count: int = 2000,
    size: int = 256,
    lights: int = 3,
    first_seed: int = 0,
    device: str = "cpu",
    environments: Annotated[
        Path | None, typer.Option(help="Folder of environment maps, which give half of the lights.")
    ] = None,
    bounce: Annotated[bool, typer.Option(help="Let things and ground send on the light that arrives at them.")] = False,
    shiny: Annotated[float, typer.Option(help="Share of the materials with gloss, 0 to 1.")] = 0.0,
    varied: Annotated[
        float, typer.Option(help="Share of chessboards, writing, skin, leaves, dark patches; 0 to 1.")
    ] = 0.0,
    layouts: Annotated[
        Layouts,
        typer.Option(help="plain, varied (half with streets, hills, people, halls) or objects (in front of black)."),
    ] = Layouts.PLAIN,
) -> None:
    """Render views to files of float16 (16, 1 + 2 lights, 3, size, size)."""
    folder.mkdir(parents=True, exist_ok=True)
    train, held_out = split(photos)
    testing = first_seed >= HELD_OUT_SEED
    source = PhotoCrops(held_out if testing else train)
    maps = [] if environments is None else read_environments(environments, held_out=testing)
    draw = _DRAWS[layouts]
    options = SceneOptions(size=size, lights=lights, bounce=bounce, shiny_share=shiny, varied_share=varied)
    for seed in range(first_seed, first_seed + count, SHARD):
        path = folder / f"views_{seed:08d}.npy"
        if path.exists():
            continue
        crops = srgb_to_linear(source.draw(SHARD, size, np.random.default_rng(seed))[0]).to(device)
        with torch.no_grad():
            views = render_views(seed, SHARD, options, device=device, crops=crops, environments=maps, draw_layout=draw)
        albedo = views.albedo
        if layouts == Layouts.OBJECTS:
            masks = [object_mask(draw(Random(seed + k)), views.depth[k, 0].cpu()) for k in range(SHARD)]
            albedo = albedo * torch.stack(masks)[:, None].to(albedo)
        layers = torch.cat((albedo[:, None], views.shading, views.shadow_free), dim=1)
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, layers.clamp(max=6e4).half().cpu().numpy())
        path.with_suffix(".part").replace(path)


if __name__ == "__main__":
    typer.run(main)
