"""--dry-run: what would be read, made and skipped, and what it would cost; nothing is written."""

import math
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from hypothesis import given
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.checkpoints import models
from relight_cli.jobs import trial
from relight_cli.jobs.dry_run import DryRun
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.time_budget import TileCost
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

TINY = ("--model", "tiny")


def put(name: str | Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(noise((*size, 3), seed=seed)), path)
    return path


def everything() -> dict[str, tuple[int, bytes]]:
    """Return all files and folders here, besides caches of weights."""
    found = [path for path in Path().rglob("*") if path.parts[0] != ".hf"]
    return {str(p): (p.lstat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in found}


def plan(text: bytes) -> list[tuple[str, str]]:
    """Return the lines of a plan: what, and the rest."""
    return [(line[:8].strip(), line[9:]) for line in text.decode().splitlines()]


SUN = ("--sun-at", "06:00..21:00", "--place", "48,11", "--facing", "S", "--date", "2026-06-21", "--frames", "3")
COMMANDS = [
    ("deshadow", "in", "--save-mask", "-o", "out/", "--report", "out/r.jsonl"),
    ("albedo", "in/0.png", "--mask", "in/1.png", "--save-shading", "--overwrite"),
    ("relight", "in", "--light", "in/1.png", "-o", "out/"),
    ("relight", "in", "--light", "noon", "--save-light", "noon.toml", "-o", "out/{index}.tif"),
    ("relight", "in/0.png", *SUN, "--report", "new/r.jsonl"),
    ("interpolate-timelapse", "in", "--between", "2", "-o", "out/", "--plot", "p.png"),
    ("interpolate-timelapse", "in", "--deflicker", "3", "-o", "out/"),
    ("interpolate-timelapse", "in", "--between", "2", "-o", "out/", "--mode", "image"),
    ("interpolate-timelapse", "in", "--freeze", "in/0.png", "-o", "new/out.mp4"),
    ("deshadow", "in", "--no-detail"),
    ("deshadow", "in", "--budget", "5"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nothing_is_written(command: Command, arguments: tuple[str, ...]) -> None:
    for seed in (0, 1):
        put(f"in/{seed}.png", seed)
    before = everything()
    done = command(*arguments, *TINY, "--dry-run")
    assert done.code == 0, done.err
    assert everything() == before
    lines = plan(done.out)
    words = [what for what, _ in lines]
    assert {"make", "model", "time", "memory"} <= {what.replace("replace", "make") for what in words}
    assert dict(lines)["model"] == ("none" if "image" in arguments else "tiny, on cpu")
    timed = "a frame" if "interpolate" in arguments[0] else "two tiles"
    timed += " and a frame" if "--frames" in arguments else ""
    assert f"(timed: {timed})" in dict(lines)["time"]
    assert "GB" in dict(lines)["memory"]
    if "--report" in arguments:
        assert ("write", arguments[arguments.index("--report") + 1]) in lines
    assert command(*arguments, *TINY).code == 0  # what was planned can be done


def test_a_light_to_save_is_planned_and_its_folder_checked(command: Command) -> None:
    put("a.png")
    asked = ("relight", "a.png", "--light", "noon", *TINY, "--dry-run", "--save-light")
    done = command(*asked, "new/noon.toml")
    assert (done.code, Path("new").exists()) == (0, False)
    assert ("write", "new/noon.toml") in plan(done.out.replace(b"\\", b"/"))
    done = command(*asked, "a.png/noon.toml")
    assert (done.code, done.out) == (5, b"")
    assert "a.png is not a writable folder" in done.err


def test_the_plan_is_what_a_run_does(command: Command) -> None:
    for seed in range(4):
        put(f"in/{seed}.png", seed)
    put("mask.png", 9)
    assert command("albedo", "in/0.png", "in/1.png", *TINY, "--mask", "mask.png", "-o", "out").code == 0
    put("again.png", 7)
    Path("again.png").replace("in/1.png")
    Path("in/3.png").write_bytes(b"no picture")
    asked = ("albedo", "in", *TINY, "--mask", "mask.png", "-o", "out", "--skip-existing")
    before = everything()
    done = command(*asked, "-n")
    assert done.code == 23
    lines = plan(done.out)
    assert lines[:5] == [
        ("read", "mask.png (mask)"),
        ("skip", "in/0.png -> out/0_albedo.png"),
        ("replace", "in/1.png -> out/1_albedo.png"),
        ("make", "in/2.png -> out/2_albedo.png"),
        ("fail", lines[4][1]),
    ]
    assert lines[4][1].startswith("in/3.png: ")
    assert lines[5] == ("in all", "4 photos: 2 to make, 1 to skip, 1 cannot be read")
    assert everything() == before
    real = command(*asked)
    assert (real.code, "2 done, 1 skipped, 1 failed" in real.err) == (23, True)


@pytest.mark.parametrize("name", ["deshadow", "refine-depth"])
def test_a_single_photo_that_cannot_be_read(command: Command, name: str) -> None:
    done = command(name, "gone.png", "--offline", "-n")
    assert done.code == 4
    assert "gone.png: no such file" in done.err
    assert plan(done.out)[-1] == ("in all", "1 photo: 0 to make, 1 cannot be read")


def test_damage_behind_the_header_is_found_in_the_photo_that_is_timed(command: Command) -> None:
    whole = put("b.png", 1).read_bytes()
    put("a.png")
    Path("a.png").write_bytes(Path("a.png").read_bytes()[:-200])
    done = command("albedo", "a.png", "b.png", *TINY, "-n")
    assert done.code == 23
    assert ("in all", "2 photos: 1 to make, 1 cannot be read") in plan(done.out)
    assert Path("b.png").read_bytes() == whole


def test_nothing_is_loaded_if_nothing_is_to_do(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.png")
    assert command("albedo", "a.png", *TINY).code == 0
    monkeypatch.setattr(models, "load_model", lambda **_: pytest.fail("a network was loaded"))
    done = command("albedo", "a.png", *TINY, "--skip-existing", "-n", "--report", "r.jsonl")
    assert (done.code, plan(done.out)[-1]) == (0, ("in all", "1 photo: 0 to make, 1 to skip"))
    assert not Path("r.jsonl").exists()


def test_pipes(command: Command) -> None:
    data = put("a.png").read_bytes()
    done = command("albedo", "-", *TINY, "-o", "-", "-n", stdin=data)
    assert done.code == 0, done.err
    assert plan(done.out)[0] == ("make", "- -> stdout")
    assert b"PNG" not in done.out


def test_every_check_of_a_run_is_made(command: Command) -> None:
    put("a.png")
    put("a_albedo.png")
    assert command("albedo", "a.png", *TINY, "-n").code == 5
    assert command("albedo", "a.png", *TINY, "-n", "-o", "a.png").code == 2
    assert command("albedo", "a.png", *TINY, "-n", "-o", "x.png", "--report", "a.png/r.jsonl").code == 5


def test_the_published_network_is_measured(command: Command, small_standin: Path) -> None:
    put("a.png", size=(20, 30))
    done = command("albedo", "a.png", "-n", "--weights-dir", small_standin, "--offline")
    assert done.code == 0, done.err
    assert dict(plan(done.out))["model"] == "crocodilight, on cpu"


# what the numbers are made of


class Network:
    """Stands in for a network with tiles of 100 pixels."""

    tile_size = 100


MODEL = Model(Network(), "made up", None, None)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(8, 400), st.integers(8, 400)), min_size=1, max_size=5),
    st.floats(0.01, 5),
    st.floats(0.1, 9),
)
def test_time_and_memory_follow_tiles_and_pixels(sizes: list[tuple[int, int]], tile: float, rest: float) -> None:
    clock = [0.0]
    peak = [400_000]
    options = LightCommandOptions(max_side=0)
    seen: list[int | None] = []

    def make(photo: Photo, small: LightCommandOptions, name: str) -> list[Photo]:
        seen.append(small.max_side)
        clock[0] += rest + tiles(MODEL, photo, small.max_side) * tile
        peak[0] = 1_000_000 + 30 * math.prod(sizes[0])
        return [photo]

    def time_tile(model: Model, photo: Photo) -> float:
        assert photo.pixels.any()  # what a reference shows depends on the first photo, and not on a blank one
        peak[0] = 1_000_000
        return tile

    def tiles(model: Model, photo: Photo, side: int | None) -> int:
        height, width = photo.pixels.shape[:2]
        scale = min(1.0, side / max(height, width)) if side else 1.0
        return math.ceil(height * scale / 100) * math.ceil(width * scale / 100)

    jobs = [Job(Path(f"{number}.png"), Path(f"{number}_x.png")) for number in range(len(sizes))]
    dry = DryRun(jobs, options, sizes={job.source: size for job, size in zip(jobs, sizes, strict=True)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trial.time, "perf_counter", lambda: clock[0])
        patched.setattr(trial, "peak_memory", lambda: peak[0])
        patched.setattr(trial, "read_input", lambda *_: Photo(np.ones((*sizes[0], 3), np.uint8)))
        cost = TileCost(tiles, lambda model: 0, time_tile)
        found = trial.estimate(dry, MODEL, cost, lambda photo: options, make)
    assert found is not None
    assert set(seen) == {140}
    blanks = [Photo(np.broadcast_to(np.uint8(0), (*size, 3))) for size in sizes]
    shares = sorted(math.prod(size) / math.prod(sizes[0]) for size in sizes)
    expected = sum(tiles(MODEL, blank, 0) for blank in blanks) * tile + sum(shares) * rest
    assert found.seconds == pytest.approx(expected, rel=1e-6)
    next_one = 3 * math.prod(sizes[0]) * shares[-2] if shares[1:] else 0
    assert found.memory == pytest.approx(1_000_000 + 30 * math.prod(sizes[0]) * shares[-1] + next_one, abs=3)
