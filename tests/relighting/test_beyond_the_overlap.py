"""What lies outside the overlap with a moved reference: how much of a fitted light it takes."""

import numpy as np
import pytest
from lit_views import shot, view

from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.same_view import light_same_view

HEIGHT, WIDTH, OVERLAP = 180, 240, 130  # the reference shows the columns up to OVERLAP
FAR = np.s_[:, 200:]  # far from the overlap
HOMOGRAPHY = np.diag([WIDTH / OVERLAP, 1.0, 1.0])  # from the photo to the reference, both in [0, 1]


def stops_outside(lit_by: np.ndarray, fitted: np.ndarray | None) -> np.ndarray:
    """Return the change in stops far from the overlap, (3,), by a reference lit by (H, W, 1) and a fitted gain."""
    surfaces = view(2, HEIGHT, WIDTH)
    photo = shot(surfaces).astype(np.float32) / 255
    reference = shot(surfaces, lit_by)[:, :OVERLAP].astype(np.float32) / 255
    beyond = None if fitted is None else lambda: np.asarray(fitted, np.float32)
    lit = light_same_view(photo, reference, HOMOGRAPHY, lambda own, healed: healed, 1.0, beyond)[slice(0, HEIGHT)]
    change = np.log2((to_linear(np.asarray(lit)) + 1e-3) / (to_linear(photo) + 1e-3))
    return np.median(change[FAR].reshape(-1, 3), axis=0)


def even(stops: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), stops, np.float32)


def test_a_change_that_all_of_the_overlap_has_goes_on() -> None:
    dark = np.full((HEIGHT, WIDTH, 1), 0.4)
    assert stops_outside(dark, None) == pytest.approx(0, abs=0.1)
    assert stops_outside(dark, even(0)) == pytest.approx(np.log2(0.4), abs=0.25)
    assert stops_outside(dark, even(3)) == pytest.approx(np.log2(0.4), abs=0.25)  # the overlap knows the level better


def test_a_shadow_in_the_overlap_darkens_nothing_elsewhere() -> None:
    shadow = np.ones((HEIGHT, WIDTH, 1))
    shadow[40:130, 20:80] = 0.3
    assert stops_outside(shadow, even(-1)) == pytest.approx(0, abs=0.1)


def test_the_shape_of_the_fitted_light_goes_on_where_the_overlap_confirms_it() -> None:
    across = np.linspace(-1.5, 1.5, WIDTH, dtype=np.float32)[None, :, None]
    ramp = np.broadcast_to(across, (HEIGHT, WIDTH, 3))
    confirmed = stops_outside(np.exp2(across - 0.5) * np.ones((HEIGHT, 1, 1)), ramp)
    refuted = stops_outside(np.exp2(-across - 0.5) * np.ones((HEIGHT, 1, 1)), ramp)
    assert (confirmed > refuted + 0.7).all()
