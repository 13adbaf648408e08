"""Light that is mapped for whole pictures: any shape, no borders, and shadows as deep as their borders say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of
from torch import Tensor

from relight_cli.checkpoints.albedo import load_albedo
from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.tiny import Tiny
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.light_change import ChangeResult
from relight_cli.relighting.mapping import albedo, deshadow, map_picture, mapped_tiles
from relight_cli.relighting.options import AlbedoOptions, ChangeOptions, DeshadowOptions, TileColour, TileOptions
from relight_cli.relighting.shadow_borders import ShadowBorders
from relight_cli.relighting.whole_view import view_sizes

AGREE = TileOptions(agree=True)


class Brighter:
    """Views that know that every pixel lost half a stop, and as much again where it is dark."""

    mapper_names, sides, largest = ("shadow",), (48, 24), 96

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def look(self, mapper: str, pictures: Tensor) -> "Dark":
        self.seen.append(tuple(pictures.shape[2:]))
        return Dark(pictures)

    def sky(self, pictures: Tensor) -> Tensor:
        return torch.zeros_like(pictures[:, :1])

    def settled(self, change: Tensor) -> Tensor:
        return change


class BlueSky(Brighter):
    """Such views that know that what is blue is the sky."""

    def sky(self, pictures: Tensor) -> Tensor:
        return (pictures[:, 2:] == 1).float()


class Dark:
    """One of these views."""

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures

    def change(self, mapper: str, lit: Tensor | None = None) -> Tensor:
        return 0.35 + 0.35 * (self.pictures < 0.5).float()


def seeing(views: Brighter) -> MeanLight:
    network = MeanLight()
    network.whole_views = views  # type: ignore[assignment]
    return network


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 130), width=st.integers(1, 130), side=st.integers(0, 140))
def test_every_shape_is_seen_whole(height: int, width: int, side: int) -> None:
    views = Brighter()
    network, tiling = seeing(views), TileOptions(agree=True, max_side=side)
    picture = np.full((height, width, 3), 0.4, np.float32)
    lit = to_array(map_picture(network, picture, SHADOW, ChangeOptions(), tiling))
    assert lit.shape == picture.shape
    assert np.ptp(lit.reshape(-1, 3), axis=0).max() < 1e-4  # no border anywhere
    assert lit.min() > 0.4
    assert views.seen == view_sizes(views, picture, side)
    assert max(views.seen[0]) <= min(side or 96, 96, max(height, width))
    ratios = [h / w for h, w in views.seen]
    assert max(ratios) / min(ratios) < 2 or min(min(size) for size in views.seen) < 4


def test_passes_count_as_tiles_and_are_reported() -> None:
    views, done = Brighter(), []
    network, picture = seeing(views), np.full((60, 90, 3), 0.4, np.float32)
    map_picture(network, picture, SHADOW, ChangeOptions(), AGREE, done.append)
    assert done == [6, 2, 1]  # of 32 x 32 pixels in 60 x 90, 32 x 48 and 16 x 24
    assert mapped_tiles(network, picture, SHADOW, ChangeOptions(), AGREE) == sum(done)


@pytest.mark.parametrize(
    ("change", "tiling", "mapper"),
    [
        (ChangeOptions(detail=False), AGREE, "shadow"),
        (ChangeOptions(), TileOptions(agree=False), "shadow"),
        (ChangeOptions(), AGREE, "albedo"),
    ],
)
def test_tiles_do_what_whole_views_do_not(change: ChangeOptions, tiling: TileOptions, mapper: str) -> None:
    views = Brighter()
    picture = np.random.default_rng(0).uniform(0.3, 0.6, (40, 50, 3)).astype(np.float32)
    made = to_array(map_picture(seeing(views), picture, mapper, change, tiling))
    assert not views.seen
    assert np.array_equal(made, to_array(map_picture(MeanLight(), picture, mapper, change, tiling)))


def test_in_the_sky_nothing_changes() -> None:
    picture = np.full((60, 90, 3), 0.4, np.float32)
    picture[:20] = (0.3, 0.3, 1)
    lit = to_array(map_picture(seeing(BlueSky()), picture, SHADOW, ChangeOptions(threshold=0), AGREE))
    assert np.array_equal(lit[:20], picture[:20])
    assert (lit[20:] > picture[20:]).all()


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_strength_is_a_share_of_the_stops(strength: float) -> None:
    picture = np.full((20, 30, 3), 0.4, np.float32)
    full, some = (
        to_array(map_picture(seeing(Brighter()), picture, SHADOW, ChangeOptions(strength=s), AGREE))
        for s in (1.0, strength)
    )
    light = [((x + 0.055) / 1.055) ** 2.4 for x in (picture, full, some)]
    assert np.allclose(np.log2(light[2] / light[0]), strength * np.log2(light[1] / light[0]), atol=1e-3)


def shadowed(stops: float, colour: tuple[float, float, float] = (1, 1, 1)) -> tuple[np.ndarray, np.ndarray]:
    """A picture of textured ground half in shadow, and the stops of the shadow (h, w, 3)."""
    light = np.random.default_rng(1).uniform(0.2, 0.6, (90, 120, 1)).astype(np.float32) * np.ones(3, np.float32)
    light[40:, :30] *= 0.3  # another material
    depth = np.zeros((90, 120, 3), np.float32)
    depth[:, 60:] = stops * np.array(colour, np.float32)
    linear = light * np.exp2(-depth)
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear), depth


def levelled(found: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return ShadowBorders(picture).level(found).applied(found)


@pytest.mark.parametrize("share", [0.6, 0.8, 1.3])
def test_borders_correct_the_depth_of_shadows(share: float) -> None:
    picture, depth = shadowed(2)
    found = share * depth
    stops = levelled(found, picture)
    way = (stops[:, 60:] / found[:, 60:] - 1) / (1 / share - 1)  # of the correction
    assert (way > 0.5).all()
    assert (way < 1.1).all()
    assert np.abs(stops - depth).mean() < 0.5 * np.abs(found - depth).mean()


def test_a_right_depth_stays() -> None:
    picture, depth = shadowed(2)
    assert np.allclose(levelled(depth, picture), depth, atol=0.1)


def test_each_shadow_gets_the_level_of_its_own_borders() -> None:
    depth = np.zeros((90, 320, 3), np.float32)
    depth[:, 40:90] = depth[:, 230:280] = 2
    picture = np.float32(0.8) * np.exp2(-depth / np.float32(2.2))
    found = depth * np.where(np.arange(320) < 160, 0.7, 1.0).astype(np.float32)[:, None]
    stops = levelled(found, picture)
    assert abs(stops[:, 50:80].mean() - 2) < 0.15
    assert abs(stops[:, 240:270].mean() - 2) < 0.15


def test_borders_correct_the_colour_of_shadows() -> None:
    picture, depth = shadowed(2, (1.1, 1.0, 0.9))
    colour = ShadowBorders(picture).level(np.repeat(depth.mean(2, keepdims=True), 3, axis=2)).colour
    assert colour[0] > 1.03 > 0.97 > colour[2]


def test_a_gain_without_borders_in_the_picture_is_not_raised() -> None:
    picture, _ = shadowed(0)
    found = np.zeros((90, 120, 3), np.float32)
    found[:, 60:] = 1
    assert (levelled(found, picture) <= 1.001).all()


def test_the_more_borders_agree_the_more_a_look_is_trusted() -> None:
    picture, depth = shadowed(2)
    borders = ShadowBorders(picture)
    elsewhere = np.roll(depth, 45, axis=1)
    assert borders.share_agreed(depth) > 0.8 > 0.4 > borders.share_agreed(elsewhere)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 400), width=st.integers(1, 40), value=st.floats(-5, 5))
def test_levels_are_finite_for_every_shape(height: int, width: int, value: float) -> None:
    stops = np.full((height, width, 3), value, np.float32)
    picture = np.random.default_rng(0).random((height, width, 3), np.float32)
    picture[0, 0] = np.nan
    borders = ShadowBorders(picture)
    assert np.isfinite(levelled(stops, picture)).all()
    assert np.isfinite(borders.agreement(stops, 24)).all()
    assert 0 <= borders.share_agreed(stops) <= 1


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    network = load_tiny()
    network.view_albedo = load_albedo()
    return network


@pytest.mark.parametrize("mapper", [SHADOW, ALBEDO])
@pytest.mark.parametrize("size", [(5, 7), (1, 90), (130, 40)])
def test_tiny_sees_every_shape(tiny: Tiny, size: tuple[int, int], mapper: str) -> None:
    pictures = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        change = tiny.whole_views.look(mapper, pictures).change(mapper)
    assert change.shape == pictures.shape
    assert change.isfinite().all()


def test_tiny_sees_a_tile_as_it_does_in_tiles() -> None:
    network = load_tiny()
    tile = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        intrinsic, own = network.delight(network.encode(tile))
        relit = network.decode(network.relight(intrinsic, network.map_illumination("shadow", intrinsic, own)))
        change = network.whole_views.settled(network.whole_views.look("shadow", tile).change("shadow"))
        light = torch.where(tile > 0.04045, ((tile + 0.055) / 1.055) ** 2.4, tile / 12.92) * change.exp()
    assert torch.allclose(
        torch.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light), relit, atol=1e-4
    )


def steps_across(stops: np.ndarray, places: range) -> float:
    """The mean step of a map (h, w) across columns, relative to its mean step elsewhere."""
    step = np.abs(np.diff(stops, axis=1)).mean(axis=0)
    return float(step[list(places)].mean() / np.delete(step, list(places)).mean())


@pytest.mark.parametrize("task", [deshadow, albedo])
@pytest.mark.parametrize("side", [0, 512, 300])
def test_no_border_in_a_half_shadow(tiny: Tiny, side: int, task: Callable[..., ChangeResult]) -> None:
    linear = np.random.default_rng(3).uniform(0.25, 0.5, (192, 640, 1)).astype(np.float32) * np.ones(3, np.float32)
    linear[60:130] *= 0.3  # a shadow through all tiles that the picture would be cut into
    picture = (1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)
    options = {deshadow: DeshadowOptions(max_side=side), albedo: AlbedoOptions(max_side=side)}[task]
    lit = task(model_of(tiny), Photo(picture), options=options).photo.to_srgb()
    stops = np.log2(((lit + 0.055) / 1.055) ** 2.4 / linear).mean(axis=2)
    assert stops[80:110].mean() > 0.3  # it found the shadow
    for place in (128, 205, 256, 384, 409, 435, 512):
        assert steps_across(stops, range(place - 2, place + 2)) < 1.3
    assert np.mean([steps_across(stops, range(p - 2, p + 2)) for p in range(8, 630, 16)]) < 1.1


@pytest.mark.parametrize("task", ["deshadow", "albedo"])
def test_the_command_takes_the_whole_view_unless_told(command: Command, tmp_path: Path, task: str) -> None:
    photo = (np.random.default_rng(0).random((96, 400, 3)) * 60 + 100).astype(np.uint8)
    photo[30:70] //= 3
    write_photo(Photo(photo), tmp_path / "photo.png")
    made = {}
    for colour in TileColour:
        options = ("--model", "tiny", "--tile-colour", colour, "-o", f"{colour}.png")
        assert command(task, "photo.png", *options).code == 0
        made[colour] = read_photo(tmp_path / f"{colour}.png", max_pixels=10**6).to_srgb()
    assert not np.array_equal(made[TileColour.AGREE], made[TileColour.FREE])
    assert made[TileColour.AGREE][35:65].mean() > photo[35:65].mean() / 255 + 0.05
