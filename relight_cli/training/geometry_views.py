"""Rendered views with known geometry on disk: this command renders them, the geometry network trains on them.

python -m relight_cli.training.geometry_views PHOTOS VIEWS --count 2000
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from relight_cli.models.colour import LUMINANCE, srgb_to_linear
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.scenes.deep_layouts import sample_varied_layout
from relight_cli.training.scenes.layouts import sample_layout
from relight_cli.training.scenes.scenes import SceneOptions, render_scenes, sample_scene
from relight_cli.training.scenes.viewing import axial_disparity, camera_normals
from relight_cli.training.views import HELD_OUT_SEED

SHARD, LIGHTS = 16, 2  # views in a file, lights of each view
SIZES = ((192, 256), (192, 256), (256, 192), (160, 304), (224, 224))  # of the shards, in turn


@dataclass(frozen=True)
class GeometryView:
    """One view: pictures in linear light, mean luminance 0.18, and what is known of its surfaces."""

    pictures: Tensor  # (L, 3, H, W)
    disparity: Tensor  # (1, H, W) per metre of depth along the axis; 0 in the sky
    normals: Tensor  # (3, H, W) x right, y up, z towards the viewer; zero in the sky


def render_view(seed: int, size: tuple[int, int], crop: Tensor, *, held_out: bool) -> GeometryView:
    """Render the view of a seed; some of its surfaces show `crop` (3, h, w), linear."""
    quick = SceneOptions(size=size, lights=LIGHTS, supersampling=1, shadow_rays=2, ambient_rays=4)
    options = SceneOptions(size=size, lights=LIGHTS) if held_out else quick
    draw = sample_layout if held_out else sample_varied_layout
    scene = sample_scene(seed, options, crops=True, draw_layout=draw)
    views = render_scenes([scene], options, crops=crop[None])
    pictures = views.albedo * views.shading[0]
    mean = torch.einsum("lchw,c->lhw", pictures, pictures.new_tensor(LUMINANCE)).mean((1, 2)).clamp(min=1e-6)
    return GeometryView(
        pictures * (0.18 / mean)[:, None, None, None],
        axial_disparity(scene.layout, views.depth[0, 0])[None],
        camera_normals(scene.layout, views.normals[0]),
    )


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; some surfaces show crops of them.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the views; existing files are kept.")],
    count: int = 2000,
    first_seed: int = 0,
    scale: Annotated[int, typer.Option(min=1, help="Times the usual size, of about 256 pixels.")] = 1,
) -> None:
    """Render views to files of float16 (16, 10, H, W): two pictures, disparity, normals.

    From seed 10,000,000 on, the layouts are the plain ones, undiluted, and the photos those held out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    train, held_out = split(photos)
    testing = first_seed >= HELD_OUT_SEED
    source = PhotoCrops(held_out if testing else train)
    for seed in range(first_seed, first_seed + count, SHARD):
        path = folder / f"views_{seed:08d}.npy"
        if path.exists():
            continue
        height, width = SIZES[0] if testing else SIZES[seed // SHARD % len(SIZES)]
        crops = srgb_to_linear(source.draw(SHARD, 256, np.random.default_rng(seed))[0])
        layers = []
        for k in range(SHARD):
            view = render_view(seed + k, (scale * height, scale * width), crops[k], held_out=testing)
            layers.append(torch.cat((view.pictures.flatten(0, 1), view.disparity, view.normals)))
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, torch.stack(layers).clamp(max=6e4).half().numpy())
        path.with_suffix(".part").replace(path)


if __name__ == "__main__":
    with torch.no_grad():
        typer.run(main)
