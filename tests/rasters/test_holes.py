"""Holes that are filled from around them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.photos.photo import Photo
from relight_cli.rasters.holes import filled_from_nearest
from relight_cli.rasters.rows import streamed_rows, to_array
from relight_cli.relighting.missing_samples import has_missing


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(0, 99))
def test_holes_of_any_shape_take_what_is_nearest(height: int, width: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    unknown = rng.random((height, width)) < share
    unknown[rng.integers(height), rng.integers(width)] = False
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    places = np.stack((y, x), axis=-1)
    filled = filled_from_nearest(np.where(unknown[..., None], np.float32(np.nan), places), unknown)
    assert np.array_equal(filled[~unknown], places[~unknown])
    known = places[~unknown]
    nearest = np.linalg.norm(places[:, :, None] - known, axis=-1).min(axis=2)
    assert (np.linalg.norm(filled - places, axis=-1) <= 1.1 * nearest).all()  # distances are added up in steps


def test_a_large_picture_takes_little_more_memory_than_its_copy() -> None:
    values, unknown = np.ones((1000, 1000, 3), np.float32), np.zeros((1000, 1000), bool)
    unknown[10:20, 10:20] = True
    tracemalloc.start()
    filled_from_nearest(values, unknown)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * values.nbytes


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_maps_without_channels(dtype: type) -> None:
    filled = filled_from_nearest(np.array([[7, 0, 0, 9]], dtype), np.array([[False, True, True, False]]))
    assert filled.tolist() == [[7, 7, 9, 9]]
    assert filled.dtype == dtype


def test_rows_that_can_be_read_once_are_left_for_who_needs_them() -> None:
    rows = streamed_rows((40, 5, 3), iter([np.full((40, 5, 3), np.nan, np.float32)]))
    assert not has_missing(Photo(rows))
    assert np.isnan(to_array(rows)).all()
