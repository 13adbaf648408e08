"""Seconds per tile against the machine's own matrix speed, and a 12 MP photo from the command line to the written file.

python benchmarks/speed.py [--network full|tiny] [--megapixels 12]

The full-size network has random weights, made on the fly in the published file layout; speed does not depend on them.
Prints a table and, as the last line, the same as one JSON object. Ratios hold within one run; seconds need a quiet
machine.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from relight_cli.checkpoints import NAMES, load_tiny
from relight_cli.devices import Compute, choose
from relight_cli.imaging.photo import Photo, write_photo
from relight_cli.models.crocodilight import CroCoDiLight, CroCoDiLightConfig

TOKENS, WIDTH = 785, 1024


class Network(StrEnum):
    FULL = "full"
    TINY = "tiny"


def best_seconds(work: Callable[[], object], least: float = 2.0) -> float:
    """Give the shortest time of a piece of work, repeated for at least so many seconds after a first time."""
    work()
    times, started = [], time.perf_counter()
    while time.perf_counter() - started < least or len(times) < 2:
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times)


def gemm_peak(device: str, dtype: torch.dtype, tiles: int) -> float:
    """Measure the fastest of the network's own matrix products, in FLOP/s."""
    speeds = []
    for out, inner in ((3 * WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)):
        x = torch.randn(tiles * TOKENS, inner, device=device, dtype=dtype)
        w = torch.randn(out, inner, device=device, dtype=dtype)
        seconds = best_seconds(lambda x=x, w=w: nn.functional.linear(x, w), least=1.0)
        speeds.append(2 * tiles * TOKENS * inner * out / seconds)
    return max(speeds)


@torch.inference_mode()
def whole(network: nn.Module, tiles: Tensor) -> Tensor:
    """Encode, delight, relight and decode tiles."""
    intrinsic, illumination = network.delight(network.encode(tiles))
    return network.decode(network.relight(intrinsic, illumination))


def random_network(dtype: torch.dtype) -> CroCoDiLight:
    """Make the full-size network with weights that keep its activations finite."""
    with torch.device("meta"):
        network = CroCoDiLight(CroCoDiLightConfig())
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in network.state_dict().items():
        norm = ".norm" in key and key.endswith("weight")
        spread = 0.02 if tensor.ndim > 1 else 0.0
        state[key] = (torch.randn(tensor.shape, generator=generator) * spread + norm).to(dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def per_tile(network: Network, compute: Compute, batch: int) -> dict[str, float]:
    """Time tiles through the whole network, and count its operations."""
    ready = random_network(compute.dtype) if network == Network.FULL else load_tiny(dtype=compute.dtype)
    ready.to(compute.device)
    tiles = torch.rand(batch, 3, ready.tile_size, ready.tile_size, device=compute.device)
    with FlopCounterMode(display=False) as counter:
        whole(ready, tiles)
    flops = counter.get_total_flops() / batch
    seconds = best_seconds(lambda: whole(ready, tiles)) / batch
    peak = gemm_peak(compute.device, compute.dtype, batch)
    return {
        "tflop_per_tile": round(flops / 1e12, 3),
        "seconds_per_tile": round(seconds, 3),
        "gemm_peak_tflops": round(peak / 1e12, 3),
        "share_of_gemm_peak": round(flops / seconds / peak, 3),
    }


def write_published(network: CroCoDiLight, path: Path) -> None:
    """Write a network as the published file, with a two-view decoder of the published size that nobody uses."""
    state = {}
    for key, tensor in network.state_dict().items():
        theirs, ours = next(names for names in NAMES if key.startswith(names[1]))
        state[theirs + key.removeprefix(ours)] = tensor
    state["croco.dec_blocks.0.unused"] = torch.zeros(114_800_000)
    kwargs = {"img_size": 448, "enc_embed_dim": WIDTH, "enc_depth": 24, "enc_num_heads": 16, "pos_embed": "RoPE100"}
    torch.save({"croco_kwargs": kwargs, "model": state}, path)


def command_line(folder: Path, network: Network, megapixels: float, dtype: str) -> dict[str, float]:
    """Relight one photo by another of its size through the command line: wall seconds and peak resident GB."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    rng = np.random.default_rng(0)
    for name in ("photo", "reference"):
        coarse = rng.integers(40, 215, (height // 50 + 1, height * 4 // 3 // 50 + 1, 3), np.uint8)
        pixels = coarse.repeat(50, 0).repeat(50, 1)[:height, : height * 4 // 3]
        write_photo(Photo(np.ascontiguousarray(pixels), format="JPEG"), folder / f"{name}.jpg")
    if network == Network.FULL:
        write_published(random_network(torch.float32), folder / "CroCoDiLight.pth")
    model = "tiny" if network == Network.TINY else "crocodilight"
    arguments = ["photo.jpg", "--light", "reference.jpg", "--model", model, "--weights-dir", ".", "--dtype", dtype]
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "relight_cli", "relight", *arguments], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("the command line failed")
    scale = 1 if platform.system() == "Darwin" else 1024
    return {"seconds": time.perf_counter() - started, "peak_gb": usage.ru_maxrss * scale / 1e9}


def main(
    network: Network = Network.FULL,
    megapixels: Annotated[float, typer.Option(help="Of the photo for the command line; 0 leaves that out.")] = 12,
    batch: int = 2,
    dtype: str = "auto",
) -> None:
    """Measure and print."""
    compute = choose(dtype=dtype)
    if network == Network.TINY:
        compute = replace(compute, dtype=compute.tiny_dtype)
    result: dict[str, object] = {
        "network": network,
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "device": compute.device,
        "dtype": str(compute.dtype).removeprefix("torch."),
        "tile_batch": batch,
    }
    result |= per_tile(network, compute, batch)
    if megapixels:
        with tempfile.TemporaryDirectory() as folder:
            measured = command_line(Path(folder), network, megapixels, dtype)
        result |= {f"{megapixels:g}mp_{key}": round(value, 2) for key, value in measured.items()}
    width = max(map(len, result))
    print("\n".join(f"{key:{width}}  {value}" for key, value in result.items()))
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
