"""The gain of a shadow is even inside and leaves no line along its border, whatever texture it lies on."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.relighting.linear_light import encode_srgb
from relight_cli.relighting.shadow_profile import even_umbra, fit_penumbra

DEPTH = 2.0  # stops
HEIGHT, WIDTH = 160, 240


def penumbra(place: float, width: float) -> np.ndarray:
    """A shadow to the right of a slanting border: its stops (HEIGHT, WIDTH, 3)."""
    rows, columns = np.indices((HEIGHT, WIDTH), np.float32)
    away = ((columns - place - 0.4 * (rows - HEIGHT / 2)) / width).clip(-30, 30)
    return np.repeat((DEPTH / (1 + np.exp(-away)))[..., None], 3, axis=2).astype(np.float32)


def ground(seed: int = 0) -> np.ndarray:
    """Log2 of textured ground (HEIGHT, WIDTH, 1)."""
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return -2 + 0.6 * noise + 1.5 * cv2.GaussianBlur(noise, (0, 0), 3)[..., None]


def in_shadow(stops: np.ndarray) -> np.ndarray:
    """The picture (HEIGHT, WIDTH, 3), sRGB."""
    return np.clip(encode_srgb(np.exp2(ground() - stops).astype(np.float32)), 0, 1)


def line_left(gain: np.ndarray, truth: np.ndarray) -> float:
    """How much of a line is left along the border, in stops (root mean square next to it)."""
    return float(np.sqrt(np.mean((gain - truth)[:, 110:130][60:100] ** 2)))


@pytest.mark.parametrize(("place", "width"), [(122, 2), (118, 2), (120, 1), (120, 3.5)])
def test_a_penumbra_beside_its_place_is_fitted_to_the_picture(place: float, width: float) -> None:
    truth, found = penumbra(120, 2), penumbra(place, width)
    fitted = fit_penumbra(found, in_shadow(truth))
    assert line_left(fitted, truth) < 0.8 * line_left(found, truth)
    assert np.abs(fitted - found)[:, :60].max() < 0.05
    assert np.abs(fitted - found)[:, -60:].max() < 0.05


def test_an_umbra_is_even_whatever_is_in_it() -> None:
    truth = penumbra(120, 2)
    texture = 0.15 * cv2.GaussianBlur(ground()[..., 0], (0, 0), 2)[..., None]
    found = truth * (1 + texture - texture.mean())
    even = even_umbra(found.astype(np.float32))
    inside = np.s_[:, -60:]
    assert even[inside].std() < 0.4 * found[inside].std()
    assert abs(even[inside].mean() - found[inside].mean()) < 0.05
    assert np.array_equal(even[:, :60], found[:, :60].astype(np.float32))


def test_shadows_of_other_depths_keep_theirs() -> None:
    stops = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    stops[:, 20:100], stops[:, 140:220] = 1, 2.5
    even = even_umbra(stops)
    assert np.abs(even[:, 20:90] - 1).max() < 0.1
    assert np.abs(even[:, 150:220] - 2.5).max() < 0.1
    assert not even[:, 105:120].any()


def test_what_has_no_shadow_stays() -> None:
    picture, nothing = in_shadow(penumbra(120, 2)), np.zeros((HEIGHT, WIDTH, 3), np.float32)
    assert np.array_equal(fit_penumbra(nothing, picture), nothing)
    assert np.array_equal(even_umbra(nothing), nothing)


@pytest.mark.parametrize("colour", [(1, 1, 1), (1, 0.5, 0)])
def test_nothing_is_darkened(colour: tuple[float, float, float]) -> None:
    picture = in_shadow(-penumbra(118, 2))  # brighter where the gain says shadow
    gain = penumbra(120, 2) * np.array(colour, np.float32)
    assert fit_penumbra(gain, picture).min() > -1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_gains_of_any_size_keep_it(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stops = rng.uniform(-1, 3, (height, width, 3)).astype(np.float32)
    picture = rng.uniform(0, 1, (height, width, 3)).astype(np.float32)
    for made in (even_umbra(stops), fit_penumbra(stops, picture)):
        assert made.shape == stops.shape
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
