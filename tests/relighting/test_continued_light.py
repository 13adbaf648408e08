"""Light beyond the border of a reference: a shadow goes on in its direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.relighting.continued_light import continued_light, edges_of
from relight_cli.relighting.light_fill import continue_light, fill_light
from relight_cli.relighting.quotient import filled_quotient

SIZE = (128, 192)
SHADOW = 0.2  # of the light
STRIP = np.s_[112:]  # what the reference does not show


def lit_ground(*stripes: float) -> np.ndarray:
    """Return a grey ground (H, W, 3) in linear light, with a shadow from the lower left up for each starting column."""
    grain = np.random.default_rng(0).uniform(0.36, 0.44, (*SIZE, 1)).astype(np.float32)
    y, x = np.indices(SIZE)
    light = np.ones(SIZE, np.float32)
    for start in stripes:
        across = x - start + 0.8 * (y - SIZE[0])
        light[(across > 0) & (across < 40)] = SHADOW
    return np.repeat(grain, 3, axis=2) * light[..., None]


@pytest.mark.parametrize("own", [(), (30.0,)], ids=["no shadow in the photo", "another shadow in the photo"])
def test_a_shadow_goes_on_straight_beyond_the_border(own: tuple[float, ...]) -> None:
    photo, lit = lit_ground(*own), lit_ground(110.0)
    overlap = np.ones(SIZE, np.float32)
    overlap[STRIP] = 0
    shown = lit * overlap[..., None]
    filled = fill_light(photo, shown, overlap, filled_quotient(photo, shown, overlap))
    continued = continue_light(photo, shown, overlap, overlap, filled)
    wanted = np.log2(lit / photo)
    before, after = (float(np.square(gain - wanted)[STRIP].mean()) for gain in (filled, continued))
    assert after < 0.5 * before
    assert (continued == filled)[: STRIP.start].all()


def test_edges_that_the_photo_shows_give_no_direction() -> None:
    """A shadow that is taken off has the photo's edges; one that is put on has edges of its own."""
    bright, shaded = (np.log2(lit_ground(*stripes)).mean(axis=2) for stripes in ((), (110.0,)))
    seen = np.ones(SIZE, np.bool_)
    taken_off, known = edges_of(bright - shaded, shaded, seen)
    put_on, _ = edges_of(shaded - bright, bright, seen)
    assert known[1:-1, 1:-1].all()
    assert taken_off[..., 0].max() < 0.1 * put_on[..., 0].max()
    xx, xy, yy = put_on[64, 161]  # on the left border of the shadow, which falls by 0.8 columns a row
    assert xy / xx == pytest.approx(0.8, abs=0.2)
    assert 0.4 < yy / xx < 1


def test_without_a_border_or_anything_seen_the_light_stays() -> None:
    photo, gain = lit_ground(), np.full((*SIZE, 3), 0.7, np.float32)
    full = np.ones(SIZE, np.float32)
    assert (continue_light(photo, photo, full, full, gain) == gain).all()
    assert (continue_light(photo, photo, 0 * full, 0 * full, gain) == gain).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_any_size_and_weight_keep_the_light_within_what_is_known(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    light, colours, before = rng.normal(size=(3, height, width, 3)).astype(np.float32)
    weight = rng.random((height, width), np.float32) * (rng.random((height, width)) > seed / 4)
    out = continued_light(light, light.mean(axis=2), colours, weight.astype(np.float32), before)
    assert out.dtype == np.float32
    assert (out[weight > 0] == light[weight > 0]).all()
    values = np.concatenate((light, before)).reshape(-1, 3)
    assert (out >= values.min(axis=0) - 1e-4).all()
    assert (out <= values.max(axis=0) + 1e-4).all()
