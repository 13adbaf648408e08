"""`--mode auto`: the blend that has proven itself on the sequence, and what keeps it from errors of its own."""

import itertools
import json
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of
from timelapse_fixtures import command, plain, psnr, write_frames

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.options import TileOptions
from relight_cli.timelapse.blending import FADE, WAYS, bands_of, enlarged_rows, keep_between
from relight_cli.timelapse.left_out_frames import MAX_FRAMES, compared_numbers, left_out_numbers
from relight_cli.timelapse.moving_things import nearer_share, things_between
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.proof import _solved
from relight_cli.timelapse.sequence_proof import Choice, SequenceProof
from relight_cli.timelapse.sequencing import Mode, OutputFrame
from relight_cli.timelapse.timelapse import Timelapse


def left_out(sequence: list[np.ndarray], mode: Mode) -> tuple[float, list[Choice]]:
    """Make every second frame from the others; return the mean PSNR, and the choice."""
    given, chosen = [frame.astype(np.float32) for frame in sequence[::2]], list[Choice]()
    times = [float(number) for number in range(len(given))]
    proof = SequenceProof(times, given.__getitem__, chosen.append)
    read = given.__getitem__
    timelapse = Timelapse(times, read, read, model_of(MeanLight()), TimelapseOptions(mode=mode), proof=proof)
    made = [timelapse.make(OutputFrame(number + 0.5)) for number in range(len(given) - 1)]
    scores = [psnr(frame.picture, true) for frame, true in zip(made, sequence[1::2], strict=False) if frame]
    return float(np.mean(scores)), chosen


def test_an_even_nightfall_is_found_and_a_cross_fade_beaten() -> None:
    texture = np.random.default_rng(0).uniform(0.3, 0.9, (48, 64, 3))
    night = [(texture * 0.75**number).astype(np.float32) ** (1 / 2.2) for number in range(11)]
    auto, chosen = left_out(night, Mode.AUTO)
    assert auto > left_out(night, Mode.IMAGE)[0] + 6
    assert chosen[0].blend.uses(FADE)
    assert chosen[0].frames == 4
    assert chosen[0].gain is not None
    assert chosen[0].gain > 6


def test_of_two_frames_even_changes_are_faded_in_stops_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    texture = rng.uniform(0.3, 0.9, (48, 64, 3))
    night = [(texture * 0.4**number).astype(np.float32) ** (1 / 2.2) for number in (0, 0.5, 1)]
    auto, chosen = left_out(night, Mode.AUTO)
    assert auto > left_out(night, Mode.IMAGE)[0] + 10
    assert chosen[0].shares[FADE] > 0.9
    other = rng.uniform(0.3, 0.9, (48, 64, 3)) ** (1 / 2.2)
    _, chosen = left_out([night[0], night[0], other.astype(np.float32)], Mode.AUTO)
    assert chosen[0].shares[FADE] < 0.1


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.integers(5, 9), st.integers(20, 70), st.integers(20, 70))
def test_frames_that_have_nothing_in_common_are_cross_faded(seed: int, count: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    skies = [rng.uniform(0.2, 0.8, (4, 5, 3)).astype(np.float32) for _ in range(count)]
    sequence = [cv2.resize(sky, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1) for sky in skies]
    assert left_out(sequence, Mode.AUTO)[0] > left_out(sequence, Mode.IMAGE)[0] - 0.15


def test_the_choice_is_made_once_and_depends_on_the_frames_alone() -> None:
    frames = [picture.astype(np.float32) for picture in plain(4, 40, 50)]
    times, reads, made = [0.0, 1.0, 2.5, 3.0], list[int](), []
    for order in ([0.5, 1.5, 2.7], [2.7], [1.5, 2.7]):
        proof = SequenceProof(times, lambda number: reads.append(number) or frames[number])
        read = frames.__getitem__
        timelapse = Timelapse(times, read, read, model_of(MeanLight()), TimelapseOptions(), proof=proof)
        made.append([timelapse.make(OutputFrame(time)) for time in order][-1])
    assert reads == 3 * [0, 1, 2, 3]
    assert all((one.picture == made[0].picture).all() for one in made if one and made[0])


def test_the_frames_that_are_left_out() -> None:
    assert left_out_numbers(2) == []
    assert left_out_numbers(5) == [1, 2, 3]
    for count in (MAX_FRAMES + 2, MAX_FRAMES + 3, 1000):
        numbers = left_out_numbers(count)
        assert len(set(numbers)) == MAX_FRAMES
        assert (numbers[0], numbers[-1]) == (1, count - 2)
    assert compared_numbers(4) == [0, 1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_weights_are_the_best_that_are_allowed(seed: int) -> None:
    rng, count = np.random.default_rng(seed), len(WAYS)
    basis, wanted = rng.normal(size=(20, count)), rng.normal(size=20)
    squares, products = basis.T @ basis, basis.T @ wanted
    weights = _solved(squares, products)
    assert 0 <= weights.min() <= weights.max() <= 1
    grid = itertools.product(np.linspace(0, 1, 6), repeat=count)
    best = min(float(w @ squares @ w - 2 * w @ products) for w in map(np.array, grid))
    assert weights @ squares @ weights - 2 * weights @ products <= best + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
def test_maps_are_enlarged_in_parts_as_in_one(height: int, width: int, rows: int, columns: int) -> None:
    maps = np.random.default_rng(1).normal(size=(rows, columns, 3)).astype(np.float32)
    height, width = max(height, rows), max(width, columns)
    parts = [enlarged_rows(maps, slice(top, min(top + 7, height)), height, width) for top in range(0, height, 7)]
    whole = cv2.resize(maps, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.concatenate(parts) == pytest.approx(whole.reshape(height, width, 3), abs=1e-4)
    picture = np.random.default_rng(2).normal(size=(height, width, 3)).astype(np.float32)
    assert sum(bands_of(picture)) == pytest.approx(picture, abs=1e-4)


def test_brightness_stays_between_the_ends_unless_a_shadow_passes() -> None:
    first, last = (np.full((48, 64, 3), level, np.float32) for level in (0.5, 0.6))
    dip, nothing = np.full((48, 64, 3), 0.4, np.float32), np.zeros((48, 64), np.float32)
    kept = keep_between(dip.copy(), first, last, nothing)
    assert kept.min() > 0.5 - 0.02
    assert kept.max() < 0.6
    assert (keep_between(first * 1.1, first, last, nothing) == first * 1.1).all()
    assert (keep_between(dip.copy(), first, last, nothing + 1) == dip).all()
    part = nothing.copy()
    part[:, :32] = 1
    passed = keep_between(dip.copy(), first, last, part)
    assert passed[:, :16] == pytest.approx(0.4, abs=1e-3)
    assert passed[:, 48:].min() > 0.48
    assert keep_between(dip[:1, :1].copy(), first[:1, :1], last[:1, :1], nothing[:1, :1]).shape == (1, 1, 3)


def scene() -> np.ndarray:
    """Return a road with soft clouds above."""
    rng = np.random.default_rng(3)
    road = 0.4 + 0.05 * rng.normal(size=(160, 200, 1)) * np.ones(3)
    clouds = cv2.resize(rng.uniform(0.5, 0.8, (5, 6, 3)), (200, 80), interpolation=cv2.INTER_CUBIC)
    return np.concatenate([clouds, road[80:]]).clip(0, 1).astype(np.float32)


def test_a_car_is_left_to_the_nearer_frame_and_clouds_fade() -> None:
    first, last = scene(), scene()
    car = (slice(110, 122), slice(60, 80))
    first[car] = np.where(np.indices((12, 20)).sum(0)[..., None] % 4 < 2, 0.05, 0.9)
    last[:80] = last[79::-1] * 0.8
    things = things_between(first, last, np.zeros((160, 200), np.float32))
    assert things[114:118, 65:75].min() > 0.9
    assert things[:70].max() < 0.1
    assert things.mean() < 0.05
    shares = [nearer_share(things, share) for share in (0.25, 0.5, 0.75)]
    assert [share[116, 70] for share in shares] == pytest.approx([0, 0.5, 1], abs=0.03)
    assert [share[20, 70] for share in shares] == pytest.approx([0.25, 0.5, 0.75], abs=0.03)
    assert things_between(first[:3, :3], last[:3, :3], np.zeros((3, 3), np.float32)).max() == 0
    even = np.random.default_rng(5).normal(0.6, 0.002, (2, 160, 200, 3)).astype(np.float32)
    even[1, 112:120, 64:76] = 0.1
    assert things_between(*even, np.zeros((160, 200), np.float32))[114:118, 66:74].min() > 0.9
    night = np.random.default_rng(4).uniform(0, 0.6, (160, 200, 1)).astype(np.float32) * np.ones(3, np.float32)
    night *= np.linspace(0.1, 1, 200, dtype=np.float32)[:, None]
    assert things_between(first, night, np.zeros((160, 200), np.float32)).max() == 0  # no detail is the same


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_choice_is_said_and_a_part_is_as_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write_frames(Path("in"), plain(5, 48, 64))
    asked = ("in", "--between", "1", "--model", "tiny", "--skip-existing", "--report", "r.jsonl", "-o")
    assert command(*asked, "out") == 0
    assert capsys.readouterr().err.count("auto, by 3 frames left out: ") == 1
    entry = json.loads(Path("r.jsonl").read_text().splitlines()[-1])
    assert entry["auto"]["left_out"] == 3
    assert set(entry["auto"]["shares"]) <= set(WAYS)
    assert all(0 < share <= 1 for share in entry["auto"]["shares"].values())
    whole = {path.name: path.read_bytes() for path in Path("out").glob("frame*")}
    for name in ("frame_0004.png", "frame_0008.png"):
        Path("out", name).unlink()
    assert command(*asked, "out", "-q") == 0
    assert {path.name: path.read_bytes() for path in Path("out").glob("frame*")} == whole
    kept = {path: path.stat().st_mtime_ns for path in Path("out").glob("frame*")}
    write_photo(Photo(read_photo(Path("in/frame5.png"), max_pixels=10**6).pixels // 2), "in/frame5.png", overwrite=True)
    assert command(*asked, "out", "-q") == 0
    again = {path.name for path, time in kept.items() if path.stat().st_mtime_ns != time}
    assert again == {"frame_0002.png", "frame_0004.png", "frame_0006.png", "frame_0008.png", "frame_0009.png"}
    write_frames(Path("two"), plain(2, 48, 64))
    assert command("two", "--between", "1", "--model", "tiny", "-o", "of_two") == 0
    assert "no frame could be left out" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_frozen_light_brightens_by_what_a_frame_holds(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    night = np.full((48, 64, 3), 0.03) + rng.normal(0, 0.008, (48, 64, 3))
    day = np.full((48, 64, 3), 0.9) + rng.normal(0, 0.02, (48, 64, 3))
    write_frames(Path("in"), [night, day])
    assert command("in", "--freeze", "in/frame2.png", "--model", "tiny", "-o", "out") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "too dark for this light" in line]
    assert len(notes) == 1
    assert notes[0].startswith("in/frame1.png: ")
    made = read_photo(Path("out/frame_0001.png"), max_pixels=10**6).pixels / 255
    assert made.std() < 0.06
    assert (made**2.2).mean() < 10 * 0.03 / 12.92


def test_a_long_sequence_is_read_in_order_and_little_is_held() -> None:
    frames = [np.full((30, 40, 3), 0.3 + 0.01 * number, np.float32) for number in range(40)]
    reads, returned = list[int](), list[weakref.ref[np.ndarray]]()

    def read(number: int) -> np.ndarray:
        assert sum(reference() is not None for reference in returned) <= 3
        reads.append(number)
        picture = frames[number].copy()
        returned.append(weakref.ref(picture))
        return picture

    proof = SequenceProof([float(number) for number in range(40)], read)
    proof.blend(MeanLight(), TileOptions(), TimelapseOptions(), same_light=False)
    assert reads == sorted(reads) == compared_numbers(40)
