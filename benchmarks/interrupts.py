"""Interrupt runs at random moments and count how they end.

python benchmarks/interrupts.py [--runs 200] [--megapixels 48] [--command deshadow] [--formats jpg,png] [--preloaded]

Runs the real command line with `tiny` on photos of each format, one after the other, and sends SIGINT and SIGTERM in
turn at a moment that is spread evenly over the time of a whole run. A run is good if it is done, or ends with 130 or
143 and one line; leaves no hidden file; and every output can be read. Prints the counts, and then the same as one
JSON object. With --preloaded the runs are forked from a process that has loaded torch, so that more interrupts hit the
work itself.
"""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from photos import make_photo

from relight_cli.photos.reading import read_photo

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143}
UNWANTED = re.compile(r"Traceback|terminate called|Exception ignored|Fatal|Segmentation|core dumped")
EARLY = ("Traceback", "Fatal Python error: init_")  # of Python itself, before any of this project's code


@dataclass(frozen=True)
class Ended:
    """How one run ended."""

    number: signal.Signals
    moment: float  # seconds from the start to the signal
    code: int
    output: str
    seconds: float  # from the signal to the end
    faults: tuple[str, ...] = ()
    early: bool = False  # Python had not begun to load the program


# A process that has loaded the libraries, but run nothing, and becomes the command line in a child for each line read.
PRELOADED = """
import json, os, sys
import cv2, torch, imagecodecs, tifffile
from relight_cli.__main__ import main
import relight_cli.cli, relight_cli.checkpoints.models, relight_cli.relighting.mapping
for line in sys.stdin:
    sys.argv, output = json.loads(line)
    child = os.fork()
    if child == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Run:
    """A run of the command line in a process of its own."""

    def __init__(self, folder: Path, arguments: list[str], output: Path) -> None:
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relight_cli", *arguments],
                cwd=folder,
                env=os.environ | {"HF_HUB_OFFLINE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code."""
        return self._process.wait()


class PreloadedRun:
    """A run in a child of PRELOADED."""

    parent: subprocess.Popen | None = None

    def __init__(self, folder: Path, arguments: list[str], output: Path) -> None:
        if PreloadedRun.parent is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            environment = os.environ | {"HF_HUB_OFFLINE": "1"}
            PreloadedRun.parent = subprocess.Popen(
                [sys.executable, "-c", PRELOADED], cwd=folder, env=environment, **pipes
            )
        parent = self._parent = PreloadedRun.parent
        assert parent.stdin
        parent.stdin.write(json.dumps([["relight-cli", *arguments], str(output)]) + "\n")
        parent.stdin.flush()
        self._child = self._answer()

    def _answer(self) -> int:
        assert self._parent.stdout
        return int(self._parent.stdout.readline())

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self._child, number)

    def wait(self) -> int:
        """Return the exit code."""
        return self._answer()


Start = Callable[[Path, list[str], Path], Run | PreloadedRun]


def interrupted(start: Start, folder: Path, arguments: list[str], number: signal.Signals, moment: float) -> Ended:
    """Start a run, send a signal after `moment` seconds, and judge how it ends."""
    out, log = folder / "out", folder / "log"
    process = start(folder, arguments, log)
    time.sleep(moment)
    with contextlib.suppress(ProcessLookupError):  # it has ended
        process.send(number)
    began = time.monotonic()
    code = process.wait()
    seconds = time.monotonic() - began
    faults: list[str] = []
    output = log.read_text(errors="replace")
    if code not in (0, ENDS[number], -number):  # a signal before Python has started ends the process as the system does
        faults.append(f"exit code {code}")
    if output.startswith(EARLY) and f"{os.sep}relight_cli{os.sep}" not in output:
        return Ended(number, moment, code, output, seconds, early=True)
    if UNWANTED.search(output):
        faults.append("unwanted output")
    if code == ENDS[number] and output.count("\n") != 1:
        faults.append("not one line")
    for path in out.iterdir() if out.exists() else ():
        if path.name.startswith("."):
            faults.append("hidden file left")
        else:
            try:
                read_photo(path, max_pixels=10**9)
            except Exception as error:  # noqa: BLE001  counted
                faults.append(f"damaged output: {error}")
        path.unlink()
    return Ended(number, moment, code, output, seconds, tuple(faults))


def main(
    runs: Annotated[int, typer.Option(min=1, help="Interrupts.")] = 200,
    megapixels: Annotated[float, typer.Option(min=0.01, help="Of each photo.")] = 48.0,
    command: Annotated[str, typer.Option(help="Arguments between relight-cli and the photos.")] = "deshadow",
    formats: Annotated[str, typer.Option(help="A photo of each, by suffix.")] = "jpg,png,tif",
    start_at: Annotated[float, typer.Option(min=0, max=1, help="Share of a whole run before the first signal.")] = 0.0,
    preloaded: Annotated[
        bool, typer.Option("--preloaded", help="Fork each run after the libraries are loaded.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
) -> None:
    """Interrupt runs in a temporary folder."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it, and so would the runs
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = [f"photo.{suffix}" for suffix in formats.split(",")]
        for photo in photos:
            make_photo(folder / photo, megapixels, 0)
        arguments = [*command.split(), *photos, "--model", "tiny", "-o", "out/", "--overwrite"]
        start: Start = PreloadedRun if preloaded else Run
        began = time.monotonic()
        if start(folder, arguments, folder / "log").wait():
            raise SystemExit((folder / "log").read_text())
        whole = time.monotonic() - began
        ended = []
        for at in range(runs):
            number = (signal.SIGINT, signal.SIGTERM)[at % 2]
            share = start_at + (1 - start_at) * (at + draw.random()) / runs
            one = interrupted(start, folder, arguments, number, whole * share)
            ended.append(one)
            if (at + 1) % 10 == 0:
                faulty = sum(bool(one.faults) for one in ended)
                print(f"{at + 1} of {runs} interrupts, {faulty} faulty", file=sys.stderr, flush=True)
            if one.faults:
                print(f"{one.number.name} after {one.moment:.2f} s: {', '.join(one.faults)}\n{one.output}", flush=True)
    waits = sorted(one.seconds for one in ended)
    results = {
        "runs": runs,
        "faulty": sum(bool(one.faults) for one in ended),
        "before_the_program_was_loaded": sum(one.early for one in ended),
        "exit_codes": dict(sorted(Counter(one.code for one in ended).items())),
        "faults": dict(Counter(fault for one in ended for fault in one.faults)),
        "seconds_of_a_whole_run": round(whole, 1),
        "seconds_until_the_end_median": round(waits[len(waits) // 2], 2),
        "seconds_until_the_end_longest": round(waits[-1], 2),
    }
    for key, value in results.items():
        print(f"{key.replace('_', ' '):32} {value}")
    print(json.dumps({"interrupts": {"command": command, "formats": formats, "megapixels": megapixels, **results}}))


if __name__ == "__main__":
    typer.run(main)
