"""Contact sheets of rendered scenes and of a network's results.

python -m relight_cli.training.sheets scenes.png [--seed 0] [--count 6] [--size 192]
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.tiny import Tiny
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.training.pairs import Pairs
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.scenes import SceneOptions, Views, render_views


def contact_sheet(views: Views) -> Tensor:
    """Return views in rows, (3, B * H, (1 + 2 L) * W) sRGB in [0, 1]: albedo, lights, lights without shadows."""
    rows = []
    for albedo, shading, free in zip(views.albedo, views.shading, views.shadow_free, strict=True):
        pictures = [albedo, *(albedo * shading), *(albedo * free)]
        rows.append(torch.cat([develop(p, knee=0.8) for p in pictures], -1))
    return torch.cat(rows, -2)


@torch.no_grad()
def sample_sheet(model: Tiny, pairs: Pairs, rows: int = 8) -> Tensor:
    """Return samples in rows, (3, rows * S, 6 * S): a, b, a relit by b, a deshadowed, a without shadows, a's albedo."""
    a, b, to_free = pairs.a[:rows], pairs.b[:rows], pairs.to_free[0, :rows]
    intrinsic, own = model.delight(model.encode(a))
    _, light = model.delight(model.encode(b))
    lights = [
        model.adapt_illumination(light, own),
        *(model.map_illumination(name, intrinsic, own) for name in ("shadow", "albedo")),
    ]
    relit, deshadowed, albedo = (model.decode(model.relight(intrinsic, one)) for one in lights)
    free = linear_to_srgb((srgb_to_linear(a) * to_free.exp()).clamp(0, 1)).nan_to_num()
    return torch.cat([torch.cat(list(x), dim=1) for x in (a, b, relit, deshadowed, free, albedo)], dim=2)


def save_picture(picture: Tensor, path: Path) -> None:
    """Save a picture (3, H, W), sRGB in [0, 1], in the format of the file's suffix. Raises OutputUnwritableError."""
    pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1)
    with atomic_file(path, overwrite=True) as part:
        Image.fromarray(pixels.cpu().numpy()).save(part, Image.registered_extensions()[path.suffix.lower()], quality=92)


def main(
    output: Annotated[Path, typer.Argument(help="The picture to write.")],
    seed: int = 0,
    count: int = 6,
    size: int = 192,
) -> None:
    """Write a contact sheet of rendered scenes."""
    save_picture(contact_sheet(render_views(seed, count, SceneOptions(size=size))), output)


if __name__ == "__main__":
    typer.run(main)
