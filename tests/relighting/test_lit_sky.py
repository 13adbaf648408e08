"""The sky of a photo under a new light."""

from dataclasses import replace

import numpy as np
import pytest
from balls import ball_of, flat_wall, under_a_sky
from mean_light import MeanLight, model_of

from relight_cli.checkpoints.models import load_model
from relight_cli.errors import LightUnreadableError
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.relighting import lit_subject
from relight_cli.relighting.fitted_light import fit_light
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.light import Light, mix_lights
from relight_cli.relighting.lights.look import from_toml, to_toml
from relight_cli.relighting.lights.words import light_from_words
from relight_cli.relighting.lit_gain import light_gain
from relight_cli.relighting.lit_photo import light_of_scene, put_on
from relight_cli.relighting.sky_matte import sky_along_edges, sky_found

Map = np.ndarray


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", device="cpu", tasks=("deshadow", "albedo"))


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


def test_the_sky_of_another_scene_comes_over(tiny: Model) -> None:
    """A reference whose sky is darker than its ground darkens the sky of the photo."""
    photo, bright, dark = (np.full((96, 96, 3), 0.5, np.float32) for _ in range(3))
    for picture, sky in ((photo, 0.6), (bright, 0.9), (dark, 0.25)):
        picture[:32] = sky
    skies = []
    for reference in (bright, dark):
        light = light_of_scene(tiny, Photo(reference), under_a_sky)
        assert light.sky is not None
        lit = put_on(tiny, Photo(photo), light, under_a_sky).photo.to_srgb()
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
