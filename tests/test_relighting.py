"""Pipelines on a model whose answers are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from relight_cli.imaging.tiles import TileGrid
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.pipelines.light_change import ChangeOptions, TileOptions
from relight_cli.pipelines.relighting import ReferenceLight, encode_light, fit_light, interpolation, relight


class MeanLight:
    """The simplest relighting model: a tile's light is its mean colour, its intrinsic latents are the rest."""

    tile_size = 32

    def encode(self, tiles: Tensor) -> Tensor:
        return srgb_to_linear(tiles).flatten(2).transpose(1, 2)

    def delight(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        light = latents.mean(1, keepdim=True)
        return latents / light, light

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        return torch.ones_like(illumination)

    def relight(self, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        return intrinsic * illumination

    def decode(self, latents: Tensor) -> Tensor:
        return linear_to_srgb(latents).transpose(1, 2).unflatten(2, (32, 32))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 0.6, (height, width, 3)).astype(np.float32)


def linear(srgb: np.ndarray) -> np.ndarray:
    return srgb_to_linear(torch.from_numpy(srgb)).numpy()


@pytest.mark.parametrize("detail", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (1, 1), (20, 90), (70, 33)])
def test_own_light_changes_nothing(shape: tuple[int, int], detail: bool) -> None:
    own = picture(*shape)
    light = encode_light(MeanLight(), own, TileOptions())
    out = relight(MeanLight(), own, light, ChangeOptions(detail=detail), TileOptions())
    assert out.shape == own.shape
    np.testing.assert_allclose(out, own, atol=1e-5)


@pytest.mark.parametrize("detail", [True, False])
def test_the_references_light_arrives(detail: bool) -> None:
    own = picture(50, 80)
    colour = np.array([2.0, 1.0, 0.5], np.float32)
    reference = linear_to_srgb(torch.from_numpy(linear(own) * colour)).numpy()
    light = encode_light(MeanLight(), reference, TileOptions(batch=3))
    out = relight(MeanLight(), own, light, ChangeOptions(detail=detail), TileOptions(batch=1))
    np.testing.assert_allclose(linear(out).mean((0, 1)), linear(reference).mean((0, 1)), rtol=0.02)


def test_strength_runs_from_nothing_to_beyond() -> None:
    own, reference = picture(32, 32), picture(32, 32, seed=1) * 1.3
    light = encode_light(MeanLight(), reference, TileOptions())
    out = [relight(MeanLight(), own, light, ChangeOptions(strength=s), TileOptions()) for s in (0, 0.5, 1, 1.5)]
    assert out[0] is own
    means = [linear(o).mean() for o in out]
    np.testing.assert_allclose(np.diff(means), np.diff(means).mean(), rtol=0.05)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_tile_batch_does_not_change_the_picture(batch: int) -> None:
    own, reference = picture(70, 90), picture(70, 90, seed=1)
    light = encode_light(MeanLight(), reference, TileOptions(batch=4))
    one, other = (relight(MeanLight(), own, light, ChangeOptions(), TileOptions(batch=b)) for b in (4, batch))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_one_latent_lights_every_tile() -> None:
    latents = torch.rand(1, 1, 3)
    fitted = fit_light(ReferenceLight(TileGrid(20, 30, 32), latents), TileGrid(200, 90, 32))
    assert fitted.shape == (len(TileGrid(200, 90, 32)), 1, 3)
    torch.testing.assert_close(fitted, latents.expand_as(fitted))


def test_the_same_grid_is_tile_by_tile() -> None:
    grid = TileGrid(100, 130, 32)
    latents = torch.rand(len(grid), 1, 3)
    assert fit_light(ReferenceLight(grid, latents), TileGrid(100, 130, 32)) is latents


@pytest.mark.parametrize("wanted", [(31, 31), (500, 60), (77, 300), (999, 999)])
def test_other_grids_take_the_light_of_the_same_place(wanted: tuple[int, int]) -> None:
    known, grid = TileGrid(150, 200, 32), TileGrid(*wanted, 32)
    place = torch.tensor([[(y + 16) / 150, (x + 16) / 200] for y, x in known.origins])[:, None]
    fitted = fit_light(ReferenceLight(known, place), grid)[:, 0]
    height, width = max(wanted[0], 32), max(wanted[1], 32)
    centre = torch.tensor([[(y + 16) / height, (x + 16) / width] for y, x in grid.origins])
    assert (fitted - centre).abs().max() < 0.12


def test_finer_knowledge_is_averaged_not_skipped() -> None:
    weights = interpolation(np.linspace(0.05, 0.95, 10), np.array([0.25, 0.75]))
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights > 0).any(axis=0).all()
