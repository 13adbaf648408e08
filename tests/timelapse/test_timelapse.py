"""Schedules of frames, smoothing and moving shadows, and the quality of new frames on known sequences."""

import math
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mean_light import model_of
from timelapse_fixtures import moving_sun, nightfall, psnr

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.tiny import Tiny
from relight_cli.relighting.options import TileOptions
from relight_cli.timelapse.deflickering import smooth_illumination, smoothing_window
from relight_cli.timelapse.keyframe_pair import KeyframePair
from relight_cli.timelapse.light_interpolation import Keyframe, catmull_rom, illumination
from relight_cli.timelapse.moving_edges import change_between
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import (
    Ease,
    Mode,
    OutputFrame,
    eased,
    evenly_spaced,
    frames_between,
    keyframe_times,
)
from relight_cli.timelapse.timelapse import Timelapse

TILING = TileOptions()


@pytest.fixture(scope="module")
def network() -> Tiny:
    return load_tiny()


@pytest.fixture(scope="module")
def sunny() -> list[np.ndarray]:
    return moving_sun()


def test_frames_between_two_keyframes_are_evenly_spaced() -> None:
    planned = frames_between([0.0, 3.0, 9.0], 2)
    assert [frame.time for frame in planned] == pytest.approx([0, 1, 2, 3, 5, 7, 9])
    assert [frame.keyframe for frame in planned] == [0, None, None, 1, None, None, 2]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.integers(2, 50))
def test_frames_over_the_whole_sequence_are_evenly_spaced(gaps: list[float], count: int) -> None:
    times = [0.0, *np.cumsum(gaps).tolist()]
    planned = evenly_spaced(times, count)
    assert len(planned) == count
    assert (planned[0].keyframe, planned[-1].keyframe) == (0, len(times) - 1)
    steps = np.diff([frame.time for frame in planned])
    assert steps == pytest.approx(times[-1] / (count - 1), rel=1e-4, abs=1e-4 * times[-1])
    for frame in planned:
        assert frame.keyframe is None or frame.time == times[frame.keyframe]


def test_times_are_capture_times_only_if_all_are_known_and_rise() -> None:
    assert keyframe_times([100.0, 103.5, 110.0]) == ([0.0, 3.5, 10.0], True)
    assert keyframe_times([100.0, None, 110.0]) == ([0.0, 1.0, 2.0], False)
    assert keyframe_times([100.0, 100.0]) == ([0.0, 1.0], False)


def test_easing_keeps_the_ends() -> None:
    for ease in Ease:
        assert (eased(0, ease), eased(1, ease)) == (0, 1)
    assert eased(0.25, Ease.SMOOTH) < 0.25


@given(st.integers(4, 30), st.integers(3, 15), st.sets(st.integers(0, 29), max_size=3))
def test_smoothing_keeps_a_slow_trend_to_the_ends_and_over_gaps(count: int, window: int, missing: set[int]) -> None:
    lights = {n: torch.tensor([[2.0 + 0.5 * n]]) for n in range(count) if n not in missing}
    for number in lights:
        near = {n: lights[n] for n in smoothing_window(number, window, count) if n in lights}
        assert smooth_illumination(near, number, window).item() == pytest.approx(2.0 + 0.5 * number, abs=1e-3)


def test_smoothing_removes_fast_changes() -> None:
    lights = {n: torch.tensor([[float(n % 2)]]) for n in range(20)}
    out = [smooth_illumination({m: lights[m] for m in smoothing_window(n, 9, 20)}, n, 9).item() for n in range(4, 16)]
    assert np.abs(np.diff(out)).max() < 0.05


def test_the_catmull_rom_path_passes_through_its_keyframes_without_a_kink() -> None:
    lights = [torch.randn(1, 1, 4, dtype=torch.float64) for _ in range(5)]
    times = [0.0, 1.0, 3.0, 3.5, 7.0]
    first = catmull_rom(tuple(lights[:4]), tuple(times[:4]))
    second = catmull_rom(tuple(lights[1:]), tuple(times[1:]))
    torch.testing.assert_close(first(0.0), lights[1])
    torch.testing.assert_close(first(1.0), lights[2])
    torch.testing.assert_close(first(1.0), second(0.0))
    step = 1e-6
    left, right = (first(1.0) - first(1 - step)) / (2.0 * step), (second(step) - second(0.0)) / (0.5 * step)
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)
    straight = catmull_rom(tuple(torch.full((1, 1, 1), t) for t in times[:4]), tuple(times[:4]))
    assert straight(0.5).item() == pytest.approx(2.0)


def with_shadow(left: int, right: int, depth: float = 0.25) -> np.ndarray:
    texture = np.random.default_rng(2).uniform(0.45, 0.75, (96, 128, 3)).astype(np.float32)
    texture[20:76, left:right] *= depth
    return texture


def test_the_edge_of_a_moving_shadow_is_followed() -> None:
    change = change_between(with_shadow(20, 60), with_shadow(40, 80))
    assert change.moving > 0.1
    strip = change.turn[48, 62:79]
    assert (np.diff(strip) > 0).all()  # the front edge reaches pixels farther away later
    assert change.turn[48, 70] == pytest.approx(0.5, abs=0.1)
    assert change.turn[48, 30] == pytest.approx(0.5, abs=0.1)


def test_a_fading_shadow_or_nightfall_moves_nothing() -> None:
    assert change_between(with_shadow(30, 70), with_shadow(30, 70, depth=0.7)).moving == 0
    day = with_shadow(30, 70)
    assert change_between(day, day * 0.3).moving == 0
    assert change_between(day, day).moving == 0
    for height, width in ((1, 1), (1, 9), (3, 600)):
        assert change_between(day[:height, :1].repeat(width, 1), day[-height:, :1].repeat(width, 1)).moving == 0


def between(network: Tiny, pictures: list[np.ndarray], mode: Mode) -> np.ndarray:
    first, last = (Keyframe(pictures[n], network, TILING) for n in (0, 2))

    def path(share: float) -> torch.Tensor:
        return torch.lerp(first.light, last.light, share)

    return KeyframePair(first, last, path, TimelapseOptions(mode=mode)).frame(0.5)


def test_moving_shadows_are_nearer_to_the_truth_than_a_cross_fade(network: Tiny, sunny: list[np.ndarray]) -> None:
    scores = {mode: psnr(between(network, sunny, mode), sunny[1]) for mode in Mode}
    assert scores[Mode.LATENT] > scores[Mode.IMAGE] + 1
    assert scores[Mode.AUTO] > scores[Mode.IMAGE] + 0.3


def test_auto_of_two_frames_is_not_worse_than_a_cross_fade(network: Tiny, sunny: list[np.ndarray]) -> None:
    gentle = [((sunny[0] ** 2.2 * gain) ** (1 / 2.2)).astype(np.float32) for gain in (0.9, 1.0, 1.1)]
    for pictures, gain in ((nightfall(), 0.1), (gentle, -0.05)):
        scores = {mode: psnr(between(network, pictures, mode), pictures[1]) for mode in (Mode.AUTO, Mode.IMAGE)}
        assert scores[Mode.AUTO] > min(50, scores[Mode.IMAGE]) + gain


class Counted:
    """tiny, counting the tiles that it encodes."""

    def __init__(self, network: Tiny) -> None:
        self.network, self.encoded, self.tile_size = network, 0, network.tile_size

    def encode(self, tiles: torch.Tensor) -> torch.Tensor:
        self.encoded += len(tiles)
        return self.network.encode(tiles)

    def __getattr__(self, name: str) -> object:
        return getattr(self.network, name)


@pytest.mark.parametrize("ease", [Ease.LINEAR, Ease.CATMULL_ROM])
@pytest.mark.parametrize("plan", [lambda times: frames_between(times, 1), lambda times: evenly_spaced(times, 8)])
def test_keyframes_are_encoded_once_and_few_are_held(
    network: Tiny, ease: Ease, plan: Callable[[list[float]], list[OutputFrame]]
) -> None:
    pictures = [np.full((40, 50, 3), 0.2 + 0.1 * n, np.float32) for n in range(5)]
    counted, reads = Counted(network), []

    returned: list[weakref.ref[np.ndarray]] = []

    def read(number: int) -> np.ndarray:
        assert sum(reference() is not None for reference in returned) < (3 if ease == Ease.CATMULL_ROM else 2)
        reads.append(number)
        picture = pictures[number].copy()
        returned.append(weakref.ref(picture))
        return picture

    options = TimelapseOptions(mode=Mode.LATENT, ease=ease, max_side=0)
    timelapse = Timelapse([float(n) for n in range(5)], read, read, model_of(counted), options)
    for frame in plan(timelapse.times):
        made = timelapse.make(frame)
        assert made is not None
        assert made.untouched == (frame.keyframe is not None)
        del made
    assert counted.encoded == 5
    assert reads == [0, 1, 2, 3, 4]


def test_deflicker_keeps_the_slow_trend(network: Tiny, sunny: list[np.ndarray]) -> None:
    """The network alone removes at least 80 % of a flickering exposure."""
    count = 12
    linear, rng = sunny[0] ** 2.2, np.random.default_rng(0)
    flicker = rng.normal(0, 0.25, count)
    trend = [-0.5 + 0.06 * n for n in range(count)]
    frames = [
        ((linear * 2 ** (t + e)).clip(0, 1) ** (1 / 2.2)).astype(np.float32)
        for t, e in zip(trend, flicker, strict=True)
    ]

    def stops(picture: np.ndarray) -> float:
        return math.log2((picture.clip(0, 1) ** 2.2).mean())

    options = TimelapseOptions(deflicker=15, max_side=0)
    timelapse = Timelapse(
        [float(n) for n in range(count)], frames.__getitem__, frames.__getitem__, model_of(network), options
    )
    made = [timelapse.make(OutputFrame(float(n), n)) for n in range(count)]
    after = np.array([stops(one.picture) for one in made if one])
    before = np.array([stops(frame) for frame in frames])
    assert np.diff(after - trend).std() < 0.2 * np.diff(before - trend).std()
    slope = np.polyfit(range(count), after, 1)[0]
    assert slope == pytest.approx(np.polyfit(range(count), before, 1)[0], abs=0.02)


def test_freezing_gives_every_frame_the_same_light(network: Tiny) -> None:
    frames = nightfall()
    frozen = illumination(frames[1], network, TILING)
    options, read = TimelapseOptions(max_side=0), frames.__getitem__
    timelapse = Timelapse([0.0, 1.0, 2.0], read, read, model_of(network), options, frozen)
    for number in range(3):
        made = timelapse.make(OutputFrame(float(number), number))
        assert made is not None
        assert not made.untouched
        assert psnr(made.picture, frames[1]) > (60 if number == 1 else psnr(frames[number], frames[1]) + 3)


def test_a_frame_that_cannot_be_read_is_made_from_its_neighbours() -> None:
    frames = [np.full((20, 30, 3), 0.2 * n, np.float32) for n in range(4)]

    def read(number: int) -> np.ndarray | None:
        return None if number in (1, 3) else frames[number]

    options = TimelapseOptions(mode=Mode.IMAGE)
    timelapse = Timelapse([0.0, 1.0, 2.0, 3.0], read, read, None, options)
    made = [timelapse.make(OutputFrame(float(n), n)) for n in range(4)]
    assert made[1] is not None
    assert made[1].picture == pytest.approx(np.full((20, 30, 3), 0.2), abs=1e-6)
    assert made[3] is None
