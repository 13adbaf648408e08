"""Memory and time of long batches: good photos among broken ones, and a thousand small photos.

python benchmarks/batches.py [--good 20] [--broken 200] [--small 1000] [--strength 1] [--megapixels 3]

Runs the real command line with `tiny`; peak memory is what the system reports for the whole process. Prints the results
of each part, and then the same as one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

SUFFIXES = (".png", ".jpg", ".webp", ".tif", ".avif")
# Runs the command line, samples its memory, and prints the peak of each tenth of the run.
PROGRAM = """
import json, resource, sys, threading, time
from pathlib import Path
from relight_cli.cli import main
samples, page = [], resource.getpagesize()
def sample():
    while True:
        samples.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
        time.sleep(0.01)
threading.Thread(target=sample, daemon=True).start()
code, began = 0, time.monotonic()
try:
    main()
except SystemExit as stop:
    code = int(stop.code or 0)
size = max(1, len(samples) // 10)
tenths = [max(samples[at : at + size]) for at in range(0, len(samples), size)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
found = {"code": code, "peak": peak, "tenths": tenths[:10], "seconds": time.monotonic() - began}
print(json.dumps(found), file=sys.stderr)
"""


def picture(side: tuple[int, int], seed: int) -> Photo:
    """Return a photo-like picture: blocks of colour with noise."""
    generator = np.random.default_rng(seed)
    blocks = np.kron(generator.uniform(40, 200, (1 + side[0] // 64, 1 + side[1] // 64, 3)), np.ones((64, 64, 1)))
    noisy = blocks[: side[0], : side[1]] + generator.normal(0, 4, (*side, 3))
    return Photo(noisy.clip(0, 255).astype(np.uint8))


def measure(folder: Path, *arguments: str) -> dict:
    """Run the command line in a folder; return exit code, peak memory, peaks by tenths of the run, and seconds."""
    program = [sys.executable, "-W", "ignore", "-c", PROGRAM, *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    *lines, last = done.stderr.splitlines()
    return {**json.loads(last), "lines": lines}


def broken(data: bytes, number: int) -> bytes:
    """Return a file cut off, with a damaged head, or replaced by other bytes."""
    generator = np.random.default_rng(number)
    head = bytearray(data)
    head[4:40] = generator.bytes(36)
    return (data[: len(data) // (2 + number % 7)], bytes(head), generator.bytes(2000), b"", b"GIF89a" + data[6:])[
        number // len(SUFFIXES) % 5
    ]


def among_broken(folder: Path, good: int, bad: int, side: tuple[int, int]) -> dict:
    """Measure good photos alone, the largest alone, and all among broken ones."""
    for name in ("alone", "mixed", "largest"):
        (folder / name).mkdir()
    for number in range(good):
        size = tuple(int(length * (1 - 0.6 * number / good)) for length in side)
        path = folder / "alone" / f"{number:03}{SUFFIXES[number % len(SUFFIXES)]}"
        write_photo(picture((size[0], size[1]), number), path)
        (folder / "mixed" / path.name).write_bytes(path.read_bytes())
        if number == 0:
            (folder / "largest" / path.name).write_bytes(path.read_bytes())
    sources = sorted((folder / "alone").iterdir())
    for number in range(bad):
        source = sources[number % len(sources)]
        (folder / "mixed" / f"bad{number:03}{source.suffix}").write_bytes(broken(source.read_bytes(), number))
    options = ("--light", str(sources[1]), "--reference", "latents", "--model", "tiny")
    runs = {
        name: measure(folder, "relight", name, *options, "-o", f"out-{name}", "--report", f"{name}.jsonl")
        for name in ("largest", "alone", "mixed")
    }
    outputs = [{p.name: p.read_bytes() for p in (folder / f"out-{name}").iterdir()} for name in ("alone", "mixed")]
    entries = [json.loads(line) for line in (folder / "mixed.jsonl").read_text().splitlines()]
    return {
        "peak_largest_alone": runs["largest"]["peak"],
        "peak_good": runs["alone"]["peak"],
        "peak_good_and_broken": runs["mixed"]["peak"],
        "exit_code": runs["mixed"]["code"],
        "lines": len(runs["mixed"]["lines"]),
        "failed_entries": sum(entry["status"] == "failed" for entry in entries),
        "tracebacks": sum("Traceback" in line for line in runs["mixed"]["lines"]),
        "outputs_equal": outputs[0] == outputs[1],
        "seconds": round(runs["mixed"]["seconds"], 1),
    }


def small_photos(folder: Path, count: int, strength: float) -> dict:
    """Measure a long batch of small photos."""
    (folder / "small").mkdir()
    for number in range(count):
        suffix = SUFFIXES[number % 4]
        write_photo(picture((96, 128), number), folder / "small" / f"{number:05}{suffix}")
    arguments = ("albedo", "small", "--model", "tiny", "--strength", str(strength), "-o", "out-small", "-q")
    run = measure(folder, *arguments)
    began = time.monotonic()
    again = measure(folder, *arguments, "--skip-existing")
    return {
        "exit_code": run["code"],
        "outputs": len(list((folder / "out-small").iterdir())),
        "seconds": round(run["seconds"], 1),
        "peaks_by_tenth": run["tenths"],
        "seconds_of_a_rerun": round(time.monotonic() - began, 1),
        "peak_of_a_rerun": again["peak"],
    }


def print_results(title: str, results: dict) -> None:
    """Print results, for people and as JSON."""
    print(title)
    for key, value in results.items():
        values = value if isinstance(value, list) else [value]
        shown = [f"{v / 1e6:.0f} MB" if "peak" in key else str(v) for v in values]
        print(f"  {key.replace('_', ' '):24} {', '.join(shown)}")
    print(json.dumps({title: results}), flush=True)


def main(
    good: Annotated[int, typer.Option(help="Good photos; 0: leave this part out.")] = 20,
    broken: Annotated[int, typer.Option(min=0, help="Broken photos among them.")] = 200,
    small: Annotated[int, typer.Option(help="Small photos; 0: leave this part out.")] = 1000,
    strength: Annotated[float, typer.Option(help="Of small photos; 0: without the network.")] = 1.0,
    megapixels: Annotated[float, typer.Option(min=0.1, help="Of the largest good photo.")] = 3.0,
) -> None:
    """Measure both batches in a temporary folder."""
    side = (int((megapixels * 1e6 * 3 / 4) ** 0.5), int((megapixels * 1e6 * 4 / 3) ** 0.5))
    with tempfile.TemporaryDirectory() as name:
        if good:
            print_results("good photos among broken ones", among_broken(Path(name), good, broken, side))
        if small:
            print_results("small photos", small_photos(Path(name), small, strength))


if __name__ == "__main__":
    typer.run(main)
