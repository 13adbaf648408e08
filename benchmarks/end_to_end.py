"""Measure time and peak memory of whole commands, from reading photos to the written file.

python benchmarks/end_to_end.py [--network tiny|full] [--sizes 12,24,100,200] [--seldom]

Each photo is a JPEG, its reference another of its size; `decoded` is the memory of both as 8-bit pixels. The full-size
network has random weights; 12 MP are 99 tiles for it, 200 MP are 1575. With --seldom it computes only a few of them
(seldom.py), which is enough to measure memory.
"""

import tempfile
from enum import StrEnum
from pathlib import Path

import typer
from photos import make_photo
from processes import command_line, measured
from published import write_published
from tables import print_table

SELDOM = Path(__file__).with_name("seldom.py").resolve()


class Network(StrEnum):
    TINY = "tiny"
    FULL = "full"


def main(
    network: Network = Network.TINY, sizes: str = "12,24,100,200", dtype: str = "auto", seldom: bool = False
) -> None:
    """Measure and print."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = ["--model", "tiny"]
        if network == Network.FULL:
            write_published(folder / "CroCoDiLight.pth")
            model = ["--model", "crocodilight", "--weights-dir", "."]
        for megapixels in map(float, sizes.split(",")):
            decoded = sum(
                make_photo(folder / f"{name}.jpg", megapixels, seed).pixels.nbytes
                for seed, name in enumerate(("photo", "reference"))
            )
            light = ("--light", "reference.jpg", "--reference", "latents")
            arguments = ("relight", "photo.jpg", *light, "-o", "relit.jpg", "--overwrite", *model, "--dtype", dtype)
            usage = measured(folder, str(SELDOM), *arguments) if seldom else command_line(folder, *arguments)
            rows.append(
                {
                    "megapixels": megapixels,
                    "seconds": round(usage.seconds, 2),
                    "processor seconds": round(usage.processor, 2),
                    "peak GB": round(usage.peak, 2),
                    "decoded GB": round(decoded / 1e9, 2),
                    "peak without decoded GB": round(usage.peak - decoded / 1e9, 2),
                }
            )
    print_table("end to end", rows, network=str(network), dtype=dtype, seldom=seldom)


if __name__ == "__main__":
    typer.run(main)
