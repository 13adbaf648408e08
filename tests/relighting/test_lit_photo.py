"""Fit the light of a picture, and put lights on pictures with known surfaces."""

import math
from dataclasses import replace

import numpy as np
import pytest
from balls import ball, ball_of, flat_wall, under_a_sky
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of
from mean_light import picture as lit_picture

from relight_cli.checkpoints.models import load_model
from relight_cli.models.interface import Model
from relight_cli.photos.capture_place import place_in_exif
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting import lit_subject
from relight_cli.relighting.fitted_light import dominant_direction, fit_light
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.clear_sky import DISC
from relight_cli.relighting.lights.light import Light, Sun, mix_lights
from relight_cli.relighting.lights.place import light_of_clear_sky
from relight_cli.relighting.lights.words import ambient_harmonics, angles_of, direction_of, light_from_words
from relight_cli.relighting.lit_gain import light_gain
from relight_cli.relighting.lit_photo import PutOnOptions, light_of_scene, put_on, subject_of
from relight_cli.relighting.silhouettes import bulging_normals

Map = np.ndarray


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
    nothing = Light(((0.0, 0.0, 0.0),) * 9)
    for light in (nothing, replace(nothing, suns=(Sun((0, 0, -1), (1, 1, 1)),)), light_from_words().scaled(1e-310)):
        assert put_on(tiny, photo, light, ball_of).photo.to_array().shape == (40, 40, 3)


@pytest.mark.parametrize(("unit", "exposures"), [(1e-25, (0, -100, 100)), (1e25, (0, -100, 100)), (1e-10, (20, 30))])
def test_a_light_in_any_unit_and_of_any_exposure_is_put_on_alike(unit: float, exposures: tuple[float, ...]) -> None:
    """Its numbers would overflow as float32, or vanish below the least irradiance."""
    photo, light = Photo(np.full((40, 40, 3), 110, np.uint8)), light_from_words("left,10", kelvin=3000)
    model = model_of(MeanLight())
    plain = put_on(model, photo, light, under_a_sky)
    for exposure in exposures:
        lit = put_on(model, photo, replace(light.scaled(unit), exposure=exposure), under_a_sky)
        np.testing.assert_allclose(lit.photo.to_array(), plain.photo.to_array(), atol=1)
        np.testing.assert_allclose(to_array(lit.shading.pixels), to_array(plain.shading.pixels), atol=1e-3)


def test_nothing_steps_when_the_sun_sets_where_the_own_light_comes_from() -> None:
    """Its cast shadows are in the photo; a sun of no strength does not keep them there."""
    geometry = ball(64, 80)
    shading = light_from_words("left,0", ambient=0.2).irradiance(geometry.normals).astype(np.float32)
    own = fit_light(shading, geometry.normals, np.ones((64, 80), np.float32))
    azimuth, _ = angles_of(dominant_direction(own.light)[0])
    cast = np.linspace(0, 1, 80, dtype=np.float32)[:, None] * np.ones((64, 1, 3), np.float32)
    subject = lit_subject.Subject(np.full((64, 80, 3), 0.5, np.float32), geometry, own, cast)
    before, after = (light_gain(subject, light_of_clear_sky(azimuth, up - DISC)) for up in (0.001, -0.001))
    assert np.abs(before - after).max() < 0.01


def test_nothing_steps_when_another_sun_becomes_the_brighter_one() -> None:
    """The brighter one alone decided whether the photo's own cast shadows stay."""
    geometry = ball(48, 60)
    left, right = light_from_words("left,20", ambient=0.05), light_from_words("right,40", ambient=0.05)
    own = fit_light(left.irradiance(geometry.normals).astype(np.float32), geometry.normals, np.ones((48, 60)))
    cast = np.linspace(0, 2, 60, dtype=np.float32)[:, None] * np.ones((48, 1, 3), np.float32)
    subject = lit_subject.Subject(np.full((48, 60, 3), 0.5, np.float32), geometry, own, cast)
    mixes = [mix_lights((left, right), (0.5 + more, 0.5 - more)) for more in (0.001, -0.001)]
    before, after = (light_gain(subject, mix) for mix in mixes)
    turned = light_gain(subject, replace(mixes[0], suns=mixes[0].suns[::-1]))
    assert np.abs(before - after).max() < 0.02
    np.testing.assert_allclose(turned, before, atol=1e-4)


@pytest.mark.parametrize("exposure", [-6.0, 5.0])
def test_a_change_at_its_limit_keeps_its_colour(exposure: float) -> None:
    """Each channel limited by itself made dark moonlight pink, and golden hour neutral."""
    photo = Photo(np.full((40, 40, 3), 30, np.uint8))
    blue = light_from_words("left,30", kelvin=20000, ambient_kelvin=20000)
    options = PutOnOptions(keep_exposure=False, exposure=exposure)
    lit = to_linear(put_on(model_of(MeanLight()), photo, blue, ball_of, options=options).photo.to_srgb())
    assert (lit[..., 2] > 1.2 * lit[..., 0]).all()


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
            lit = put_on(tiny, Photo(photo), light, ball_of).photo.to_srgb()
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
    lit = [put_on(tiny, photo, light, ball_of).photo.to_srgb().mean(axis=(0, 1)) for light in (warm, dark, bright)]
    assert lit[0][0] > 1.05 * lit[0][2]
    assert lit[1].mean() < lit[2].mean()


def test_broken_exif_states_no_place() -> None:
    for exif in (None, b"", b"II*\0broken", b"MM\0*\0\0\0\x08\xff\xff"):
        assert place_in_exif(exif).place is None


def cut_out(azimuth: float, nothing: float, colour: tuple[float, float, float] = (0.8, 0.7, 0.6)) -> Map:
    """A painted ball under a lamp from one side, in front of nothing, (96, 128, 3) sRGB."""
    geometry = ball(96, 128)
    inside = geometry.depth < 10
    lit = light_from_words((azimuth, 10), ambient=0.3, soft=20).irradiance(geometry.normals) * np.array(colour)
    return np.where(inside[..., None], (0.6 * lit).clip(0.01, 0.9) ** (1 / 2.2), nothing).astype(np.float32)


@pytest.mark.parametrize("nothing", [0.0, 1.0])
def test_a_thing_in_front_of_nothing_bulges_inside_its_outline(nothing: float) -> None:
    normals = bulging_normals(cut_out(40, nothing))
    assert normals is not None
    truth, inside = ball(96, 128).normals, ball(96, 128).depth < 10
    assert np.degrees(np.arccos((normals * truth).sum(-1).clip(-1, 1)))[inside].mean() < 12
    assert (normals[0, 0] == (0, 0, 1)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from((0.0, 0.5, 1.0)))
def test_pictures_without_a_thing_have_no_outline(height: int, width: int, level: float) -> None:
    assert bulging_normals(np.full((height, width, 3), level, np.float32)) is None


def test_the_light_of_a_thing_in_front_of_nothing_comes_over(tiny: Model) -> None:
    """The network's geometry and albedo say nothing here, the outline says all."""
    photo, wanted = cut_out(-70, 0.0), cut_out(70, 0.0)
    reference = cut_out(70, 0.0, (0.7, 0.75, 0.65))
    light = light_of_scene(tiny, Photo(reference), flat_wall)
    lit = put_on(tiny, Photo(photo), light, flat_wall).photo.to_srgb()
    assert np.square(lit - wanted).mean() < 0.2 * np.square(photo - wanted).mean()


def test_tiles_are_counted_to_the_end_where_normals_bulge(monkeypatch: pytest.MonkeyPatch) -> None:
    facing = np.tile(np.float32((0, 0, 1)), (40, 60, 1))
    monkeypatch.setattr(lit_subject, "bulging_normals", lambda picture: facing)
    photo, seen = Photo(lit_picture(40, 60)), list[tuple[int, int]]()
    subject_of(model_of(MeanLight()), photo, ball_of, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (seen[-1][1],) * 2
