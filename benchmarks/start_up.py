"""Measure start-up, one small photo, and a hundred of them with `tiny`: python benchmarks/start_up.py [--photos 100]

The baseline of one photo is `import torch` and the network's own time, measured in the same run.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import typer
from photos import make_photo
from processes import command_line, measured
from tables import print_table

# Prints the seconds and the processor seconds of the tiles of one photo, in a program that is warm.
NETWORK = """
import sys, time
from pathlib import Path
from relight_cli import deshadow, load_model, read_photo
model, photo = load_model("tiny", tasks=["deshadow"], device="cpu"), read_photo(Path(sys.argv[1]))
times = []
for _ in range(5):
    began = time.perf_counter(), time.process_time()
    deshadow(model, photo)
    times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
print(*min(times))
"""


def network_time(photo: Path) -> tuple[float, float]:
    """Return the seconds and the processor seconds of the network for a photo."""
    done = subprocess.run([sys.executable, "-c", NETWORK, photo], stdout=subprocess.PIPE, text=True, check=True)
    seconds, processor = map(float, done.stdout.split())
    return seconds, processor


def main(photos: int = 100, megapixels: float = 0.5) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "many").mkdir()
        make_photo(folder / "reference.jpg", megapixels, seed=photos)
        for number in range(photos):
            make_photo(folder / "many" / f"{number}.jpg", megapixels, seed=number)
        relit = ("--light", "reference.jpg", "--reference", "latents", "--model", "tiny", "-o", "relit/", "--overwrite")
        commands = {
            "--help": ("--help",),
            "relight --help": ("relight", "--help"),
            "one photo": ("relight", "many/0.jpg", *relit),
            "one photo, deshadow": ("deshadow", "many/0.jpg", "--model", "tiny", "-o", "x.jpg", "--overwrite"),
            f"{photos} photos": ("relight", "many", *relit),
        }
        baseline = min((measured(folder, "-c", "import torch") for _ in range(3)), key=lambda usage: usage.seconds)
        network = network_time(folder / "many" / "0.jpg")
        least = baseline.seconds + network[0], baseline.processor + network[1]
        rows = []
        for what, arguments in commands.items():
            runs = [command_line(folder, *arguments) for _ in range(1 if what.endswith("photos") else 3)]
            best = min(runs, key=lambda usage: usage.seconds)
            times = {"seconds": round(best.seconds, 3), "processor seconds": round(best.processor, 3)}
            ratio = {}
            if "deshadow" in what:
                ratio = {"of torch + network": f"{best.seconds / least[0]:.2f}, {best.processor / least[1]:.2f}"}
            rows.append({"what": what} | times | {"peak GB": round(best.peak, 2)} | ratio)
        for what, (seconds, processor) in (
            ("import torch", (baseline.seconds, baseline.processor)),
            ("network", network),
        ):
            rows.append({"what": what, "seconds": round(seconds, 3), "processor seconds": round(processor, 3)})
    print_table("start-up", rows, megapixels=megapixels)


if __name__ == "__main__":
    typer.run(main)
