"""Fit the light of a picture, and put lights on pictures with known surfaces."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of

from relight_cli.checkpoints.models import load_model
from relight_cli.models.interface import Model
from relight_cli.photos.capture_place import place_in_exif
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.fitted_light import dominant_direction, fit_light
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.light import Light, Sun
from relight_cli.relighting.lights.words import ambient_harmonics, direction_of, light_from_words
from relight_cli.relighting.lit_photo import PutOnOptions, light_of_scene, light_picture_of_scene, put_on
from relight_cli.relighting.sky_matte import sky_along_edges

Map = np.ndarray


def ball(height: int, width: int) -> Geometry:
    """A ball before a wall."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5 - width / 2) / (0.4 * min(height, width)), (height / 2 - y - 0.5) / (0.4 * min(height, width))
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    normals = np.where(inside[..., None], np.stack((x, y, z), -1), np.array((0.0, 0.0, 1.0))).astype(np.float32)
    depth = np.where(inside, 8 - z, 10.0).astype(np.float32)
    return Geometry(depth, normals, np.zeros((height, width), np.float32), 1.2 * max(height, width))


def ball_of(picture: Map) -> Geometry:
    return ball(*picture.shape[:2])


def under_a_sky(picture: Map) -> Geometry:
    geometry = ball_of(picture)
    geometry.sky[: len(picture) // 3] = 1
    return geometry


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", device="cpu", tasks=("deshadow", "albedo"))


@pytest.mark.parametrize("azimuth", [-90, -30, 45, 90])
def test_the_fit_finds_where_the_light_comes_from(azimuth: float) -> None:
    geometry = ball(64, 80)
    light = light_from_words((azimuth, 30), ambient=0.4, soft=20)
    shading = light.irradiance(geometry.normals).astype(np.float32)
    found = fit_light(shading, geometry.normals, np.ones((64, 80), np.float32))
    towards, strength = dominant_direction(found.light)
    assert towards @ np.array(direction_of(azimuth, 30)) > math.cos(math.radians(35))
    assert strength > 0.1
    ratio = found.irradiance(geometry.normals) / shading
    assert np.abs(np.log2(ratio)).mean() < 0.15


def test_the_fit_ignores_what_is_of_another_albedo() -> None:
    geometry, light = ball(64, 80), light_from_words((-60, 30), ambient=0.5)
    shading = light.irradiance(geometry.normals).astype(np.float32)
    spoilt = shading.copy()
    spoilt[10:20] *= 3
    weights = np.ones((64, 80), np.float32)
    clean, robust = (fit_light(x, geometry.normals, weights).irradiance(geometry.normals) for x in (shading, spoilt))
    assert np.abs(np.log2(robust / clean)).mean() < 0.12


def test_without_surfaces_the_light_is_even() -> None:
    found = fit_light(np.ones((8, 8, 3), np.float32), ball(8, 8).normals, np.zeros((8, 8), np.float32))
    assert np.ptp(found.irradiance(ball(8, 8).normals)) < 1e-6


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99), st.floats(0, 1.5))
def test_every_size_is_lit(height: int, width: int, seed: int, strength: float) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    photo = Photo(pixels)
    light = Light(ambient_harmonics((0.2, 0.2, 0.3)), (Sun((-1, 0.4, 0.5), (1, 0.8, 0.5)),))
    options = PutOnOptions(strength=strength)
    lit = put_on(model_of(MeanLight()), photo, light, under_a_sky, options=options).photo.to_array()
    assert lit.shape == pixels.shape
    assert lit.dtype == np.uint8
    assert not lit[pixels == 0].any()  # black stays black
    if strength == 0:
        assert (lit == pixels).all()


def test_a_model_without_mappers_lights_too() -> None:
    class Plain(MeanLight):
        mapper_names = ()  # type: ignore[assignment]

    photo = Photo(np.full((40, 40, 3), 110, np.uint8))
    lit = put_on(model_of(Plain()), photo, light_from_words("left,10"), ball_of).photo.to_array()
    assert lit[20, 8].mean() > 1.2 * lit[20, 32].mean()


def test_dark_lights_and_lights_of_nothing_are_finite(tiny: Model) -> None:
    photo = Photo(np.full((40, 40, 3), 110, np.uint8))
    for light in (Light(((0.0, 0.0, 0.0),) * 9), Light(((0.0, 0.0, 0.0),) * 9, (Sun((0, 0, -1), (1, 1, 1)),))):
        assert put_on(tiny, photo, light, ball_of).photo.to_array().shape == (40, 40, 3)


def correlation(a: Map, b: Map) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def layout(seed: int) -> Map:
    """A picture of patches, (96, 128, 3), whose layout another picture must not show."""
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.uniform(0.1, 0.9, (6, 8, 1)), np.ones((16, 16, 3)))
    return (patches * rng.uniform(0.8, 1, 3)).astype(np.float32)


def test_a_reference_of_another_scene_does_not_print_its_layout(tiny: Model) -> None:
    """The log gain correlates no more with its own reference than with others."""
    photos, references = [layout(seed) for seed in range(3)], [layout(seed) for seed in range(10, 13)]
    lights = [light_of_scene(tiny, Photo(picture), ball_of) for picture in references]
    own, other = [], []
    for photo in photos:
        for k, light in enumerate(lights):
            lit = to_array(light_picture_of_scene(tiny, Photo(photo), light, ball_of))
            gain = np.log2((to_linear(lit) + 1e-3) / (to_linear(photo) + 1e-3)).mean(axis=2)
            found = [correlation(gain, np.log(to_linear(one).mean(axis=2) + 1e-3)) for one in references]
            own.append(found[k])
            other += found[:k] + found[k + 1 :]
    assert abs(np.mean(own) - np.mean(other)) < 0.1


def test_the_mood_of_another_scene_comes_over(tiny: Model) -> None:
    picture = np.full((64, 64, 3), 0.5, np.float32)
    warm = light_of_scene(tiny, Photo((picture * (1, 0.7, 0.4)).astype(np.float32)), ball_of)
    dark = light_of_scene(tiny, Photo(picture * np.float32(0.3)), ball_of)
    bright = light_of_scene(tiny, Photo(picture * np.float32(1.6)), ball_of)
    photo = Photo(picture)
    lit = [
        to_array(light_picture_of_scene(tiny, photo, light, ball_of)).mean(axis=(0, 1))
        for light in (warm, dark, bright)
    ]
    assert lit[0][0] > 1.05 * lit[0][2]
    assert lit[1].mean() < lit[2].mean()


def test_the_border_of_the_sky_follows_the_colours() -> None:
    picture = np.full((80, 100, 3), (0.2, 0.25, 0.2), np.float32)
    truth = np.zeros((80, 100), bool)
    truth[:40] = True
    truth[30:40, 40:60] = False  # a tower
    picture[truth] = (0.6, 0.75, 0.95)
    coarse = np.zeros((80, 100), np.float32)
    coarse[:36] = 1
    found = sky_along_edges(coarse, picture) > 0.5
    assert (found != truth).mean() < 0.6 * ((coarse > 0.5) != truth).mean()


def test_broken_exif_states_no_place() -> None:
    for exif in (None, b"", b"II*\0broken", b"MM\0*\0\0\0\x08\xff\xff"):
        assert place_in_exif(exif).place is None
