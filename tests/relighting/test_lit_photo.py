"""Fit the light of a picture, and put lights on pictures with known surfaces."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of
from mean_light import picture as lit_picture

from relight_cli.checkpoints.models import load_model
from relight_cli.errors import LightUnreadableError
from relight_cli.models.interface import Model
from relight_cli.photos.capture_place import place_in_exif
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting import lit_subject
from relight_cli.relighting.fitted_light import dominant_direction, fit_light
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.clear_sky import DISC
from relight_cli.relighting.lights.light import Light, Sun, mix_lights
from relight_cli.relighting.lights.look import from_toml, to_toml
from relight_cli.relighting.lights.place import light_of_clear_sky
from relight_cli.relighting.lights.words import ambient_harmonics, angles_of, direction_of, light_from_words
from relight_cli.relighting.lit_gain import light_gain
from relight_cli.relighting.lit_photo import PutOnOptions, light_of_scene, light_picture_of_scene, put_on, subject_of
from relight_cli.relighting.silhouettes import bulging_normals
from relight_cli.relighting.sky_matte import sky_along_edges, sky_found

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


def test_a_picture_of_nothing_but_sky_is_what_light_falls_on() -> None:
    picture = np.full((40, 60, 3), 0.6, np.float32)
    assert not sky_along_edges(np.full((40, 60), 0.99, np.float32), picture).any()


def test_a_sky_of_which_a_part_alone_was_found_is_lit_as_a_whole() -> None:
    """The border of the found part would appear inside the sky."""
    picture = np.full((96, 128, 3), (0.3, 0.35, 0.3), np.float32)
    picture[:64] = (0.7, 0.8, 0.95)
    part, whole = np.zeros((2, 96, 128), np.float32)
    part[:30, 64:] = 1
    whole[:64] = 1
    assert sky_found(sky_along_edges(whole, picture), picture) == 1
    assert sky_found(sky_along_edges(part, picture), picture) == 0

    def surfaces(copy: Map) -> Geometry:
        return replace(flat_wall(copy), sky=part)

    lit = put_on(model_of(MeanLight()), Photo(picture), light_from_words("left,10"), surfaces).photo.to_srgb()
    assert np.ptp(lit[:20].mean(axis=-1)) < 0.01


def test_broken_exif_states_no_place() -> None:
    for exif in (None, b"", b"II*\0broken", b"MM\0*\0\0\0\x08\xff\xff"):
        assert place_in_exif(exif).place is None


def cut_out(azimuth: float, nothing: float, colour: tuple[float, float, float] = (0.8, 0.7, 0.6)) -> Map:
    """A painted ball under a lamp from one side, in front of nothing, (96, 128, 3) sRGB."""
    geometry = ball(96, 128)
    inside = geometry.depth < 10
    lit = light_from_words((azimuth, 10), ambient=0.3, soft=20).irradiance(geometry.normals) * np.array(colour)
    return np.where(inside[..., None], (0.6 * lit).clip(0.01, 0.9) ** (1 / 2.2), nothing).astype(np.float32)


def flat_wall(picture: Map) -> Geometry:
    """The geometry of a network that sees no thing at all."""
    geometry = ball(*picture.shape[:2])
    geometry.normals[:] = (0, 0, 1)
    geometry.depth[:] = 10
    return geometry


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
    lit = to_array(light_picture_of_scene(tiny, Photo(photo), light, flat_wall))
    assert np.square(lit - wanted).mean() < 0.2 * np.square(photo - wanted).mean()


def test_the_sky_of_another_scene_comes_over(tiny: Model) -> None:
    """A reference whose sky is darker than its ground darkens the sky of the photo."""
    photo, bright, dark = (np.full((96, 96, 3), 0.5, np.float32) for _ in range(3))
    for picture, sky in ((photo, 0.6), (bright, 0.9), (dark, 0.25)):
        picture[:32] = sky
    skies = []
    for reference in (bright, dark):
        light = light_of_scene(tiny, Photo(reference), under_a_sky)
        assert light.sky is not None
        lit = to_array(light_picture_of_scene(tiny, Photo(photo), light, under_a_sky))
        skies.append(lit[:24].mean() / lit[72:].mean())
    assert skies[0] > 1.1 * skies[1]


@pytest.mark.parametrize(
    ("light", "blue"),
    [
        (light_from_words("left,35"), (0.85, 1.15)),  # a clear sky stays one in white light
        (light_from_words(), (0.0, 0.55)),  # an overcast one is grey
        (replace(light_from_words("left,35"), sky=(0.5, 0.5, 0.5)), (0.6, 0.8)),  # half of one that is told
    ],
)
def test_white_clouds_stay_white_in_white_light(light: Light, blue: tuple[float, float]) -> None:
    """Taking the blue off a sky as a whole would turn them red."""
    picture = np.full((96, 128, 3), (0.4, 0.42, 0.4), np.float32)
    picture[:64], picture[20:40, 30:60] = (0.35, 0.55, 0.85), 0.85
    sky = np.zeros((96, 128), np.float32)
    sky[:64] = 1
    lit = put_on(model_of(MeanLight()), Photo(picture), light, lambda copy: replace(flat_wall(copy), sky=sky))
    result = to_linear(np.asarray(lit.photo.to_srgb(), np.float32))

    def colour(samples: Map) -> float:
        return float(np.log2(samples[..., 2].mean() / samples[..., 0].mean()))

    assert abs(colour(result[26:34, 38:52])) < 0.1
    share = colour(result[4:16]) / colour(to_linear(picture)[4:16])
    assert blue[0] < share < blue[1]


def test_a_low_sun_lights_clouds_and_a_clipped_sky_keeps_most_of_its_brightness() -> None:
    """A white sky under a clear one's colour turned grey in golden hour."""
    picture = np.full((60, 80, 3), 0.5, np.float32)
    picture[:20], picture[20:40] = 0.85, 0.99
    sky = np.zeros((60, 80), np.float32)
    sky[:40] = 1
    wall = replace(flat_wall(picture), sky=sky)
    even = fit_light(np.ones_like(picture), wall.normals, 1 - sky)
    subject = lit_subject.Subject(picture, wall, even, np.zeros_like(picture))
    golden = light_from_words((20, 8), kelvin=2500, ambient=0.2, ambient_kelvin=9000)
    cloud = light_gain(subject, golden)[10, 40]
    assert cloud[0] > cloud[1] > cloud[2]
    dark, kept = light_gain(subject, golden, exposure=-1)[[10, 30], 40]
    assert kept.mean() > dark.mean() + 0.2
    dusk = light_gain(subject, replace(golden, suns=()))[10, 40]
    assert dusk[2] > dusk[0]  # without a sun the clouds are lit by the sky alone


def test_without_a_sky_the_light_of_a_scene_has_a_usual_one(tiny: Model) -> None:
    reference = np.full((64, 64, 3), 0.5, np.float32)
    light = light_of_scene(tiny, Photo(reference), ball_of)
    assert light.sky is not None
    assert light.sky[0] == light.sky[1] == light.sky[2]
    assert light.sky[0] < light.irradiance((0.0, 1.0, 0.0)).mean()  # darker than a white surface


def test_a_visible_sky_is_saved_scaled_and_mixed() -> None:
    light = replace(light_from_words("left,30"), sky=(0.2, 0.3, 0.5))
    assert from_toml(to_toml(light), "look.toml").sky == light.sky
    assert light.scaled(2).sky == pytest.approx((0.4, 0.6, 1.0))
    plain = light_from_words("right,30", exposure=-1)
    mixed = mix_lights((replace(light, exposure=2), plain), (1, 3)).sky
    assert mixed == pytest.approx(4 * np.array(light.sky) + 3 * plain.visible_sky((0.0, 0.1736, -0.9848)), rel=1e-3)
    with pytest.raises(LightUnreadableError, match="sky"):
        from_toml(to_toml(light).replace("sky = [0.2,", "sky = [-0.2,"), "look.toml")


def test_tiles_are_counted_to_the_end_where_normals_bulge(monkeypatch: pytest.MonkeyPatch) -> None:
    facing = np.tile(np.float32((0, 0, 1)), (40, 60, 1))
    monkeypatch.setattr(lit_subject, "bulging_normals", lambda picture: facing)
    photo, seen = Photo(lit_picture(40, 60)), list[tuple[int, int]]()
    subject_of(model_of(MeanLight()), photo, ball_of, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (seen[-1][1],) * 2
