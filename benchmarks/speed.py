"""Measure seconds per tile by dtype and batch, against the machine's own matrix speed and the published manner.

python benchmarks/speed.py [--network full|tiny] [--batches 1,2,4] [--dtypes bfloat16,float32] [--no-published]

The full-size network has random weights; speed does not depend on them. The GEMM peak is the fastest of the network's
own matrix products in the same dtype, in the same run. The published manner is the same network in float32 with
unfused attention, a batch of all tiles (here two). `dB` compares the decoded tiles with those of float32. Ratios hold
within one run; seconds need an idle machine, or --processor-time, which measures the processor time of this thread.
"""

import time
from collections.abc import Callable, Iterator
from enum import StrEnum

import torch
import typer
from published import WIDTH, random_network
from tables import print_table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.devices import choose

TOKENS = 785
Clock = Callable[[], float]


class Network(StrEnum):
    FULL = "full"
    TINY = "tiny"


def best_seconds(work: Callable[[], object], clock: Clock, times: int) -> float:
    """Return the shortest of `times` times of a piece of work, after a warm-up."""
    work()
    taken = []
    for _ in range(times):
        began = clock()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(clock() - began)
    return min(taken)


def gemm_peak(device: str, dtype: torch.dtype, tiles: int, clock: Clock) -> float:
    """Return the speed of the fastest of the network's own matrix products, in FLOP/s."""
    speeds = []
    for out, inner in ((2 * WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)):
        x = torch.randn(tiles * TOKENS, inner, device=device, dtype=dtype)
        w = torch.randn(out, inner, device=device, dtype=dtype)
        seconds = best_seconds(lambda x=x, w=w: nn.functional.linear(x, w), clock, times=10)
        speeds.append(2 * tiles * TOKENS * inner * out / seconds)
    return max(speeds)


@torch.inference_mode()
def run_network(network: nn.Module, tiles: Tensor) -> Tensor:
    """Encode, delight, relight and decode tiles."""
    intrinsic, illumination = network.delight(network.encode(tiles))
    return network.decode(network.relight(intrinsic, illumination))


def decibels(found: Tensor, expected: Tensor) -> float:
    """Return the PSNR of decoded tiles as pictures."""
    error = (found.clamp(0, 1) - expected.clamp(0, 1)).square().mean()
    return round(-10 * error.clamp(min=1e-12).log10().item(), 1)


def ready(network: Network, dtype: torch.dtype, device: str, *, fused: bool = True) -> nn.Module:
    """Return a network, ready to run."""
    return (random_network(dtype, fused=fused) if network == Network.FULL else load_tiny(dtype=dtype)).to(device)


def measured(
    network: Network, dtypes: list[str], batches: list[int], published: bool, device: str, clock: Clock, times: int
) -> Iterator[dict[str, object]]:
    """Yield one row for the published manner, then one for every dtype and batch."""
    tiles = torch.rand(max(2, *batches), 3, tile_size(network), tile_size(network), device=device)
    model, manner = ready(network, torch.float32, device, fused=False), "float32, unfused"
    exact = run_network(model, tiles[:2])
    with FlopCounterMode(display=False) as counter:
        run_network(model, tiles[:1])
    flops, eager = counter.get_total_flops(), 0.0
    if published:
        eager = best_seconds(lambda: run_network(model, tiles[:2]), clock, times) / 2
        yield {"manner": manner, "batch": 2, "TFLOP a tile": round(flops / 1e12, 3), "seconds a tile": round(eager, 3)}
    for name in dtypes:
        dtype = getattr(torch, name)
        model = ready(network, dtype, device)
        noise = decibels(run_network(model, tiles[:2]), exact)
        for batch in batches:
            some = tiles[:batch]
            seconds = best_seconds(lambda model=model, some=some: run_network(model, some), clock, times) / batch
            peak = gemm_peak(device, dtype, batch, clock)
            yield {
                "manner": name,
                "batch": batch,
                "TFLOP a tile": round(flops / 1e12, 3),
                "seconds a tile": round(seconds, 3),
                "GEMM peak TFLOP/s": round(peak / 1e12, 2),
                "share of peak": f"{flops / seconds / peak:.0%}",
                "times as fast as published": round(eager / seconds, 1) if published else "",
                "dB": noise,
            }


def tile_size(network: Network) -> int:
    """Return the side of a tile."""
    return 448 if network == Network.FULL else load_tiny().tile_size


def main(
    network: Network = Network.FULL,
    batches: str = "1,2,4",
    dtypes: str = "bfloat16,float32",
    published: bool = True,
    processor_time: bool = False,
    times: int = 3,
) -> None:
    """Measure and print."""
    device = choose().device
    clock = time.thread_time if processor_time else time.perf_counter
    if processor_time:
        torch.set_num_threads(1)
    sizes = [int(batch) for batch in batches.split(",")]
    rows = list(measured(network, dtypes.split(","), sizes, published, device, clock, times))
    print_table(
        "speed", rows, network=str(network), device=device, threads=torch.get_num_threads(), torch=torch.__version__
    )


if __name__ == "__main__":
    typer.run(main)
