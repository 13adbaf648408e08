import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relight_cli.relighting.tiles import TileGrid, blend_ramps, cut_tiles, pad_picture, stitch_tiles, tile_starts

sizes = st.integers(1, 190)
overlaps = st.floats(0, 0.5)


def test_the_published_grid() -> None:
    grid = TileGrid(600, 900)
    assert (grid.rows, grid.columns) == ([0, 152], [0, 358, 452])
    assert TileGrid(448, 448).origins == [(0, 0)]


def test_the_published_ramp() -> None:
    first, second, third = blend_ramps(tile_starts(1164, 448, 0.2), 448, 0.2)
    assert (first[:358] == 1).all()
    assert first[-1] == 0
    assert second[0] == 0
    assert (second[90:358] == 1).all()
    assert (third[90:] == 1).all()
    np.testing.assert_allclose(second[:90], np.linspace(0, 1, 90), atol=1e-7)


def test_the_last_of_many_has_weight_zero_before_its_ramp() -> None:
    last = blend_ramps([0, 358, 452], 448, 0.2)[2]
    shared = 358 + 448 - 452
    assert (last[: shared - 90] == 0).all()
    np.testing.assert_allclose(last[shared - 90 : shared], np.linspace(0, 1, 90), atol=1e-7)


def test_two_tiles_ramp_over_their_whole_overlap() -> None:
    np.testing.assert_allclose(blend_ramps([0, 152], 448, 0.2)[1][:296], np.linspace(0, 1, 296), atol=1e-7)


@given(length=st.integers(1, 3000), overlap=overlaps)
def test_weights_sum_to_one_everywhere(length: int, overlap: float) -> None:
    first = tile_starts(length, 64, overlap)
    total = np.zeros(max(length, 64))
    for start, weight in zip(first, blend_ramps(first, 64, overlap), strict=True):
        total[start : start + 64] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert first[0] == 0
    assert first[-1] + 64 == len(total)
    assert all(after > here for here, after in itertools.pairwise(first))


@given(height=sizes, width=sizes, overlap=overlaps, batch=st.integers(1, 5))
def test_identity_in_identity_out(height: int, width: int, overlap: float, batch: int) -> None:
    picture = np.random.default_rng(height * 1000 + width).random((height, width, 3), dtype=np.float32)
    grid = TileGrid(height, width, tile=48, overlap=overlap)
    seen = []

    def tiles() -> Iterator[np.ndarray]:
        for indices, some in cut_tiles(picture, grid, batch):
            assert some.shape == (len(indices), 48, 48, 3)
            seen.extend(indices)
            yield from some

    out = stitch_tiles(grid, tiles())
    assert seen == list(range(len(grid)))
    assert out.shape == picture.shape
    np.testing.assert_allclose(out, picture, atol=1e-6)


def test_padding_reflects_then_replicates() -> None:
    row = np.array([1, 2, 3], np.float32)[None, :, None]
    assert pad_picture(row, 1, 8)[0, :, 0].tolist() == [1, 2, 3, 2, 1, 1, 1, 1]
    assert (pad_picture(np.full((1, 1, 3), 0.5, np.float32), 8, 8) == 0.5).all()


@pytest.mark.parametrize(("height", "width", "overlap"), [(0, 5, 0.2), (5, 0, 0.2), (5, 5, -0.1), (5, 5, 0.6)])
def test_impossible_grids_are_refused(height: int, width: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="no tile grid"):
        TileGrid(height, width, overlap=overlap)
