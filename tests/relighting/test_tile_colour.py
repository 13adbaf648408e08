"""Tiles that disagree on colours are made to agree."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from mean_light import MeanLight, picture
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.guided import fit_guided, guided_upsample
from relight_cli.relighting.mapping import map_picture
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.tile_colour import ColourAgreement
from relight_cli.relighting.tiles import TileGrid, stitch_tiles


@given(height=st.integers(8, 150), width=st.integers(8, 150), seed=st.integers(0, 99))
def test_tiles_move_to_the_mean_with_the_pass_and_keep_finer_detail(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = TileGrid(height, width, 32, 0.2)
    y, x = np.mgrid[: max(height, 32), : max(width, 32)].astype(np.float32)
    smooth = (0.01 * y + 0.02 * x)[..., None] * np.ones(3, np.float32)
    fine = ((y + x) % 2 - 0.5)[..., None]
    true = smooth + fine
    agreement = ColourAgreement(grid, resized(smooth[:height, :width], *fit_within(height, width, 32)))
    tiles = [true[t : t + 32, s : s + 32] + rng.choice((-1, 1), 3).astype(np.float32) for t, s in grid.origins]
    agreed = [tile + added for tile, added in zip(tiles, agreement.corrections(tiles), strict=True)]
    half_way = (stitch_tiles(grid, tiles) + true[:height, :width]) / 2

    def mean_error(compared: list[NDArray[np.float32]]) -> float:  # each tile unblended
        places = [half_way[top : top + 32, left : left + 32] for top, left in grid.origins]
        return float(
            np.mean([np.abs(t[: len(p), : p.shape[1]] - p).mean() for t, p in zip(compared, places, strict=True)])
        )

    assert mean_error(agreed) < 0.4 * mean_error(tiles)


class OffColour(MeanLight):
    """A model that maps each light to itself with a colour cast, another one for every tile."""

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        off = torch.frac(illumination * 977) - 0.5
        return illumination * torch.exp(0.5 * off)


def test_agreement_halves_the_deviation_of_tiles() -> None:
    own = picture(120, 200)
    for detail in (True, False):
        free, agreed = (
            to_array(map_picture(OffColour(), own, "albedo", ChangeOptions(detail=detail), TileOptions(agree=agree)))
            for agree in (False, True)
        )
        change = [np.log(out / own).mean(2) for out in (free, agreed)]
        assert change[1].std() < 0.55 * change[0].std()


@given(scale=st.integers(2, 9), seed=st.integers(0, 9))
def test_maps_are_exact_at_their_own_size_and_flat_ones_at_any(scale: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = rng.uniform(0, 1, (20, 30, 3)).astype(np.float32)
    maps = rng.normal(0, 1, (20, 30, 3)).astype(np.float32)
    np.testing.assert_allclose(fit_guided(maps, small).rows(small, 0, 20), maps, atol=1e-5)
    level = np.full_like(maps, 0.7)
    large = guided_upsample(level, small, rng.uniform(0, 1, (20 * scale, 30 * scale, 3)).astype(np.float32))
    np.testing.assert_allclose(large, 0.7, atol=1e-4)


def test_an_edge_is_as_sharp_as_the_large_pictures() -> None:
    large = np.full((160, 160, 3), 0.2, np.float32)
    large[:, 83:] = 0.8
    small = resized(large, 20, 20)
    truth = np.where(large > 0.5, 0.0, 2.0).astype(np.float32)
    gain = resized(truth, 20, 20)
    plain = resized(gain, 160, 160)
    error = np.abs(guided_upsample(gain, small, large) - truth).mean()
    assert error < 0.6 * np.abs(plain - truth).mean()
