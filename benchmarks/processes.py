"""Run programs, and measure them from outside."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# A small process starts the program: on Linux a program's peak memory includes that of the process that started it.
LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
scale = 1 if sys.platform == "darwin" else 1024
seconds = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), *seconds, usage.ru_maxrss * scale / 1e9]))
"""


@dataclass(frozen=True)
class Usage:
    """Time and memory that a program used."""

    seconds: float
    processor: float  # seconds of all cores together
    peak: float  # resident GB


def measured(folder: Path, *command: str) -> Usage:
    """Run a Python program (its arguments, as after `python`) in a folder, without its stdout, and measure it."""
    launched = [sys.executable, "-c", LAUNCHER, sys.executable, *command]
    done = subprocess.run(launched, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    code, *usage = json.loads(done.stdout)
    if code:
        raise SystemExit(f"{' '.join(command)[:80]} ended with {code}")
    return Usage(*usage)


def command_line(folder: Path, *arguments: str) -> Usage:
    """Run relight-cli and measure it."""
    return measured(folder, "-m", "relight_cli", *arguments)
