"""Measure loading of the published file, with peak memory: python benchmarks/loading.py [--dtype bfloat16]"""

import tempfile
from pathlib import Path

import torch
import typer
from processes import measured
from published import write_published
from tables import print_table

from relight_cli.checkpoints.crocodilight import convert
from relight_cli.models.crocodilight import CroCoDiLight, CroCoDiLightConfig

PROGRAM = """
import sys
from pathlib import Path
import torch
from relight_cli.checkpoints.crocodilight import load_crocodilight
if sys.argv[1]:
    load_crocodilight(Path(sys.argv[1]), {}, dtype=getattr(torch, sys.argv[2]))
"""


def main(dtype: str = "bfloat16") -> None:
    """Measure and print."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "CroCoDiLight.pth"
        write_published(path)
        with torch.device("meta"):
            parameters = sum(tensor.numel() for tensor in CroCoDiLight(CroCoDiLightConfig()).parameters())
        size = parameters * getattr(torch, dtype).itemsize / 1e9
        for what in ("published", "converted"):
            if what == "converted":
                convert(path, getattr(torch, dtype))
            empty = measured(Path(name), "-c", PROGRAM, "", dtype)
            measured(Path(name), "-c", PROGRAM, str(path), dtype)  # so that the file is in the system's cache
            full = measured(Path(name), "-c", PROGRAM, str(path), dtype)
            rows.append(
                {
                    "file": what,
                    "seconds": round(full.seconds - empty.seconds, 2),
                    "processor seconds": round(full.processor - empty.processor, 2),
                    "network GB": round(size, 2),
                    "peak GB": round(full.peak - empty.peak, 2),
                    "peak / network": round((full.peak - empty.peak) / size, 2),
                }
            )
    print_table("loading", rows, dtype=dtype)


if __name__ == "__main__":
    typer.run(main)
