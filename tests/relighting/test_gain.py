import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.gain import LARGEST, apply_log_gain, log_gain


def test_transfer_curves_are_inverse_beyond_white_too() -> None:
    x = torch.linspace(-0.2, 3, 1001)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(x)), x, atol=2e-6, rtol=0)
    torch.testing.assert_close(srgb_to_linear(torch.tensor([0.5])), torch.tensor([0.214041]), atol=1e-6, rtol=0)


def test_no_change_is_exact() -> None:
    picture = np.random.default_rng(0).random((300, 7, 3), dtype=np.float32)
    same = torch.rand(1, 3, 8, 8)
    assert (log_gain(same, same) == 0).all()
    assert (to_array(apply_log_gain(picture, lambda rows, own: np.zeros_like(own))) == picture).all()


def test_one_stop_doubles_linear_light_and_black_stays_black() -> None:
    picture = np.array([[[0.0, 0.2, 0.5]]], np.float32)
    lit = srgb_to_linear(torch.from_numpy(to_array(apply_log_gain(picture, lambda rows, own: np.ones_like(own)))))
    torch.testing.assert_close(lit, 2 * srgb_to_linear(torch.from_numpy(picture)), atol=1e-6, rtol=1e-5)


@given(light=st.floats(0.05, 1), stops=st.floats(-2, 2))
def test_gain_of_two_pictures_is_their_ratio(light: float, stops: float) -> None:
    source = torch.full((1, 3, 2, 2), light)
    target = linear_to_srgb(srgb_to_linear(source) * 2**stops)
    assert abs(log_gain(target, source).mean().item() - stops) <= 0.35 * abs(stops) + 1e-6  # a little less, in the dark


def test_gain_is_limited_and_small_in_black() -> None:
    black, white = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    assert log_gain(white * 9, black).max() == LARGEST
    assert log_gain(black - 0.2, white).min() == -LARGEST
    assert log_gain(black + 0.004, black).abs().max() < 0.5


def test_overshoots_are_clipped_and_clipped_pixels_are_dimmed() -> None:
    white, overshoot = torch.ones(1, 3, 1, 1), torch.full((1, 3, 1, 1), 1.1)
    assert (log_gain(white, overshoot) == 0).all()
    stops = np.full((1, 2, 3), -1.0, np.float32)
    pixels = np.array([[[1.0, 1.0, 1.0], [0.9, 0.9, 0.9]]], np.float32)
    lit = to_array(apply_log_gain(pixels, lambda rows, own: stops[rows]))
    assert (np.ptp(lit, axis=2) == 0).all()
    assert lit[0, 0, 0] > lit[0, 1, 0]
