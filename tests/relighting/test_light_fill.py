"""The light of what a reference does not show: that of surfaces that look alike."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lit_views import light, shot, view

from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.light_fill import fill_light
from relight_cli.relighting.quotient import filled_quotient
from relight_cli.relighting.registration import warped
from relight_cli.relighting.same_view import SameView

HEIGHT, WIDTH = 120, 160
SHADOW = 0.2  # of the light


def half_shaded() -> tuple[np.ndarray, np.ndarray]:
    """Return a grey photo (H, W, 3) whose upper half lies in a shadow, and a reference without it, linear."""
    grain = np.random.default_rng(0).uniform(0.38, 0.42, (HEIGHT, WIDTH, 1)).astype(np.float32)
    reference = np.repeat(grain, 3, axis=2)
    photo = reference.copy()
    photo[: HEIGHT // 2] *= SHADOW
    return photo, reference


@pytest.mark.parametrize("unseen", [np.s_[35:85, 50:110], np.s_[:, 150:]], ids=["patch", "border"])
def test_the_rest_of_a_shadow_brightens_as_the_part_that_is_seen(unseen: tuple[slice, slice]) -> None:
    photo, reference = half_shaded()
    trust = np.ones((HEIGHT, WIDTH), np.float32)
    trust[unseen] = 0
    spoilt = np.where(trust[..., None] > 0, reference, np.float32(0.03))
    blurred = filled_quotient(photo, spoilt, trust)
    filled = fill_light(photo, spoilt, trust, blurred)
    wanted = np.log2(reference / photo)
    errors = [float(np.abs(gain - wanted)[unseen].mean()) for gain in (blurred, filled)]
    assert errors[1] < 0.12
    assert errors[0] > 3 * errors[1]


def test_what_is_seen_keeps_its_gain() -> None:
    photo, reference = half_shaded()
    gain, trust = np.full((HEIGHT, WIDTH, 3), 0.7, np.float32), np.ones((HEIGHT, WIDTH), np.float32)
    assert (fill_light(photo, reference, trust, gain) == gain).all()
    assert (fill_light(photo, reference, 0 * trust, gain) == gain).all()  # nothing is known
    trust[:, 150:] = 0
    assert (fill_light(photo, reference, trust, gain)[:, :150] == gain[:, :150]).all()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_any_size_and_trust_give_a_finite_gain(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    photo, reference = rng.random((2, height, width, 3), np.float32) * (seed > 0)
    trust = (rng.random((height, width)) > seed / 4).astype(np.float32)
    gain = fill_light(photo, reference, trust, np.zeros((height, width, 3), np.float32))
    assert gain.shape == photo.shape
    assert gain.dtype == np.float32
    assert np.isfinite(gain).all()


def test_the_texture_of_a_moved_reference_stays() -> None:
    """A picture moved by one pixel, which is half a pixel of the copy, is reduced as sharply as one that stays."""
    picture = np.random.default_rng(1).random((HEIGHT, WIDTH, 3), np.float32)
    by_one = np.array([[1, 0, 1 / WIDTH], [0, 1, 0], [0, 0, 1.0]])
    out, known = warped(picture, by_one, HEIGHT // 2, WIDTH // 2, cv2.INTER_CUBIC)
    wanted = cv2.resize(np.roll(picture, -1, axis=1), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(out[:, :-2], wanted[:, :-2], atol=0.02)
    assert known[:, :-1].all()


def test_what_lies_outside_the_overlap_has_no_say_in_it() -> None:
    known = np.zeros((180, 240), bool)
    known[:, 63:] = True  # in the middle of a cell
    photo, reference = (x.astype(np.float32) / 255 for x in (shot(view(2)), shot(view(2), light(2))))
    gains = [SameView.of(photo, np.where(known[..., None], reference, np.float32(x)), known).gain() for x in (0, 1)]
    assert np.abs(gains[0] - gains[1]).mean() < 0.03
    lit = [to_linear(photo) * np.exp2(gain) for gain in gains]
    assert np.abs(lit[0] - lit[1])[:, 63:].max() < 0.05
