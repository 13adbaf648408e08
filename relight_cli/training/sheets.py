"""Contact sheets, to look at made scenes: albedo, pictures under each light, the same without shadows."""

import argparse
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from relight_cli.training.camera import develop
from relight_cli.training.scenes import SceneOptions, Views, render_views


def contact_sheet(views: Views) -> Tensor:
    """Lay views out in rows: (3, B * H, (1 + 2 L) * W) sRGB in [0, 1]."""
    rows = []
    for albedo, shading, free in zip(views.albedo, views.shading, views.shadow_free, strict=True):
        pictures = [albedo, *(albedo * shading), *(albedo * free)]
        rows.append(torch.cat([develop(p, knee=0.8) for p in pictures], -1))
    return torch.cat(rows, -2)


def save_picture(picture: Tensor, path: Path) -> None:
    """Save a picture (3, H, W), sRGB in [0, 1]; the file's suffix picks the format."""
    pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1)
    Image.fromarray(pixels.cpu().numpy()).save(path, quality=92)


def main() -> None:
    """Write a contact sheet of made scenes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--size", type=int, default=192)
    chosen = parser.parse_args()
    save_picture(contact_sheet(render_views(chosen.seed, chosen.count, SceneOptions(size=chosen.size))), chosen.output)


if __name__ == "__main__":
    main()
