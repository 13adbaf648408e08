"""Gains of a sequence: stable where nothing moves, carried along where something does, and begun anew at cuts."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.relighting.moving_light import Keyframe, stable_gains

SIZE = (72, 96)


def texture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.uniform(-1, 2, (*size, 3)).astype(np.float32), (0, 0), 2).clip(0, 1)


def noisy_gain(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(number)
    return (1 + rng.normal(0, 0.03) + rng.normal(0, 0.02, (*size, 3))).astype(np.float32)


def all_gains(*arguments: object, **named: object) -> list[tuple[np.ndarray, Keyframe | None]]:
    return list(stable_gains(*arguments, **named))  # type: ignore[arg-type]


def test_errors_of_estimates_do_not_flicker() -> None:
    rng = np.random.default_rng(1)
    still = [texture(1) + rng.normal(0, 0.02, (*SIZE, 3)).astype(np.float32) for _ in range(25)]
    means = np.array([stops.mean() for stops, _ in all_gains(still, noisy_gain, every=4)])
    estimated = np.array([noisy_gain(number).mean() for number in range(0, 25, 4)])
    assert estimated.std() > 0.02
    assert means.std() < 0.1 * estimated.std()


def test_a_large_change_of_the_estimate_is_followed() -> None:
    """The light may change where the picture stays: half of it is there after a few keyframes."""
    gains = all_gains([texture(1)] * 25, lambda number: np.full((*SIZE, 3), float(number > 0), np.float32), every=4)
    assert gains[0][0].mean() == 0
    assert 0.6 < gains[-1][0].mean() < 1


def test_gains_move_with_the_picture() -> None:
    wide, across = texture(2, (72, 140)), np.linspace(0, 6, 140, dtype=np.float32)
    gain = np.repeat(np.repeat(np.sin(across)[None, :, None], 72, 0), 3, 2)

    def shown(maps: np.ndarray, number: int) -> np.ndarray:
        return np.ascontiguousarray(maps[:, 2 * number : 2 * number + 96])

    found = all_gains([shown(wide, n) for n in range(13)], lambda number: shown(gain, number), every=6)
    carried = [np.abs(stops - shown(gain, n))[8:-8, 16:-16].mean() for n, (stops, _) in enumerate(found)]
    standing = np.abs(shown(gain, 0) - shown(gain, 6)).mean()
    assert max(carried) < 0.25 * standing


def test_a_cut_begins_anew() -> None:
    scenes = [texture(3)] * 7 + [1 - 0.3 * texture(4) ** 2] * 5
    asked = []

    def estimate(number: int) -> np.ndarray:
        asked.append(number)
        return np.full((*SIZE, 3), 1.0 if number < 7 else -1.0, np.float32)

    gains = all_gains(scenes, estimate, every=4)
    assert asked == [0, 4, 6, 7, 11]
    assert [round(float(stops.mean()), 3) for stops, _ in gains] == [1.0] * 7 + [-1.0] * 5
    assert [key.number for _, key in gains if key] == [0, 4, 7, 11]


@settings(max_examples=12, deadline=None)
@given(count=st.integers(1, 9), every=st.integers(1, 4), height=st.integers(1, 40), width=st.integers(1, 40))
def test_a_run_that_begins_at_a_keyframe_goes_on_as_the_whole_run(
    count: int, every: int, height: int, width: int
) -> None:
    size = (height, width)
    pictures = [texture(number // 3, size) for number in range(count)]
    whole = all_gains(pictures, lambda number: noisy_gain(number, size), every)
    assert len(whole) == count
    key = [key for _, key in whole if key][-1]
    rest = all_gains(pictures[key.number :], lambda n: noisy_gain(key.number + n, size), every, key.stops)
    for (stops, _), (wanted, _) in zip(rest, whole[key.number :], strict=True):
        assert np.array_equal(stops, wanted)


def test_no_pictures_give_no_gains() -> None:
    assert all_gains([], lambda number: pytest.fail("nothing is estimated")) == []
