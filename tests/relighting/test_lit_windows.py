"""Windows of a picture under the light of its tiles."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from relight_cli import Photo, RelightOptions, load_model, relight
from relight_cli.models.interface import Model, TileBlock
from relight_cli.models.tile_blend import Blend
from relight_cli.rasters.rows import to_array
from relight_cli.relighting import lit_windows
from relight_cli.relighting.lit_windows import WindowRun, light_grid
from relight_cli.relighting.options import ChangeOptions, ReferenceKind, TileOptions
from relight_cli.relighting.tiles import TileGrid

LATENTS = RelightOptions(reference=ReferenceKind.LATENTS, max_side=0)


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", device="cpu")


def scene(height: int, width: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:height, :width] / 40
    texture = np.random.default_rng(0).random((height, width)) * 0.1
    return np.repeat((0.45 + 0.2 * np.sin(y) * np.cos(x) + texture)[..., None], 3, axis=2).astype(np.float32)


def gains(tiny: Model, picture: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """Return the gain to the light of one tile in all tiles."""
    tiling, views = TileOptions(), tiny.network.whole_views
    assert views is not None
    with torch.inference_mode():
        tiles = torch.linspace(0.1, 0.9, 256).expand(1, 3, 256, 256)
        light = views.see_tiles(tiles.rot90(wanted, (2, 3)).contiguous())[1]

    def target(indices: range, own: torch.Tensor) -> torch.Tensor:
        return tiny.network.adapt_illumination(light.expand_as(own), own)

    run = WindowRun(views, target, 1.0, tiling, lambda tiles: None)
    grid = light_grid(tiny.network, picture, ChangeOptions(), tiling)
    return np.concatenate(list(run.log_gains(picture, grid)))


@pytest.mark.parametrize(("height", "width"), [(300, 420), (130, 390)])
def test_windows_agree_with_one_that_shows_all(
    tiny: Model, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = scene(height, width)
    whole = gains(tiny, picture, wanted=1)
    monkeypatch.setattr(lit_windows, "WINDOW", 192)
    windows = gains(tiny, picture, wanted=1)
    assert windows.shape == picture.shape
    assert whole.std() > 0.05  # there is something to compare
    np.testing.assert_allclose(windows, whole, atol=4e-3)


def test_own_light_changes_nothing(tiny: Model) -> None:
    picture = scene(300, 280)
    lit = to_array(relight(tiny, Photo(picture), Photo(picture), LATENTS).photo.pixels)
    np.testing.assert_allclose(lit, picture, atol=2e-3)


@pytest.mark.parametrize(("height", "width", "overlap"), [(1, 1, 0.2), (257, 900, 0.2), (512, 300, 0.5), (700, 256, 0)])
def test_aligned_tiles_cover_the_padded_picture(height: int, width: int, overlap: float) -> None:
    grid = TileGrid(height, width, 256, overlap).aligned_to(16)
    for starts, weights, side, padded in zip(
        (grid.rows, grid.columns), grid.weights, (height, width), grid.padded, strict=True
    ):
        assert all(start % 16 == 0 for start in starts)
        assert padded - max(side, 256) in range(16)
        total = np.zeros(padded)
        for start, weight in zip(starts, weights, strict=True):
            total[start : start + 256] += weight
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_tiles_blend_where_they_overlap() -> None:
    down, across = torch.ones(1, 64), torch.tensor([[1.0] * 16 + [0.5] * 16 + [0.0] * 32]).repeat(2, 1)
    across[1] = 1 - across[0]
    none = torch.zeros(2, 1, 1)
    blend = Blend(TileBlock([-16], [-16, 16], down, across, none, none))
    values = blend.values(torch.tensor([[1.0], [3.0]]), (4, 4))
    assert values[0, 0, 0].tolist() == [1, 2, 3, 3]
    numbers = torch.arange(2.0)[:, None, None, None] + torch.arange(6.0).expand(2, 1, 6, 6)  # of columns, from 0 and 1
    assert blend.maps(numbers, (4, 4))[0, 0, 0].tolist() == [1, (2 + 1) / 2, 2, 3]
