"""From the published file to a ready network, with peak memory: python benchmarks/loading.py [--dtype bfloat16]"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import typer
from published import write_published
from tables import tell

from relight_cli.checkpoints import convert

PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import torch
from relight_cli.checkpoints import load_crocodilight
scale = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter(), time.process_time()
network = load_crocodilight(Path(sys.argv[1]), {}, dtype=getattr(torch, sys.argv[2]))
seconds, processor = time.perf_counter() - began[0], time.process_time() - began[1]
size = sum(tensor.nbytes for tensor in network.parameters())
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * scale
print(json.dumps([seconds, processor, size / 1e9, peak / 1e9]))
"""


def main(dtype: str = "bfloat16") -> None:
    """Measure and print."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "CroCoDiLight.pth"
        write_published(path)
        for what in ("published", "converted"):
            if what == "converted":
                convert(path, getattr(torch, dtype))
            for _ in range(2):  # the first reads the file
                command = [sys.executable, "-c", PROGRAM, str(path), dtype]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, processor, size, peak = json.loads(done.stdout)
            times = {"file": what, "seconds": round(seconds, 2), "processor seconds": round(processor, 2)}
            memory = {"network GB": round(size, 2), "peak GB": round(peak, 2), "peak / network": round(peak / size, 2)}
            rows.append(times | memory)
    tell("loading", rows, dtype=dtype)


if __name__ == "__main__":
    typer.run(main)
