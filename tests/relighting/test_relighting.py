"""Relighting with a model whose results are known."""

import numpy as np
import pytest
import torch
from mean_light import MeanLight, picture
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import resized
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight_picture
from relight_cli.relighting.tiles import TileGrid


def relight(own: np.ndarray, light: ReferenceLight, change: ChangeOptions, tiling: TileOptions) -> np.ndarray:
    return to_array(relight_picture(MeanLight(), own, light, change, tiling))


def light_of(reference: np.ndarray) -> ReferenceLight:
    return ReferenceLight(Photo.from_array(reference))


def linear(srgb: np.ndarray) -> np.ndarray:
    return srgb_to_linear(torch.from_numpy(srgb)).numpy()


@pytest.mark.parametrize("detail", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (1, 1), (20, 90), (70, 33)])
def test_own_light_changes_nothing(shape: tuple[int, int], detail: bool) -> None:
    own = picture(*shape)
    light = light_of(own)
    out = relight(own, light, ChangeOptions(detail=detail), TileOptions())
    assert out.shape == own.shape
    np.testing.assert_allclose(out, own, atol=1e-5)


@pytest.mark.parametrize("detail", [True, False])
def test_the_result_has_the_light_of_the_reference(detail: bool) -> None:
    own = picture(50, 80)
    colour = np.array([2.0, 1.0, 0.5], np.float32)
    reference = linear_to_srgb(torch.from_numpy(linear(own) * colour)).numpy()
    light = light_of(reference)
    out = relight(own, light, ChangeOptions(detail=detail), TileOptions(batch=1))
    np.testing.assert_allclose(linear(out).mean((0, 1)), linear(reference).mean((0, 1)), rtol=0.02)


def test_a_nan_pixel_affects_only_itself() -> None:
    own = picture(40, 40)
    own[3, 4] = np.nan
    out = relight(own, light_of(picture(40, 40, 1)), ChangeOptions(), TileOptions())
    assert np.isnan(out).any(axis=2).sum() == 1


def test_strength_scales_the_change() -> None:
    own, reference = picture(32, 32), picture(32, 32, seed=1) * 1.3
    light = light_of(reference)
    out = [relight(own, light, ChangeOptions(strength=s), TileOptions()) for s in (0, 0.5, 1, 1.5)]
    assert out[0] is own
    means = [linear(o).mean() for o in out]
    np.testing.assert_allclose(np.diff(means), np.diff(means).mean(), rtol=0.05)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_tile_batch_does_not_change_the_picture(batch: int) -> None:
    own, reference = picture(70, 90), picture(70, 90, seed=1)
    light = light_of(reference)
    one, other = (relight(own, light, ChangeOptions(), TileOptions(batch=b)) for b in (4, batch))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (35, 45), (140, 180), (50, 300)])
def test_a_reference_of_another_size_lights_the_same_places(size: tuple[int, int]) -> None:
    own = picture(70, 90)
    ramp = np.linspace(0.3, 0.9, 90, dtype=np.float32)[None, :, None].repeat(70, 0).repeat(3, 2)
    light = light_of(resized(ramp, *size))
    out = relight(own, light, ChangeOptions(), TileOptions())
    if size != (1, 1):
        wanted = relight(own, light_of(ramp), ChangeOptions(), TileOptions())
        np.testing.assert_allclose(out, wanted, atol=0.03)
        assert out[:, -20:].mean() > 1.5 * out[:, :20].mean()
    assert out.shape == own.shape


def test_the_reference_is_encoded_once_for_pictures_of_one_size() -> None:
    class Counting(MeanLight):
        tiles = 0

        def encode(self, tiles: Tensor) -> Tensor:
            self.tiles += len(tiles)
            return super().encode(tiles)

    model, grid = Counting(), TileGrid(70, 90, 32)
    light = light_of(picture(50, 60))
    assert light.tiles_to_encode(model, grid) == len(grid)
    for seed in range(3):
        to_array(relight_picture(model, picture(70, 90, seed), light, ChangeOptions(), TileOptions()))
    assert light.tiles_to_encode(model, grid) == 0
    assert model.tiles == 4 * len(grid)
