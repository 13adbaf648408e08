"""Lights as files: TOML that comes back, errors in one line, mixes, maps, presets."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.errors import LightUnreadableError, OutputUnwritableError, PhotoUnreadableError, UsageError
from relight_cli.jobs.light_files import is_light, load_light, load_mix, parse_mix, preset_names, save_light
from relight_cli.jobs.light_source import names_light
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import Shape
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.lights.environment import light_of_environment
from relight_cli.relighting.lights.light import LUMINANCE, Light, Sun
from relight_cli.relighting.lights.look import from_toml, to_toml
from relight_cli.relighting.lights.words import LEVEL, light_from_words

numbers = st.floats(-1e6, 1e6)
colours = st.tuples(*3 * [st.floats(0, 1e6)])
directions = st.tuples(*3 * [st.floats(-1, 1)]).filter(lambda d: max(map(abs, d)) > 0.01)
suns = st.builds(Sun, directions, colours, st.floats(0.01, 90))
lights = st.builds(
    Light,
    st.tuples(colours, *8 * [st.tuples(*3 * [numbers])]),
    st.lists(suns, max_size=3).map(tuple),
    st.floats(-20, 20),
    st.text(max_size=40),
)
SAVED = to_toml(light_from_words("left,35", kelvin=3200))


@settings(deadline=None)
@given(lights)
def test_a_saved_light_comes_back(light: Light) -> None:
    back = from_toml(to_toml(light), "look.toml")
    np.testing.assert_allclose(
        back.coefficients, light.coefficients, rtol=1e-6, atol=1e-9 * np.abs(light.coefficients).max()
    )
    assert back.exposure == pytest.approx(light.exposure, rel=1e-6)
    assert len(back.suns) == len(light.suns)
    for one, other in zip(back.suns, light.suns, strict=True):
        np.testing.assert_allclose(one.direction, other.direction, atol=1e-6)
        np.testing.assert_allclose(one.irradiance, other.irradiance, rtol=1e-6)
        assert one.radius == pytest.approx(other.radius, rel=1e-6)
    assert back.origin == " ".join("".join(c if c.isprintable() else " " for c in light.origin).split())
    assert from_toml(to_toml(back), "look.toml") == from_toml(to_toml(from_toml(to_toml(back), "a")), "look.toml")


def test_the_text_explains_itself() -> None:
    assert "x right, y up, z towards the viewer" in SAVED
    assert re.search(r"\], # 1-1: more from above", SAVED)
    assert 'origin = "words: sun -90,35, 3200 K' in SAVED


@pytest.mark.parametrize(
    ("old", "new", "key", "remedy"),
    [
        ("version = 1", "version = 2", "version", "save the light"),
        ("version = 1", "", "version", "missing"),
        ("version = 1", 'version = "1"', 'version is "1", not 1', "save the light"),
        ("version = 1", "version = true", "version is true, not 1", "save the light"),
        ("exposure = 0.0", 'exposure = "bright"', "exposure", "a number"),
        ("exposure = 0.0", "exposure = nan", "exposure", "a number"),
        ("exposure = 0.0", "exposure = true", "exposure", "a number"),
        ("exposure = 0.0", "exposure = 5000", "exposure 5000", "-100 to 100"),
        ("exposure = 0.0", "exposure = -5000", "exposure -5000", "-100 to 100"),
        ("harmonics = [\n    [", "harmonics = [\n    [-", "harmonics, row 1", "0 or more"),
        ("origin = ", "origin = 3 # ", "origin", "quotes"),
        ("    [0.0, 0.0, 0.0], # 22: finer\n", "", "harmonics", "9 rows"),
        ("    [0.0, 0.0, 0.0], # 22: finer\n", "    [0.0, 0.0], # 22\n", "harmonics, row 9", "3 numbers"),
        ("radius = 0.27", "radius = 0", "sun 1", "radius"),
        ("radius = 0.27", "radios = 0", "sun 1: radios", "is not a key"),
        ("direction = [", "direction = [1, ", "sun 1: direction", "3 numbers"),
        ("direction = [-0.819152, 0.5735764, 0.0]", "direction = [0, 0, 0]", "sun 1", "no length"),
        ("irradiance = [", "irradiance = [-", "sun 1", "negative"),
        ("[[sun]]", "[sun]", "sun", "[[sun]]"),
        ("exposure", "exposures", "exposures", "is not a key"),
        ("version = 1", "version = ", "not TOML", "line 4"),
        ("origin = ", f"origin = {3000 * '['} # ", "not TOML", "correct"),
    ],
)
def test_a_wrong_file_is_one_line_with_file_key_and_remedy(
    old: str, new: str, key: str, remedy: str, tmp_path: Path
) -> None:
    path = tmp_path / "look.toml"
    assert old in SAVED
    path.write_text(SAVED.replace(old, new, 1))
    with pytest.raises(LightUnreadableError) as error:
        load_light(str(path))
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert key in line
    assert remedy in line
    assert "\n" not in line


def test_files_that_are_no_text(tmp_path: Path) -> None:
    for name, data in (("a.toml", b"\xff\xfe\x00"), ("b.toml", b"#" * (2 << 20))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(LightUnreadableError, match=name):
            load_light(str(tmp_path / name))
    with pytest.raises(LightUnreadableError, match="no such file"):
        load_light(str(tmp_path / "c.toml"))
    with pytest.raises(LightUnreadableError, match="folder"):
        load_light(str(tmp_path))
    with pytest.raises(UsageError, match=r"did you mean golden-hour\?"):
        load_light("golden-huor")


def test_files_of_windows_editors_are_read(tmp_path: Path) -> None:
    (tmp_path / "look.toml").write_bytes(b"\xef\xbb\xbf" + SAVED.replace("\n", "\r\n").encode())
    assert load_light(str(tmp_path / "look.toml")) == from_toml(SAVED, "look.toml")


def test_a_photo_is_no_map_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    write_photo(Photo(noise((6, 8, 3))), tmp_path / "photo.png")
    with pytest.raises(PhotoUnreadableError, match=r"twice as wide.*--save-light"):
        load_light(str(tmp_path / "photo.png"))


def test_a_file_is_never_replaced_without_being_asked(tmp_path: Path) -> None:
    light = light_from_words("front")
    save_light(light, tmp_path / "a.toml")
    with pytest.raises(OutputUnwritableError, match="overwrite"):
        save_light(light.scaled(2), tmp_path / "a.toml")
    save_light(light.scaled(2), tmp_path / "a.toml", overwrite=True)
    np.testing.assert_allclose(load_light(str(tmp_path / "a.toml")).coefficients, 2 * light.coefficients, rtol=1e-6)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_light_of_its_own(name: str) -> None:
    light = load_light(name)
    assert light.origin
    assert len(light.origin) < 100
    assert light.average() == pytest.approx(LEVEL * light.factor, rel=1e-3)
    assert -2 <= light.exposure <= 0
    assert sum(float(LUMINANCE @ sun.irradiance) for sun in light.suns) + light.coefficients[0, 1] > 0
    assert all(load_light(other) != light for other in preset_names() if other != name)
    assert is_light(name)


def test_there_are_the_presets_that_photographers_ask_for() -> None:
    wanted = {"golden-hour", "overcast", "blue-hour", "noon", "candle", "window-left", "studio-rembrandt", "moonlight"}
    assert wanted <= set(preset_names())
    assert load_light("golden-hour").suns[0].direction[0] < -0.5  # from the left
    warm = load_light("candle").suns[0].irradiance
    assert warm[0] > 2 * warm[2]
    assert not load_light("overcast").suns


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("golden-hour", [("golden-hour", 1)]),
        ("a.toml", [("a.toml", 1)]),
        ("a.toml:0.3,b.toml:0.7", [("a.toml", 0.3), ("b.toml", 0.7)]),
        ("a.toml,noon:2", [("a.toml", 1), ("noon", 2)]),
        ("C:\\looks\\a.toml:0.3,D:\\b.toml", [("C:\\looks\\a.toml", 0.3), ("D:\\b.toml", 1)]),
        ("x,y.toml:0.5,noon", [("x,y.toml", 0.5), ("noon", 1)]),
        ("x,y.toml", [("x,y.toml", 1)]),
        ("z:1.toml", [("z:1.toml", 1)]),
        ("w:2", [("w:2", 1)]),
        ("w:2:3", [("w:2", 3)]),
        ("missing,noon", [("missing", 1), ("noon", 1)]),
    ],
)
def test_mixes_are_read(
    spec: str, parts: list[tuple[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.toml", "b.toml", "x,y.toml", "z:1.toml", "w:2"):
        Path(name).touch()
    assert parse_mix(spec) == parts


@pytest.mark.parametrize("spec", ["", ",", "noon,", "noon:-1", "noon:nan", "noon:0", ":0.5"])
def test_what_is_no_mix(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_mix(spec)


def test_a_mix_is_the_sum_of_its_lights() -> None:
    both, noon, candle = load_mix("noon:0.3,candle:2"), load_light("noon"), load_light("candle")
    normals = np.eye(3)
    expected = 0.3 * noon.irradiance(normals) + 2 * candle.irradiance(normals)
    np.testing.assert_allclose(both.irradiance(normals), expected, rtol=1e-6)
    assert load_mix("noon") == noon


@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".exr", ".png"])
def test_maps_of_every_kind_give_their_light(suffix: str, tmp_path: Path) -> None:
    import cv2

    light = np.ascontiguousarray(np.linspace(0.05, 0.9, 16 * 32 * 3, dtype=np.float32).reshape(16, 32, 3))
    path, notes = tmp_path / f"sky{suffix}", []
    if suffix in (".hdr", ".tif"):  # without a profile
        light[3, 4] = 5000
        cv2.imwrite(str(path), light[..., ::-1])
    else:
        write_photo(Photo(light, metadata=Metadata(icc=LINEAR)), path)
    found = load_light(str(path), notes.append)
    expected = light_of_environment(light).light
    np.testing.assert_allclose(found.irradiance(np.eye(3)), expected.irradiance(np.eye(3)), rtol=0.02)
    assert len(found.suns) == len(expected.suns) == (suffix in (".hdr", ".tif"))
    assert found.origin == f"environment map sky{suffix}"
    assert len(notes) == (suffix == ".png")
    assert all(str(path) in note and "white" in note for note in notes)


def test_a_map_is_read_in_the_colours_of_its_header(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "sky.hdr"
    cv2.imwrite(str(path), np.full((16, 32, 3), 4, np.float32) * np.float32((0.125, 0.25, 0.5)))
    start, end = path.read_bytes().split(b"\n\n", 1)
    lines = b"PRIMARIES=0.708 0.292 0.170 0.797 0.131 0.046 0.3127 0.3290", b"COLORCORR=1 1 0.5"
    path.write_bytes(b"\n".join((start, *lines)) + b"\n\n" + end)
    red, green, blue = load_light(str(path)).harmonics[0]  # (0.5, 0.25, 0.25) in BT.2020
    np.testing.assert_allclose((red / green, blue / green), (0.665 / 0.219, 0.245 / 0.219), rtol=0.03)


def test_a_map_of_which_an_exr_stores_a_part_is_the_whole(tmp_path: Path) -> None:
    """A render region: the data window is where the pixels are in the map."""
    radiance = np.zeros((32, 64, 3), np.float32)
    radiance[4:12, 40:60] = (3, 2, 1)
    write_photo(Photo(radiance, metadata=Metadata(icc=LINEAR)), tmp_path / "whole.exr")
    part = Shape(data_window=(38, 2, 61, 15), display_window=(0, 0, 63, 31))
    write_photo(Photo(radiance[2:16, 38:62], metadata=Metadata(icc=LINEAR, shape=part)), tmp_path / "part.exr")
    notes: list[str] = []
    found, whole = load_light(str(tmp_path / "part.exr"), notes.append), load_light(str(tmp_path / "whole.exr"))
    np.testing.assert_allclose(found.coefficients, whole.coefficients, rtol=1e-5)
    assert len(notes) == 1
    assert "outside its data window" in notes[0]
    assert names_light(str(tmp_path / "part.exr"))  # and is no photo
    more = Shape(data_window=(-3, -2, 66, 33), display_window=(0, 0, 63, 31))
    beyond = np.pad(radiance, ((2, 2), (3, 3), (0, 0)), constant_values=9)
    write_photo(Photo(beyond, metadata=Metadata(icc=LINEAR, shape=more)), tmp_path / "more.exr")
    found = load_light(str(tmp_path / "more.exr"), notes.append)
    np.testing.assert_allclose(found.coefficients, whole.coefficients, rtol=1e-5)
    assert len(notes) == 1  # nothing is missing


def test_pictures_that_are_no_maps(tmp_path: Path) -> None:
    write_photo(Photo(noise((10, 15, 3))), tmp_path / "photo.png")
    with pytest.raises(PhotoUnreadableError, match=r"photo.png: .*twice as wide"):
        load_light(str(tmp_path / "photo.png"))
    (tmp_path / "cut.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 16\n\x02\x02")
    with pytest.raises(PhotoUnreadableError, match=r"cut.hdr"):
        load_light(str(tmp_path / "cut.hdr"))
