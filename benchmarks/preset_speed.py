"""Measure `relight` with a preset next to `deshadow` of the same photo, from reading the JPEG to the written file.

python benchmarks/preset_speed.py [--megapixels 12] [--runs 3] [--light golden-hour] [--photo FILE ...]

Both commands run in turns with `tiny`, the geometry of the package and nothing computed before; the best run of each
counts, in seconds of the processor, which another program changes less than seconds of the clock. Without --photo the
picture is made; four photos fill a quarter each.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from photos import make_mosaic
from processes import Usage, command_line
from tables import print_table

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import from_unit

ORDINARY = ("--model", "tiny", "--overwrite", "--offline", "--quiet")


def main(
    megapixels: float = 12,
    runs: Annotated[int, typer.Option(min=1)] = 3,
    light: Annotated[str, typer.Option(help="A preset or a file of a light.")] = "golden-hour",
    photo: Annotated[list[Path] | None, typer.Option()] = None,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = from_unit(make_mosaic(megapixels, photo or []), np.dtype(np.uint8))
        write_photo(Photo(pixels, format="JPEG"), folder / "photo.jpg")
        commands = {
            "deshadow": ("deshadow", "photo.jpg", "-o", "deshadowed.jpg", *ORDINARY),
            "relight": ("relight", "photo.jpg", "--light", light, "-o", "relit.jpg", *ORDINARY),
        }
        usages: dict[str, list[Usage]] = {task: [] for task in commands}
        for _ in range(runs):
            for task, arguments in commands.items():
                usages[task].append(command_line(folder, *arguments))
    best = {task: min(usage.processor for usage in found) for task, found in usages.items()}
    rows: list[dict[str, object]] = [
        {
            "task": task,
            "processor seconds": round(best[task], 2),
            "x deshadow": round(best[task] / best["deshadow"], 2),
            "seconds": round(min(usage.seconds for usage in found), 2),
            "peak GB": round(max(usage.peak for usage in found), 2),
        }
        for task, found in usages.items()
    ]
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else ""
    print_table("preset", rows, megapixels=megapixels, light=light, runs=runs, load=load)


if __name__ == "__main__":
    typer.run(main)
