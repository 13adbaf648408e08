"""Lights from words, from a place and a time, and from environment maps."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.clear_sky import ground_illuminance, sky_radiance, sun_irradiance
from relight_cli.relighting.lights.environment import light_of_environment, map_directions
from relight_cli.relighting.lights.harmonics import sphere_grid
from relight_cli.relighting.lights.light import LUMINANCE, Light
from relight_cli.relighting.lights.place import (
    clock_note,
    light_of_clear_sky,
    light_of_place,
    offset_text,
    parse_time,
    sun_position,
)
from relight_cli.relighting.lights.preview import hidden_share, preview
from relight_cli.relighting.lights.spectra import (
    colour_of_temperature,
    planck,
    temperature_of_colour,
    xyz_of_spectrum,
)
from relight_cli.relighting.lights.words import (
    AZIMUTHS,
    LEVEL,
    angles_of,
    direction_of,
    light_from_words,
    name_of,
    parse_facing,
    parse_sun,
)

UP, RIGHT, FRONT = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


# Words


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("front,0", FRONT),
        ("right,0", RIGHT),
        ("left,0", (-1, 0, 0)),
        ("back,0", (0, 0, -1)),
        ("top", UP),
        ("0,90", UP),
        ("90,0", RIGHT),
        ("-90,0", (-1, 0, 0)),
        ("front-right,0", (math.sqrt(0.5), 0, math.sqrt(0.5))),
        ("Left-Back, 0", (-math.sqrt(0.5), 0, -math.sqrt(0.5))),
        ("left", (-math.cos(math.radians(35)), math.sin(math.radians(35)), 0)),
        ("-90", (-math.cos(math.radians(35)), math.sin(math.radians(35)), 0)),
    ],
)
def test_directions_in_words(text: str, direction: tuple[float, ...]) -> None:
    np.testing.assert_allclose(light_from_words(text).suns[0].direction, direction, atol=1e-12)


@given(st.floats(-179, 179), st.floats(-89, 89))
def test_angles_are_read_back(azimuth: float, elevation: float) -> None:
    np.testing.assert_allclose(angles_of(direction_of(azimuth, elevation)), (azimuth, elevation), atol=1e-9)


def test_names_are_the_nearest() -> None:
    assert all(name_of(azimuth + 20, 30) == name for name, azimuth in AZIMUTHS.items())
    assert name_of(30, 80) == "top"


@pytest.mark.parametrize("text", ["", "up", "left,x", "30,91", "30,nan", "400,0", "left,35,2", "top,3"])
def test_what_is_no_direction(text: str) -> None:
    with pytest.raises(UsageError, match="--sun"):
        parse_sun(text)


@pytest.mark.parametrize("angles", [(0.0, 91.0), (400.0, 0.0), (math.nan, 0.0)])
def test_what_are_no_angles_of_a_direction(angles: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"--sun .*out of range"):
        light_from_words(angles)


def test_the_share_of_ambient_light_is_that_of_a_surface_that_faces_the_sun() -> None:
    light = light_from_words("right,0", ambient=0.25, kelvin=6500)
    ambient, total = light.ambient(RIGHT) @ LUMINANCE, light.irradiance(RIGHT) @ LUMINANCE
    assert ambient / total == pytest.approx(0.25)
    assert light_from_words("right", ambient=1).suns == ()


@pytest.mark.parametrize("words", [{"sun": "back,10"}, {"sun": "front"}, {"sun": None}, {"sun": "top", "ambient": 0.0}])
def test_lights_in_words_are_well_exposed(words: dict) -> None:
    assert light_from_words(**words).average() == pytest.approx(LEVEL)
    assert light_from_words(**words, exposure=-1).average() == pytest.approx(LEVEL / 2)


def test_temperatures_colour_sun_and_ambient_light() -> None:
    light = light_from_words("left", kelvin=3200, ambient_kelvin=9000)
    assert temperature_of_colour(light.suns[0].irradiance) == pytest.approx(3200, rel=0.02)
    assert temperature_of_colour(light.coefficients[0]) == pytest.approx(9000, rel=0.02)
    for alone in (light_from_words(None, kelvin=3200), light_from_words("left", kelvin=3200, ambient=1)):
        assert temperature_of_colour(alone.coefficients[0]) == pytest.approx(3200, rel=0.02)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("ambient", -0.1),
        ("ambient", 1.1),
        ("soft", 0),
        ("soft", 91),
        ("kelvin", 900),
        ("kelvin", 26000),
        ("kelvin", math.nan),
    ],
)
def test_values_out_of_range(word: str, value: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        light_from_words("left", **{word: value})


# Colours


def test_illuminants_of_the_cie() -> None:
    """Illuminant A (a black body of 2856 K) and D65: chromaticities of CIE 15:2018."""
    xyz = xyz_of_spectrum(planck(2856))
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), (0.44758, 0.40745), atol=0.003)
    np.testing.assert_allclose(colour_of_temperature(6504), (1, 1, 1), atol=0.005)


@given(st.floats(1000, 25000))
def test_temperatures_are_colours_of_luminance_one(kelvin: float) -> None:
    colour = colour_of_temperature(kelvin)
    assert colour.min() > 0
    assert colour @ LUMINANCE == pytest.approx(1, abs=1e-3)


@given(st.floats(2000, 10000))
def test_the_temperature_of_a_colour_is_read_back(kelvin: float) -> None:
    assert temperature_of_colour(colour_of_temperature(kelvin)) == pytest.approx(kelvin, rel=0.02)


# Place and time


@pytest.mark.parametrize(
    ("time", "place", "azimuth", "elevation"),
    [
        # Reda and Andreas, Solar Position Algorithm (NREL/TP-560-34302, 2008), table A5.1: zenith angle 50.11162.
        ("2003-10-17T12:30:30-07:00", (39.742476, -105.1786), 194.34024, 90 - 50.11162),
        # Meeus, Astronomical Algorithms (1998), example 25.a: declination -7.785 degrees, above the equator.
        ("1992-10-13T00:00:00+00:00", (0.0, 180.0 - 3.4268), 180.0, 90 - 7.785),
    ],
)
def test_the_sun_stands_where_almanacs_say(
    time: str, place: tuple[float, float], azimuth: float, elevation: float
) -> None:
    found = sun_position(datetime.fromisoformat(time), *place)
    assert found[0] == pytest.approx(azimuth, abs=0.2 if azimuth == 180 else 0.01)
    assert found[1] == pytest.approx(elevation, abs=0.01)


@pytest.mark.parametrize(
    ("facing", "name"), [(288.6, "back"), (288.6 - 90, "back-right"), (108.6, "front"), (18.6, "left")]
)
def test_the_sun_is_in_the_axes_of_the_camera(facing: float, name: str) -> None:
    light = light_of_place(datetime(2026, 6, 21, 17, 30, tzinfo=UTC), 48.14, 11.58, facing)  # sun at azimuth 288.6
    azimuth, elevation = angles_of(light.suns[0].direction)
    assert elevation == pytest.approx(15, abs=0.1)
    expected = {"back": 180, "back-right": 90, "front": 0, "left": -90}[name]
    assert (azimuth - expected + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


def test_times_without_an_offset_are_those_of_the_place() -> None:
    munich = parse_time("2026-06-21T19:30", 48.14, 11.58)
    assert munich == datetime(2026, 6, 21, 17, 30, tzinfo=UTC)
    assert parse_time("2026-01-21 19:30", 48.14, 11.58) == datetime(2026, 1, 21, 18, 30, tzinfo=UTC)
    assert parse_time("2026-06-21T19:30-07:00", 48.14, 11.58).utcoffset() == -timedelta(hours=7)
    assert parse_time("2026-06-21T12:00", 0, -150).utcoffset() == -timedelta(hours=10)  # at sea


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("2026-03-29T02:30", ["2026-03-29T02:30: the clocks of Europe/Berlin skip", "2026-03-29T03:30+02:00 is taken"]),
        ("2026-10-25T02:30", ["2026-10-25T02:30: the clocks of Europe/Berlin show", "(+02:00); for the second add"]),
        ("2026-10-25T02:30+01:00", []),
        ("2026-03-29T03:00", []),
        ("2026-10-25T03:00", []),
    ],
)
def test_times_that_the_clocks_skip_or_show_twice_are_noted(text: str, notes: list[str]) -> None:
    note = clock_note(parse_time(text, 48.14, 11.58))
    assert (note is None) == (not notes)
    assert all(part in str(note) for part in notes)


@pytest.mark.parametrize(
    ("text", "place", "offsets"),
    [
        ("1883-11-18T12:02", (40.7, -74.0), "the first is taken (-04:56:02); for the second add -05:00"),
        ("1911-03-10T23:55", (48.86, 2.35), "the first is taken (+00:09:21); for the second add +00:00"),
    ],
)
def test_offsets_of_clocks_that_were_set_by_the_sun_have_seconds(
    text: str, place: tuple[float, float], offsets: str
) -> None:
    time = parse_time(text, *place)
    note = clock_note(time)
    assert note is not None
    assert note.endswith(offsets)
    assert parse_time(f"{text}{offset_text(time.utcoffset())}", *place).timestamp() == time.timestamp()


@pytest.mark.parametrize("text", ["", "noon", "2026-06-21", "19:30", "2026-13-21T19:30", "20260621", "2026-W25-7"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="--sun-at"):
        parse_time(text, 48, 11)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="zone"):
        light_of_place(datetime(2026, 6, 21, 12), 48, 11, 0)
    with pytest.raises(UsageError, match="--place"):
        light_of_place(datetime(2026, 6, 21, tzinfo=UTC), 91, 11, 0)


@pytest.mark.parametrize(
    ("text", "degrees"), [("N", 0), ("sw", 225), ("south-west", 225), ("NNE", 22.5), ("North West", 315), ("-90", 270)]
)
def test_points_of_the_compass(text: str, degrees: float) -> None:
    assert parse_facing(text) == degrees


@pytest.mark.parametrize("text", ["", "up", "361", "nan", "NSW"])
def test_what_is_no_point_of_the_compass(text: str) -> None:
    with pytest.raises(UsageError, match="--facing"):
        parse_facing(text)


@pytest.mark.parametrize("turbidity", [2, 3, 6, 10])
@pytest.mark.parametrize("elevation", [90, 45, 20, 10, 3, 0.1, 0, -0.1, -0.5, -3, -6, -9, -12, -18, -30, -90])
def test_level_ground_gets_the_light_of_the_almanac(elevation: float, turbidity: float) -> None:
    sky = light_of_clear_sky(30, elevation, turbidity)
    directions, angles = sphere_grid()
    up = directions[:, 1] > 0
    radiance = sky_radiance(directions[up], direction_of(30, elevation), turbidity)
    assert (radiance > 0).all()
    assert np.isfinite(radiance).all()
    ground = (radiance * (directions[up, 1] * angles[up])[:, None]).sum(axis=0) @ LUMINANCE
    ground += sun_irradiance(elevation, turbidity) @ LUMINANCE * max(0, math.sin(math.radians(elevation)))
    assert ground == pytest.approx(
        ground_illuminance(elevation), rel=0.15 if turbidity == 2 and elevation > 40 else 0.03
    )
    assert len(sky.suns) == (elevation > -0.267)
    assert np.isfinite(sky.coefficients).all()


def test_known_illuminances_of_daylight() -> None:
    """Full sun about 100 klx, sunset some hundred lx, the end of civil twilight 3.4 lx (Explanatory Supplement)."""
    light = sun_irradiance(60)
    assert 80 < light @ LUMINANCE < 105
    assert 4500 < temperature_of_colour(light) < 5800
    assert 0.6 < ground_illuminance(0) < 0.9
    assert ground_illuminance(-6) == pytest.approx(3.4e-3, rel=0.05)
    assert temperature_of_colour(sun_irradiance(6)) < 3000
    assert temperature_of_colour(light_of_clear_sky(0, 40).ambient(UP)) > 9000


def test_the_light_of_a_day_has_no_jumps() -> None:
    elevations = np.concatenate((np.arange(-20, -7, 0.2), np.arange(-7, 7, 0.1), np.arange(7, 60, 0.5)))
    lights = [light_of_clear_sky(100, float(elevation)) for elevation in elevations]
    level = np.log2([light.ambient((0, 0.6, 0.8)) for light in lights])
    assert np.abs(np.diff(level, axis=0)).max() < 0.07
    assert np.diff([light.average() for light in lights])[elevations[1:] < 20].min() > -1e-3  # dawn only brightens


def test_night_is_darker_than_day_but_never_black() -> None:
    noon, dusk, night = (light_of_clear_sky(100, elevation).average() for elevation in (60, -6, -40))
    assert noon == pytest.approx(LEVEL, rel=0.1)
    assert 0.01 < night < dusk < noon / 2


@pytest.mark.parametrize("turbidity", [1.9, 10.1, math.nan])
def test_turbidity_out_of_range(turbidity: float) -> None:
    with pytest.raises(UsageError, match="--turbidity"):
        light_of_clear_sky(0, 30, turbidity)


# Environment maps


def a_map(height: int = 64) -> np.ndarray:
    """A smooth map of order 2, brighter on the right, above, and in front of the camera."""
    directions, _ = map_directions(height, 2 * height)
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack((1 + 0.5 * x, 1 + 0.5 * y, 1 - 0.5 * z * z), axis=-1).astype(np.float32)


def irradiance_of_map(radiance: np.ndarray, normals: np.ndarray) -> np.ndarray:
    directions, angles = map_directions(*radiance.shape[:2])
    weighted = radiance.reshape(-1, 3) * angles.reshape(-1, 1)
    return np.clip(normals @ directions.reshape(-1, 3).T, 0, None) @ weighted


NORMALS = np.concatenate((np.eye(3), -np.eye(3)))


def test_the_pixels_of_a_map_cover_the_sphere() -> None:
    directions, angles = map_directions(16, 32)
    assert angles.sum() == pytest.approx(4 * math.pi)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=2), 1)
    np.testing.assert_allclose(directions[7:9, 15:17].mean(axis=(0, 1)), (0, 0, -1), atol=0.03)  # centre: looked at
    assert directions[8, 24] @ RIGHT > 0.98
    assert directions[0, 0] @ UP > 0.98


def test_the_light_of_a_smooth_map_is_its_integral() -> None:
    found = light_of_environment(a_map())
    expected = irradiance_of_map(a_map(), NORMALS) * found.light.factor
    np.testing.assert_allclose(found.light.irradiance(NORMALS), expected, rtol=2e-3)
    assert found.light.average() == pytest.approx(LEVEL)
    assert not found.light.suns
    assert not found.notes


@settings(deadline=None, max_examples=25)
@given(st.floats(-180, 180), st.floats(-60, 80), st.floats(2, 6))
def test_a_sun_in_a_map_is_found_and_counts_once(azimuth: float, elevation: float, radius: float) -> None:
    picture = a_map()
    directions, angles = map_directions(64, 128)
    disc = directions @ np.array(direction_of(azimuth, elevation)) > math.cos(math.radians(radius))
    if not disc.any():
        return
    picture[disc] += np.array((9e4, 7e4, 5e4), np.float32)
    light = light_of_environment(picture).light
    (sun,) = light.suns
    centre = (directions[disc] * angles[disc][:, None]).sum(axis=0)
    assert np.dot(sun.direction, centre / np.linalg.norm(centre)) > math.cos(math.radians(0.1))
    assert sun.radius == pytest.approx(math.degrees(math.acos(1 - angles[disc].sum() / (2 * math.pi))), rel=1e-6)
    np.testing.assert_allclose(np.array(sun.irradiance) / sun.irradiance[0], (1, 7 / 9, 5 / 9), rtol=1e-3)
    facing = np.array([sun.direction])
    np.testing.assert_allclose(light.irradiance(facing), irradiance_of_map(picture, facing) * light.factor, rtol=0.01)
    without = light_of_environment(a_map()).light
    np.testing.assert_allclose(light.coefficients, without.coefficients, atol=0.05)  # the sun is not in the harmonics


def test_several_suns_the_strongest_first_and_near_ones_as_one() -> None:
    picture = np.full((128, 256, 3), 0.01, np.float32)
    picture[40, 20], picture[60, 140], picture[60, 142] = 400, 500, 500
    light = light_of_environment(picture).light
    assert len(light.suns) == 2
    assert light.suns[0].luminance > light.suns[1].luminance
    across = angles_of(light.suns[0].direction)[0]
    assert across == pytest.approx(180 - (141.5 / 256 * 360 - 180), abs=0.5)


def test_a_sun_on_the_border_of_a_map_is_one_and_a_weak_lamp_among_many_is_left() -> None:
    picture = np.full((64, 128, 3), 0.01, np.float32)
    picture[20:22, [0, 127]] = 2000  # behind the camera
    picture[40, 4:120:2] = 30  # many lamps
    light = light_of_environment(picture).light
    assert len(light.suns) >= 1
    assert angles_of(light.suns[0].direction)[0] == pytest.approx(0, abs=0.1)
    normals = np.array([light.suns[0].direction])
    np.testing.assert_allclose(light.irradiance(normals), irradiance_of_map(picture, normals) * light.factor, rtol=0.02)


@pytest.mark.parametrize(("columns", "suns"), [(range(28, 36), 1), (range(8, 56), 0), (range(128), 0)])
def test_a_long_tube_in_a_map_is_no_sun(columns: range, suns: int) -> None:
    picture = np.full((64, 128, 3), 0.02, np.float32)
    picture[24, list(columns)] = 300
    light = light_of_environment(picture).light
    assert len(light.suns) == suns
    expected = irradiance_of_map(picture, NORMALS) * light.factor
    np.testing.assert_allclose(light.irradiance(NORMALS), expected, atol=0.1 * expected.max())


def test_large_maps_keep_their_light() -> None:
    picture = np.kron(a_map(32), np.ones((40, 40, 1), np.float32))  # 2560 columns
    picture[600:604, 100:104] = 1e6
    light = light_of_environment(picture).light
    np.testing.assert_allclose(
        light.irradiance(np.array([light.suns[0].direction])),
        irradiance_of_map(picture, np.array([light.suns[0].direction])) * light.factor,
        rtol=0.01,
    )


def test_broken_pixels_black_maps_and_other_shapes() -> None:
    picture = a_map()
    picture[3, 3], picture[5, 5], picture[40, 40] = np.nan, np.inf, -1
    found = light_of_environment(picture)
    assert np.isfinite(found.light.irradiance(NORMALS)).all()
    assert "not numbers" in found.notes[0]
    black = light_of_environment(np.zeros((8, 16, 3), np.float32)).light
    assert (black.irradiance(NORMALS) < 1e-6).all()
    assert "clipped" not in light_of_environment(a_map(), clipped=True).notes[0]
    for shape in ((8, 8, 3), (9, 30, 3)):
        with pytest.raises(UsageError, match="twice as wide"):
            light_of_environment(np.ones(shape, np.float32))


# Preview


@pytest.mark.parametrize("radius", [0.27, 10, 40])
def test_the_shadow_of_the_ball_is_the_hidden_share_of_the_disc(radius: float) -> None:
    sun = light_from_words("right,50", soft=radius).suns[0]
    points = np.stack((np.linspace(-4, 4, 30), np.zeros(30), np.linspace(-0.5, 0.3, 30)), axis=-1)
    rng = np.random.default_rng(1)
    rays = rng.normal(size=(400_000, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    rays = rays[rays @ np.array(sun.direction) > math.cos(math.radians(radius))]
    if radius < 1:
        rays = np.array([sun.direction])
    to_ball = np.array((0, 1, 0)) - points
    along = to_ball @ rays.T
    hit = (along > 0) & ((to_ball**2).sum(axis=1)[:, None] - along**2 < 1)
    far = np.abs(np.abs(points[:, 0] + 0.4) - 1.5) > 0.2 if radius < 1 else np.full(30, True)
    atol = 0.5 if radius < 1 else 0.06  # discs in the plane instead of on the sphere
    np.testing.assert_allclose(hidden_share(sun, points)[far], hit.mean(axis=1)[far], atol=atol)


def test_the_preview_shows_the_side_of_the_light() -> None:
    left, right = (preview(light_from_words(f"{side},20"), (60, 90)) for side in ("left", "right"))
    assert left.shape == (60, 90, 3)
    assert 0 <= left.min() <= left.max() <= 1
    np.testing.assert_allclose(left, right[:, ::-1], atol=0.08)  # the tiles of the floor differ
    ball = left[28:36, 36:54].mean(axis=(0, 2))
    assert ball[:6].mean() > 1.5 * ball[-6:].mean()


def test_the_preview_of_darkness() -> None:
    assert preview(Light(((0.0, 0.0, 0.0),) * 9), (20, 30)).max() < 1e-6


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e12, 1e30])
def test_maps_in_any_unit_give_the_same_light(scale: float) -> None:
    picture = a_map()
    picture[20, 30] = 3000
    plain, scaled = (light_of_environment(picture * np.float32(factor)).light for factor in (1, scale))
    assert len(scaled.suns) == len(plain.suns) == 1
    np.testing.assert_allclose(scaled.irradiance(NORMALS), plain.irradiance(NORMALS), rtol=1e-3)


def test_an_infinite_pixel_does_not_outshine_a_sun() -> None:
    """Half floats end at 65504, so that the sun of a map of half floats may be infinite."""
    plain = a_map()
    plain[20, 30:32] = 60000
    spoilt = plain.copy()
    spoilt[40, 100] = np.inf
    sun, *others = light_of_environment(spoilt).light.suns
    assert sun.direction == pytest.approx(light_of_environment(plain).light.suns[0].direction, abs=1e-3)
    assert len(others) == 1
    assert not light_of_environment(np.full((8, 16, 3), np.inf, np.float32)).light.suns


def test_black_maps_are_said_to_be_black_and_a_map_of_one_row_is_none() -> None:
    assert "black" in light_of_environment(np.zeros((8, 16, 3), np.float32)).notes[0]
    with pytest.raises(UsageError, match="2 x 1 pixels says nothing"):
        light_of_environment(np.ones((1, 2, 3), np.float32))
