"""The same work gives the same bytes on any number of threads and cores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lit_views import light, shot, view
from photo_fixtures import noise

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

HEIGHT, WIDTH = 151, 213  # odd, and more samples than torch gives to one thread

RUNS = """
import json, os, sys
out, cores, runs = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
if cores and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from relight_cli.cli import main
for number, words in enumerate(runs):
    sys.argv = ["relight-cli", *words, "-o", os.path.join(out, str(number), ""), "-q"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""

TINY = ["--model", "tiny"]
COMMANDS = [
    ["deshadow", "a.png", *TINY, "--save-mask"],
    ["deshadow", "a.png", *TINY, "--max-side", "0"],
    ["deshadow", "a.png", *TINY, "--no-detail"],
    ["albedo", "deep.png", *TINY, "--mask", "mask.png"],
    ["albedo", "a.png", *TINY, "--tile-colour", "free", "--max-side", "96"],
    *(["relight", "a.png", *TINY, "--light", "b.png", "--reference", kind] for kind in ("latents", "aligned", "scene")),
    ["relight", "b.png", *TINY, "--light", "moved.png", "--reference", "moved"],
    ["relight", "deep.png", *TINY, "--light", "golden-hour", "--save-shading"],
    ["relight", "a.png", *TINY, "--sun", "left,20", "--soft", "12"],
    ["interpolate-timelapse", "a.png", "b.png", *TINY, "--between", "2"],
    ["interpolate-timelapse", "a.png", "b.png", *TINY, "--freeze", "a.png"],
]


def made(folder: Path, out: str, runs: list, threads: int, cores: int = 0) -> dict[str, bytes]:
    """Run commands in one process; return their outputs by name."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    environment["OMP_WAIT_POLICY"] = "passive"  # threads that wait leave the core to others
    program = [sys.executable, "-W", "ignore", "-c", RUNS, out, str(cores), json.dumps(runs)]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {str(p.relative_to(folder / out)): p.read_bytes() for p in (folder / out).rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two photos of a view, one of them moved, a mask, and a photo of 16 bits."""
    surfaces = view(1, HEIGHT, WIDTH)
    a, b = (shot(surfaces, light(seed, HEIGHT, WIDTH)) for seed in (2, 3))
    write_photo(Photo(a), tmp_path / "a.png")
    write_photo(Photo(b), tmp_path / "b.png")
    write_photo(Photo(np.ascontiguousarray(np.roll(a, (3, -4), (0, 1)))), tmp_path / "moved.png")
    write_photo(Photo(shot(surfaces, light(4, HEIGHT, WIDTH)).astype(np.uint16) * 257), tmp_path / "deep.png")
    write_photo(Photo(noise((HEIGHT, WIDTH, 1))), tmp_path / "mask.png")
    return tmp_path


def test_tiny_gains_lights_and_geometry_do_not_depend_on_threads(folder: Path) -> None:
    one = made(folder, "one", COMMANDS, threads=1, cores=1)
    assert len(one) == len(COMMANDS) + 2 + 3 + 1  # a mask, a shading, and more than one frame
    several = made(folder, "several", COMMANDS, threads=3)
    assert [name for name in one if one[name] != several.get(name)] == []


def test_a_published_network_repeats_its_bytes_on_as_many_threads(folder: Path, small_standin: Path) -> None:
    """With the published size of a tile, which is work for several threads."""
    network = torch.load(small_standin / "CroCoDiLight.pth", weights_only=True)
    network["croco_kwargs"]["img_size"] = 448
    torch.save(network, folder / "CroCoDiLight.pth")
    shutil.copy(small_standin / "CroCoDiLight_shadow_mapper.pth", folder)
    runs = [["deshadow", "a.png", "--model", "crocodilight", "--weights-dir", ".", "--offline"]]
    assert made(folder, "first", runs, threads=2) == made(folder, "second", runs, threads=2) != {}
