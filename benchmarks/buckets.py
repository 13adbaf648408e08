"""A thousand photos in a bucket: requests, bytes, and what faults and a killed process cost.

python benchmarks/buckets.py [--photos 1000] [--shards 4] [--faults 0.03] [--kill]

Serves a bucket on this machine (moto, real HTTP) behind a proxy that counts requests and injects faults (503, a
connection cut before, after and in the middle of an answer, slow answers). Runs the shares of `deshadow --model tiny`
from the bucket into the bucket at the same time, with `--kill` ends the first by SIGKILL and begins it again, compares
every output with that of a local run, and runs the shares again with --skip-existing. Prints the counts, then the same
as one JSON object. The exit code is 1 if a photo is lost, torn or reported twice.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "fixtures"))
from bucket_server import Bucket, served_bucket

OPTIONS = ("-r", "--model", "tiny", "--max-side", "64", "-q")


def fill(bucket: Bucket, folder: Path, count: int) -> None:
    """Write photos of noise, 48 x 32, into a folder and the bucket."""
    for number in range(count):
        path = folder / f"in/{number % 10}/{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (32, 48, 3)).astype(np.uint8)
        write_photo(Photo(pixels), path)
        bucket.put(path.relative_to(folder).as_posix(), path.read_bytes())


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a run in a folder."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-W", "ignore", "-m", "relight_cli", "deshadow", *arguments, *OPTIONS]
    return subprocess.Popen(program, cwd=folder, env=environment)


def run_shares(folder: Path, shards: int, *, kill: bool, report: str, more: tuple[str, ...] = ()) -> list[int]:
    """Run all shares at the same time, and return their exit codes; with `kill` end and repeat the first."""

    def begin(number: int, *again: str) -> subprocess.Popen[bytes]:
        share = ("--shard", f"{number}/{shards}", "--report", f"s3://bkt/{report}/{number}.jsonl")
        return start(folder, "s3://bkt/in/", "-o", "s3://bkt/out/", *share, *more, *again)

    running = [begin(number) for number in range(1, shards + 1)]
    if kill:
        time.sleep(random.Random(0).uniform(6, 9))
        running[0].kill()
        running[0].wait()
        running[0] = begin(1, "--skip-existing")
    return [one.wait() for one in running]


def reported(bucket: Bucket, report: str) -> Counter[str]:
    """Return how often each photo is reported as done or skipped."""
    lines = [line for key in bucket.keys(f"{report}/") for line in bucket.get(key).splitlines()]
    entries = [json.loads(line) for line in lines]
    return Counter(entry["input"] for entry in entries if entry["status"] != "failed")


def faults(share: float) -> tuple[Counter[str], object]:
    """Return a counter of faults, and a function that injects them into that share of the requests."""
    chance, injected = random.Random(1), Counter[str]()

    def fault(method: str, path: str, number: int) -> str | None:
        if chance.random() >= share:
            return None
        kind = chance.choice(["503", "drop", "lost", "slow", *(["cut"] if method == "GET" else [])])
        injected[kind] += 1
        return kind

    return injected, fault


def main(
    photos: Annotated[int, typer.Option(min=1)] = 1000,
    shards: Annotated[int, typer.Option(min=1)] = 4,
    share: Annotated[float, typer.Option("--faults", min=0, max=0.5, help="Share of requests with a fault.")] = 0.03,
    kill: Annotated[bool, typer.Option("--kill", help="End the first share by SIGKILL, and begin it again.")] = False,
) -> None:
    """Run the shares, compare, count, and print."""
    with tempfile.TemporaryDirectory() as name, served_bucket() as bucket:
        folder = Path(name)
        fill(bucket, folder, photos)
        assert start(folder, "in", "-o", "out/").wait() == 0
        injected, fault = faults(share)
        bucket.begin(fault)
        codes = run_shares(folder, shards, kill=kill, report="first")
        first = bucket.counts()
        made = {key.removeprefix("out/"): hashlib.sha256(bucket.get(key)).hexdigest() for key in bucket.keys("out/")}
        local = {
            path.relative_to(folder / "out").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / "out").rglob("*.png")
        }
        done = reported(bucket, "first")
        bucket.begin()
        again = run_shares(folder, shards, kill=False, report="again", more=("--skip-existing",))
        listed = sum("list-type" in path for _, path, _ in bucket.requests)
        result = {
            "photos": photos,
            "shards": shards,
            "exit_codes": codes,
            "faults": dict(injected),
            "lost": len(local.keys() - made.keys()),
            "torn": sum(made[key] != local[key] for key in made.keys() & local.keys()),
            "reported_twice": sum(count > 1 for count in done.values()),
            "not_reported": photos - len(done),
            "requests": dict(first),
            "requests_a_photo": round(sum(first.values()) / photos, 2),
            "exit_codes_again": again,
            "requests_again": dict(bucket.counts()) | {"lists": listed},
            "photos_read_again": sum("/in/" in path and method == "GET" for method, path, _ in bucket.requests),
            "unfinished_uploads": len(bucket.uploads()),
        }
    for key, value in result.items():
        print(f"{key.replace('_', ' '):24} {value}")
    print(json.dumps(result))
    if result["lost"] or result["torn"] or result["reported_twice"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
