"""Maps that were blurred across an outline return to their side of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.relighting.joint_bilateral import smooth_within_edges


def test_what_was_blurred_across_an_outline_returns_to_its_side() -> None:
    truth = np.zeros((60, 80, 1), np.float32)
    truth[:, 40:] = 1
    picture = np.where(truth > 0, np.float32((0.7, 0.2, 0.2)), np.float32((0.7, 0.5, 0.6)))
    blurred = cv2.GaussianBlur(truth, (0, 0), 3)[..., None]
    found = smooth_within_edges(blurred, picture)
    before, after = (np.abs(maps - truth)[:, 34:46].mean() for maps in (blurred, found))
    assert after < before / 2
    even = smooth_within_edges(blurred, np.full_like(picture, 0.5))
    assert np.abs(even - truth)[:, 34:46].mean() > before  # without an outline it is a blur


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_an_even_map_stays_in_any_size(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).random((height, width, 3), np.float32)
    found = smooth_within_edges(np.full((height, width, 2), 0.25, np.float32), picture)
    assert found.shape == (height, width, 2)
    assert found == pytest.approx(0.25, abs=1e-6)
