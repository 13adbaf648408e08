"""Many photos on many workers: photos a second of a core here, and what that makes of ten million.

python benchmarks/many_photos.py [--report FILE.jsonl] [--photos 10000000] [--megapixels 1,2,2,4,8] [--page 0.1]

Measures the memory and the time of the plan of a share, and the processor seconds of the start of a run and of its
photos with `deshadow --model tiny`, one thread, JPEG to JPEG, in two runs of the real command line. Then simulates from
1 to 1,000 workers with the recorded seconds of single photos (or those of a report of your own, with --report): each
worker starts, lists the photos, and makes its share. The sizes of the shares are as chance makes them with SHA-256; the
photos of a share are drawn from the recorded ones. Efficiency is the work alone divided by workers times the time until
the last one ends. Prints tables, then the same as one JSON object.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from photos import make_photo

from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.planning import plan_jobs
from relight_cli.places.stores import S3, Info
from relight_cli.places.urls import Url

WORKERS = (1, 3, 10, 32, 100, 316, 1000)
PAGE = 1000  # names of a page


def processor_seconds(folder: Path, names: list[str], report: str) -> float:
    """Run the command line on photos with one thread, and return its processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    options = ["--model", "tiny", "-o", "out/", "--overwrite", "-q", "--report", report]
    program = [sys.executable, "-W", "ignore", "-m", "relight_cli", "deshadow", *names, *options]
    subprocess.run(program, cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(megapixels: list[float], repeats: int) -> tuple[float, float, list[float], dict[str, float]]:
    """Return the start and the mean of a photo in processor seconds, those of each photo, and bytes of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = megapixels * repeats
        names = [f"{number}.jpg" for number in range(len(sizes))]
        for number, size in enumerate(sizes):
            make_photo(folder / names[number], size, number)
        one = processor_seconds(folder, names[:1] * 1, "one.jsonl")
        both = processor_seconds(folder, names, "all.jsonl")
        seconds = recorded(folder / "all.jsonl")
        first = recorded(folder / "one.jsonl")[0]
        bytes_read = sum((folder / name).stat().st_size for name in names) / len(names)
        bytes_made = sum(path.stat().st_size for path in (folder / "out").iterdir()) / len(names)
    share_of_first = first / (sum(seconds) + first)
    each = (both - one) / (len(names) - 1)
    start = max(0.0, one - each * share_of_first * len(names))
    scale = each / np.mean(seconds)  # processor seconds, since other programs run too
    return start, each, [float(scale * one) for one in seconds], {"read": bytes_read, "made": bytes_made}


def recorded(report: Path) -> list[float]:
    """Return the seconds of the photos in a report that were made."""
    entries = [json.loads(line) for line in report.read_text().splitlines()]
    return [entry["seconds"] for entry in entries if entry["status"] == "done"]


def cost_of_plan(names: int = 100_000, shards: int = 20) -> dict[str, float]:
    """Return the memory of the plan of a share, a photo of it, and the processor time of a name of another share.

    The store is a stand-in that answers at once: its pages are not parsed.
    """

    def pages(store: S3, url: Url, *, recursive: bool) -> Iterator[Info]:
        for number in range(names):
            yield Info(f"in/{number // 1000:05}/{number:08}.jpg", 2_000_000, f"{number:032x}")

    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    S3.pages, S3.head = pages, lambda store, url: None  # type: ignore[method-assign, assignment]

    def plan(shards: int) -> int:
        options = MappingCommandOptions(output="s3://bkt/out/", recursive=True, shard=f"1/{shards}")
        return len(plan_jobs(["s3://bkt/in/"], "deshadowed", options, lambda note: None))

    plan(names)  # connects
    began = time.process_time()
    plan(names)
    each_name = (time.process_time() - began) / names
    tracemalloc.start()
    photos = plan(shards)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"bytes_a_photo": peak / photos, "microseconds_a_name": 1e6 * each_name}


def longest(seconds: list[float], photos: int, workers: int, start: float, listing: float, seed: int = 0) -> float:
    """Return when the last of the workers ends, each with a share as SHA-256 makes it."""
    chance = np.random.default_rng(seed)
    shares = chance.multinomial(photos, np.full(workers, 1 / workers))
    drawn = np.array([chance.multinomial(share, np.full(len(seconds), 1 / len(seconds))) for share in shares])
    return float((drawn @ np.array(seconds)).max()) + start + listing


def simulate(seconds: list[float], photos: int, start: float, page: float) -> list[dict[str, float]]:
    """Return time and efficiency by the number of workers: each lists everything, or has a list of its own."""
    work = photos * float(np.mean(seconds))
    rows = []
    for workers in WORKERS:
        everything = longest(seconds, photos, workers, start, photos / PAGE * page)
        own = longest(seconds, photos, workers, start, photos / workers / PAGE * page)
        rows.append(
            {
                "workers": workers,
                "photos_a_second": round(photos / own, 1),
                "hours": round(own / 3600, 2),
                "efficiency": round(work / (workers * own), 4),
                "hours_listing_all": round(everything / 3600, 2),
                "efficiency_listing_all": round(work / (workers * everything), 4),
                "lists": round(photos / PAGE * workers),
            }
        )
    return rows


def main(
    report: Annotated[Path | None, typer.Option(help="Take the seconds of this report, and measure nothing.")] = None,
    photos: Annotated[int, typer.Option(min=1000)] = 10_000_000,
    megapixels: Annotated[str, typer.Option(help="Sizes of the measured photos.")] = "1,2,2,4,8",
    repeats: Annotated[int, typer.Option(min=1)] = 4,
    page: Annotated[float, typer.Option(help="Seconds of a page of names, as assumed.")] = 0.1,
    start: Annotated[float, typer.Option(help="Seconds of a start, with --report.")] = 5.0,
) -> None:
    """Measure or read the seconds, simulate, and print."""
    sizes: dict[str, float] = {}
    if report:
        seconds = recorded(report)
        each = float(np.mean(seconds))
    else:
        start, each, seconds, sizes = measure([float(one) for one in megapixels.split(",")], repeats)
    print(
        f"start {start:.1f} s, a photo {each:.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), {1 / each:.2f} a second"
    )
    for name, size in sizes.items():
        print(f"{name} {size / 1e6:.2f} MB a photo")
    cost = cost_of_plan()
    print(f"plan: {cost['bytes_a_photo']:.0f} bytes a photo, {cost['microseconds_a_name']:.1f} us for another's name")
    rows = simulate(seconds, photos, start, page)
    print(" | ".join(rows[0]))
    for row in rows:
        print(" | ".join(str(value) for value in row.values()))
    print(json.dumps({"start": start, "seconds": each, "bytes": sizes, "plan": cost, "rows": rows}))


if __name__ == "__main__":
    typer.run(main)
