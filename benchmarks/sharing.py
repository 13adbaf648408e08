"""Several processes on one folder: how often each photo is made.

python benchmarks/sharing.py [--processes 4] [--photos 200] [--side 256] [--kill 0] [--skip-existing/--no-skip-existing]

Starts the real command line several times at once, with `tiny`, and counts in their reports what each of them made,
skipped and failed. `--kill` ends that many more processes by SIGKILL while they work. Prints the counts, and then the
same as one JSON object. The exit code is 1 if a photo was made twice, or not at all, or failed.
"""

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
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo


def write_photos(folder: Path, count: int, side: int) -> None:
    """Write photos of noise, each another one, in three formats."""
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3)).astype(np.uint8)
        write_photo(Photo(pixels), folder / f"{number:04}{('.jpg', '.png', '.tif')[number % 3]}")


def start(folder: Path, report: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a run in a folder."""
    arguments = ["deshadow", "in", "--model", "tiny", "-o", "out", "-q", "--report", report, *options]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-W", "ignore", "-m", "relight_cli", *arguments]
    return subprocess.Popen(program, cwd=folder, env=environment, stderr=subprocess.PIPE)


def entries(report: Path) -> list[dict]:
    """Return the entries of a report."""
    return [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []


def kill_while_working(folder: Path, victims: list[subprocess.Popen[bytes]]) -> None:
    """End processes at random moments after the first output exists."""
    while not any((folder / "out").glob("[0-9]*")):
        time.sleep(0.02)
    for victim in victims:
        time.sleep(random.uniform(0, 1))
        victim.kill()


def main(
    processes: Annotated[int, typer.Option(min=1)] = 4,
    photos: Annotated[int, typer.Option(min=1)] = 200,
    side: Annotated[int, typer.Option(min=16, help="Pixels of a side.")] = 256,
    kill: Annotated[int, typer.Option(min=0, help="Further processes that are killed while they work.")] = 0,
    skip_existing: Annotated[bool, typer.Option("--skip-existing/--no-skip-existing")] = True,
) -> None:
    """Share a folder among processes and print who made what."""
    options = ("--skip-existing",) if skip_existing else ()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "in", photos, side)
        began = time.monotonic()
        running = [start(folder, f"{number}.jsonl", *options) for number in range(processes)]
        victims = [start(folder, f"killed{number}.jsonl", *options) for number in range(kill)]
        kill_while_working(folder, victims)
        lines = [one.communicate()[1].decode(errors="replace").splitlines() for one in (*running, *victims)]
        seconds = time.monotonic() - began
        counts = [Counter(one["status"] for one in entries(folder / f"{n}.jsonl")) for n in range(processes)]
        made = Counter(
            one["input"] for report in folder.glob("*.jsonl") for one in entries(report) if one["status"] == "done"
        )
        outputs = [path for path in (folder / "out").iterdir() if not path.name.startswith(".")]
        whole = sum(read_photo(path).pixels.shape == (side, side, 3) for path in outputs)
        hidden = len(list((folder / "out").glob(".*")))
    for number, (one, count) in enumerate(zip(running, counts, strict=True)):
        print(f"  process {number}: exit code {one.returncode}, " + ", ".join(f"{count[s]} {s}" for s in sorted(count)))
    results = {
        "photos": photos,
        "processes": processes,
        "killed": kill,
        "made": sum(made.values()),
        "made_twice": sum(count > 1 for count in made.values()),
        "whole_outputs": whole,
        "failed": sum(count["failed"] for count in counts),
        "exit_codes": [one.returncode for one in running],
        "lines_on_stderr": sum(map(len, lines)),
        "hidden_files_left": hidden,
        "seconds": round(seconds, 1),
    }
    for key, value in results.items():
        print(f"  {key.replace('_', ' '):20} {value}")
    print(json.dumps({"sharing": results}))
    good = whole == photos and not results["made_twice"] and not results["failed"] and not any(results["exit_codes"])
    raise typer.Exit(0 if good else 1)


if __name__ == "__main__":
    typer.run(main)
