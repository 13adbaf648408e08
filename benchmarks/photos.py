"""Photos of any size, made on the spot, and the command line timed on them."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from relight_cli.imaging.photo import Photo, write_photo


def make_photo(path: Path, megapixels: float, seed: int) -> Photo:
    """Write a picture of patches with grain, 4 : 3, in the kind of the path's suffix."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    size = (height * 4 // 3, height)
    rng = np.random.default_rng(seed)
    patches = rng.integers(65, 190, (height // 50 + 1, size[0] // 50 + 1, 3), np.uint8)
    grain = rng.integers(0, 50, (height // 3 + 1, size[0] // 3 + 1, 3), np.uint8)
    pixels = cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST)
    cv2.subtract(cv2.add(pixels, cv2.resize(grain, size)), 25, dst=pixels)
    photo = Photo(pixels, format="JPEG")
    write_photo(photo, path, overwrite=True)
    return photo


def timed_command(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """Run the command line: wall seconds, processor seconds and peak resident GB."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "relight_cli", *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"relight-cli {' '.join(arguments)} failed")
    scale = 1 if platform.system() == "Darwin" else 1024
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e9
