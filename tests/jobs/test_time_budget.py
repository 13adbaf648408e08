"""--budget, and how long a run takes: with given seconds per tile, never with measured ones."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from hypothesis import given
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.jobs import time_budget
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting import mapping, relight, relight_cost, timing
from relight_cli.relighting.options import ReferenceKind, RelightOptions
from relight_cli.relighting.reference import ReferenceLight

SIDE = 120  # of the photos
LIGHT = ("relight", "--light", "light.png")
CALLS = [  # a command, and the seconds that pay for a copy of 60, at a second a tile
    (("deshadow",), 4),
    (("albedo",), 8),
    (LIGHT, 8),
    ((*LIGHT, "--reference", "scene", "--tile-overlap", "0.5"), 7),
    ((*LIGHT, "--reference", "latents"), 8),
]


class FullSize:
    """What a note needs to know of a network that works best at full size."""

    max_side = 0


@pytest.fixture(autouse=True)
def small_sizes(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sizes that suit small photos, and a network for them that works best at full size, with tiles of 32."""
    monkeypatch.setattr(time_budget, "LADDER", (40, 60, 80))
    monkeypatch.setattr("relight_cli.jobs.provenance.LADDER", (40, 60, 80))

    def load(**named: object) -> object:
        network = load_tiny(**named)
        network.tile_size, network.max_side, network.reference_side = 32, 0, 0
        return network

    monkeypatch.setattr("relight_cli.checkpoints.models.load_tiny", load)
    for seed, name in enumerate(("a", "b", "light")):
        write_photo(Photo(noise((SIDE * 3 // 4, SIDE, 3), seed=seed)), tmp_path / f"{name}.png")


def rate(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Let a tile take `seconds`; return a list that grows with each measurement."""
    measured: list[int] = []
    for module in (mapping, relight):
        monkeypatch.setattr(module, "seconds_per_tile", lambda *_: measured.append(1) or seconds)
    monkeypatch.setattr(relight_cost, "seconds_of_work", lambda *_: seconds / 4)
    return measured


def chosen(done: object) -> str:
    return done.lines[0].split(": ", 1)[1].split(",")[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("call", "middle"), CALLS)
def test_a_budget_gives_the_bytes_of_the_size_that_it_chooses(
    command: Command, monkeypatch: pytest.MonkeyPatch, call: tuple[str, ...], middle: int
) -> None:
    measured = rate(monkeypatch, 1.0)
    arguments = (call[0], "a.png", "b.png", *call[1:], "--model", "tiny")
    made = {}
    for budget, side in ((1, "40"), (middle, "60"), (10_000, None)):
        done = command(*arguments, "--budget", budget, "-o", f"by{budget}")
        assert done.code == 0, done.err
        assert chosen(done) == (f"--max-side {side}" if side else "the network's own size")
        assert sum("--budget" in line for line in done.lines) == 1
        assert command(*arguments, *(("--max-side", side) if side else ()), "-o", f"at{budget}").code == 0
        for one in sorted(Path(f"by{budget}").iterdir()):
            made[budget, one.name] = one.read_bytes()
            assert made[budget, one.name] == (Path(f"at{budget}") / one.name).read_bytes()
    assert len(set(made.values())) == len(made)
    assert len(measured) == 3


def test_outputs_of_a_budget_are_kept_whatever_the_speed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("deshadow", "a.png", "b.png", "--model", "tiny", "--budget", "4", "-o", "out")
    rate(monkeypatch, 1.0)
    assert command(*arguments).code == 0
    first = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    measured = rate(monkeypatch, 0.001)
    assert command(*arguments, "--skip-existing").code == 0
    assert not measured
    Path("out/b_deshadowed.png").unlink()
    done = command(*arguments, "--skip-existing", "--report", "r.jsonl")
    assert chosen(done) == "the network's own size"
    assert Path("out/a_deshadowed.png").read_bytes() == first["a_deshadowed.png"]
    assert Path("out/b_deshadowed.png").read_bytes() != first["b_deshadowed.png"]
    assert [json.loads(line)["status"] for line in Path("r.jsonl").read_text().splitlines()] == ["skipped", "done"]
    other = command(*arguments[:-4], "--max-side", "50", "-o", "out", "--skip-existing")  # no size of the ladder
    assert (other.code, "2 done" in other.err) == (0, True)
    again = command(*arguments, "--skip-existing")
    assert (again.code, "2 done" in again.err) == (0, True)


def test_the_least_size_is_taken_if_none_fits(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    rate(monkeypatch, 1000.0)
    done = command("deshadow", "a.png", "--model", "tiny", "--budget", "1")
    assert done.lines[0].startswith("--budget 1: --max-side 40, ")
    assert done.lines[0].endswith(", the least.")
    assert command("albedo", "a.png", "--model", "tiny", "--budget", "1", "--quiet").err == ""


def test_the_size_of_a_photo_from_a_pipe_is_known(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    rate(monkeypatch, 1.0)
    done = command(
        "deshadow", "-", "--model", "tiny", "--budget", "4", "-o", "out.png", stdin=Path("a.png").read_bytes()
    )
    assert (done.code, chosen(done)) == (0, "--max-side 60")


@pytest.mark.parametrize("more", [("--max-side", "0"), ("--max-side", "64"), ("--no-detail",)])
def test_contradictions(command: Command, more: tuple[str, ...]) -> None:
    done = command("deshadow", "a.png", "--model", "tiny", "--budget", "5", *more)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "--budget" in done.err
    assert command("interpolate-timelapse", "a.png", "b.png", "--budget", "5").code == 2


@given(
    best=st.integers(0, 10_000), rate=st.floats(0.001, 100), budget=st.floats(0.1, 10_000), side=st.integers(1, 9000)
)
def test_the_largest_size_within_the_budget(best: int, rate: float, budget: float, side: int) -> None:
    cost = time_budget.TileCost(
        lambda model, photo, size: min(side, size or best or side) ** 2, lambda model: best, lambda model, photo: rate
    )
    photo = Photo(np.broadcast_to(np.uint8(0), (1, side, 3)))
    choice = time_budget.choose_side(cost, Model(None, "tiny", None, None), photo, budget)  # type: ignore[arg-type]
    sizes = [min(side, size or best or side) for size in time_budget.rungs(best)]
    fitting = [size for size in sizes if size**2 * rate <= budget] or sizes[:1]
    assert choice.tiles == max(fitting) ** 2
    assert choice.seconds == choice.tiles * rate


@pytest.mark.parametrize(("readings", "expected"), [([0, 0.5, 1, 1.25], 0.25), ([0, 7], 7)])
def test_a_tile_is_timed_again_if_the_first_was_fast(readings: list[float], expected: float) -> None:
    model = Model(load_tiny(), "tiny", None, None)
    clock = iter(readings)
    assert timing.seconds_per_tile(model, lambda grid, indices, intrinsic, own: own, lambda: next(clock)) == expected
    assert not list(clock)


def test_tiles_of_windows_take_less_the_more_they_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is seen in a quarter of a second; windows are decoded once, whatever the overlap of the tiles."""
    monkeypatch.setattr(relight_cost, "relighting_seconds", lambda model: 1.0)
    monkeypatch.setattr(relight_cost, "seconds_of_work", lambda model, work: 0.25)
    monkeypatch.setattr(relight_cost, "mapping_seconds", lambda model, mapper: 3.0)
    model, photo = Model(load_tiny(), "tiny", None, None), Photo(noise((8, 8, 3)))

    def seconds(**chosen: object) -> list[float]:
        options = [partial(RelightOptions, tile_overlap=overlap, **chosen) for overlap in (0.0, 0.2, 0.5)]
        return [relight_cost.RelightCost(ReferenceLight(photo), one).seconds(model, photo) for one in options]

    assert seconds(reference=ReferenceKind.LATENTS) == pytest.approx(
        [0.25 + 0.75 * 1.25**2, 1.0, 0.25 + 0.75 * 0.625**2]
    )
    assert seconds(detail=False) == [1.0] * 3
    assert seconds(reference=ReferenceKind.ALIGNED) == seconds() == [1.0] * 3
    assert seconds(reference=ReferenceKind.SCENE) == [3.0] * 3  # the tiles are those of the mappers


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, "; --max-side 1024 or --budget 60 shortens it"),
        ({"max_side": 3000}, "; a smaller --max-side shortens it"),
        ({"budget": 60.0}, ""),
        ({"detail": False}, ""),
    ],
)
def test_a_long_run_says_so_once(options: dict, remedy: str) -> None:
    said: list[str] = []
    now = [0.0]
    note = time_budget.LongRunNote(LightCommandOptions(**options), said.append, lambda: now[0])
    seen: list[tuple[int, int]] = []
    for name in ("a.jpg", "b.jpg"):
        progress = note.watch(
            name, Model(FullSize(), "big", None, None), lambda done, total: seen.append((done, total))
        )
        for done in (2, 4):
            now[0] += 21.6
            progress(done, 187)
    assert said == [f"a.jpg: 187 tiles, about 34 minutes on this CPU{remedy}."]
    assert seen == [(2, 187), (4, 187)] * 2


def test_a_short_run_says_nothing() -> None:
    said: list[str] = []
    now = [0.0]
    note = time_budget.LongRunNote(LightCommandOptions(), said.append, lambda: now[0])
    progress = note.watch("a.jpg", Model(FullSize(), "big", None, None, "cuda"), lambda done, total: None)
    now[0] = 0.5
    progress(2, 200)
    assert not said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (1.4, "1 second"), (43, "43 seconds"), (2020, "34 minutes"), (9000, "2.5 hours")],
)
def test_durations(seconds: float, words: str) -> None:
    assert time_budget.duration(seconds) == words


def test_a_command_says_how_long_it_takes(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_budget, "LONG", 0.0)
    done = command("deshadow", "a.png", "b.png", "--model", "tiny")
    assert [line for line in done.lines if "about" in line] == done.lines[:1]
    assert done.lines[0].startswith(("a.png: ", "b.png: "))  # they may be computed at the same time
    assert done.lines[0].endswith(" on this CPU; --max-side 1024 or --budget 60 shortens it.")
    assert command("deshadow", "a.png", "--model", "tiny", "--overwrite", "--quiet").err == ""


def test_two_photos_at_the_same_time_say_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_budget, "LONG", 0.0)
    said: list[str] = []
    note = time_budget.LongRunNote(LightCommandOptions(), said.append)
    model = Model(load_tiny(), "tiny", None, None)
    both = [note.watch(name, model, lambda done, total: None) for name in ("a.png", "b.png")]
    for progress in both:
        progress(1, 2)
    assert len(said) == 1
