"""relight with lights that are no photo, through the real command line with the embedded model and a depth map."""

import itertools
import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from PIL import ExifTags, Image

from relight_cli.jobs.light_options import LightOptions
from relight_cli.jobs.light_source import LightSource
from relight_cli.photos.capture_place import read_facts
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.header import recorded_parameters
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.lights.light import Light
from relight_cli.timelapse.sun_times import sun_times

reference_module = import_module("relight_cli.relighting.reference")

SIDE = 96
GIVEN = ("--model", "tiny", "--depth", "depth.npz")
PLACE = ("--place", "48.14,11.58", "--facing", "S")


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A grey ball in front of a wall, in even light: photo.png and depth.npz."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j] * 1.4
    inside = x**2 + y**2 < 1
    depth = np.where(inside, 4 - np.sqrt(np.clip(1 - x**2 - y**2, 0, None)), 6.0)
    np.savez(tmp_path / "depth.npz", depth=depth.astype(np.float32))
    grain = np.random.default_rng(3).normal(0, 3, (SIDE, SIDE, 1))
    grey = np.where(inside, 120, 100)[..., None] + grain
    write_photo(Photo(np.repeat(grey, 3, axis=2).round().astype(np.uint8)), tmp_path / "photo.png")
    return tmp_path


def linear(path: Path) -> np.ndarray:
    srgb = read_photo(path).to_srgb()
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def sides(path: Path) -> tuple[float, float]:
    """The mean light of the ball's left and right flank."""
    rows = linear(path)[36:60]
    return float(rows[:, 18:32].mean()), float(rows[:, 64:78].mean())


def stops(path: Path) -> float:
    return float(np.log2(linear(path).clip(1e-4)).mean())


def test_light_from_the_left_and_from_the_right(command: Command, ball: Path) -> None:
    for where in ("left", "right"):
        done = command("relight", "photo.png", *GIVEN, "--sun", f"{where},20", "-o", f"{where}.png")
        assert (done.code, done.out, done.err) == (0, b"", "")
    left, right = sides(ball / "left.png"), sides(ball / "right.png")
    assert left[0] > 1.6 * left[1]
    assert right[1] > 1.6 * right[0]


def test_golden_hour_is_warm_and_an_overcast_sky_neutral(command: Command, ball: Path) -> None:
    command("relight", "photo.png", *GIVEN, "--light", "golden-hour", "-o", "gold.png")
    command("relight", "photo.png", *GIVEN, "--sun", "top", "-o", "neutral.png")
    gold, neutral = (linear(ball / f"{name}.png").mean(axis=(0, 1)) for name in ("gold", "neutral"))
    assert gold[0] > 1.2 * gold[2]
    assert sides(ball / "gold.png")[0] > sides(ball / "gold.png")[1]
    assert np.ptp(neutral) < 0.06 * neutral.mean()


def test_the_brightness_stays_unless_it_is_to_change(command: Command, ball: Path) -> None:
    for name, more in {
        "kept": (),
        "up": ("--exposure", "0.5"),
        "down": ("--no-keep-exposure", "--exposure", "-2"),
    }.items():
        assert command("relight", "photo.png", *GIVEN, "--sun", "left", *more, "-o", f"{name}.png").code == 0
    own, kept, up, down = (stops(ball / f"{name}.png") for name in ("photo", "kept", "up", "down"))
    assert abs(kept - own) < 0.35
    assert up - kept == pytest.approx(0.5, abs=0.15)
    assert down < own - 1


def test_nothing_burns(command: Command, ball: Path) -> None:
    pixels = np.full((SIDE, SIDE, 3), 235, np.uint8)
    write_photo(Photo(pixels), ball / "white.png")
    assert command("relight", "white.png", *GIVEN, "--sun", "left", "--exposure", "2").code == 0
    assert read_photo(ball / "white_relit.png").pixels.max() < 255


def test_no_strength_and_a_black_mask_leave_every_bit(command: Command, ball: Path) -> None:
    mask = np.zeros((SIDE, SIDE, 1), np.uint8)
    mask[:, SIDE // 2 :] = 255
    write_photo(Photo(mask), ball / "mask.png")
    command("relight", "photo.png", *GIVEN, "--light", "noon", "--strength", "0", "-o", "none.png")
    command("relight", "photo.png", *GIVEN, "--light", "candle", "--mask", "mask.png", "-o", "right.png")
    command(
        "relight", "photo.png", *GIVEN, "--light", "candle", "--mask", "mask.png", "--invert-mask", "-o", "left.png"
    )
    own, none, right, left = (read_photo(ball / f"{n}.png").pixels for n in ("photo", "none", "right", "left"))
    half = SIDE // 2
    assert (none == own).all()
    assert (right[:, :half] == own[:, :half]).all()
    assert (left[:, half:] == own[:, half:]).all()
    assert (right[:, half:] != own[:, half:]).any()


def test_a_mask_with_a_reference(command: Command, scene: Path) -> None:
    mask = np.zeros((120, 160, 1), np.uint8)
    mask[:60] = 255
    write_photo(Photo(mask), scene / "mask.png")
    done = command("relight", "photo.png", "--model", "tiny", "--light", "reference.png", "--mask", "mask.png")
    assert done.code == 0, done.err
    own, relit = (read_photo(scene / name).pixels for name in ("photo.png", "photo_relit.png"))
    assert (relit[60:] == own[60:]).all()
    assert (relit[:60] != own[:60]).any()


def test_a_saved_light_is_the_same_light(command: Command, ball: Path) -> None:
    done = command("relight", "photo.png", *GIVEN, "--sun", "left", "--kelvin", "3200", "--save-light", "look.toml")
    assert done.code == 0, done.err
    assert command("relight", "photo.png", *GIVEN, "--light", "look.toml", "-o", "again.png").code == 0
    first, again = (read_photo(ball / name).pixels.astype(int) for name in ("photo_relit.png", "again.png"))
    assert np.abs(first - again).max() <= 1
    refused = command("relight", "photo.png", *GIVEN, "--sun", "left", "-o", "b.png", "--save-light", "look.toml")
    assert refused.code == 5
    assert not (ball / "b.png").exists()


def test_the_light_of_a_photo_on_stdin_is_saved_if_the_photo_does_not_say_it(command: Command, ball: Path) -> None:
    save = ("relight", "-", *GIVEN, *PLACE, "-o", "out.png", "--save-light", "look.toml", "--sun-at")
    photo = (ball / "photo.png").read_bytes()
    done = command(*save, "12:00", "--date", "2026-06-21", stdin=photo)  # in a zone that EXIF data might say
    assert (done.code, done.lines[0][-25:]) == (2, "and --sun-at with a date.")
    assert command(*save, "2026-06-21T12:00", stdin=photo).code == 0
    assert "2026-06-21T12:00+02:00" in (ball / "look.toml").read_text()


def test_the_shading_is_the_light_alone(command: Command, ball: Path) -> None:
    assert command("relight", "photo.png", *GIVEN, "--sun", "left,10", "--save-shading").code == 0
    shading = read_photo(ball / "photo_relit_shading.png").pixels
    assert shading.dtype == np.uint16
    flank, other = shading[36:60, 18:32].mean(), shading[36:60, 64:78].mean()
    assert flank > 1.6 * other


def test_outputs_know_their_light(command: Command, ball: Path) -> None:
    first = command("relight", "photo.png", *GIVEN, "--light", "noon", "--report", "r.jsonl")
    assert first.code == 0
    made = (ball / "photo_relit.png").read_bytes()
    again = ("relight", "photo.png", *GIVEN, "--skip-existing", "--light")
    assert command(*again, "noon").code == 0
    assert (ball / "photo_relit.png").read_bytes() == made
    assert command(*again, "candle").code == 0
    assert (ball / "photo_relit.png").read_bytes() != made
    assert "noon" in json.loads((ball / "r.jsonl").read_text())["options"]["light_name"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no light is named"),
        (("--light", "goldn-hour"), "did you mean golden-hour"),
        (("--light", "day.mp4"), "day.mp4 is a video, which is no light: give a preset, a file (.toml, .hdr"),
        (("--light", "golden-hour:0.5,day.mov:0.5"), "day.mov is a video"),
        (("--light", "golden-hour,my day.mov"), "relight-cli: my day.mov is a video"),
        (("--light", "golden-hour,my day.mov"), "interpolate-timelapse 'my day.mov' --between"),
        (("--light", "golden-hour", "--sun", "left"), "give only one"),
        (("--light", "photo.png", "--sun", "left"), "give only one"),
        (("--light", "photo.png", "--reference", "aligned"), "--depth is for the light of another scene"),
        (("--light", "photo.png", "--no-detail"), "--depth is for the light of another scene"),
        (("--light", "photo.png", "--save-shading"), "--reference scene"),
        (("--light", "photo.png", "--frames", "4"), "--frames is for a light that is no photo"),
        (("--sun", "up there"), "not a direction"),
        (("--sun-at", "12:00", *PLACE), "--date"),
        (("--sun-at", "2026-06-21T12:00"), "--place"),
        (("--sun-at", "2026-06-21T12:00", "--place", "48.14,11.58"), "--facing"),
        (("--facing", "S", "--place", "48.14,11.58"), "--sun-at"),
        (("--sun-at", "06:00..21:00", *PLACE), "--date"),
        (("--light", "noon", "--frames", "4"), "--sun-at 06:00..21:00"),
        (("--sun-at", "06:00..21:00", "--date", "2026-06-21", *PLACE, "--budget", "5"), "--max-side"),
        (("--light", "noon", "--no-detail"), "--no-detail"),
        (("--light", "noon", "--save-light", "look.png"), ".toml"),
        (("--light", "noon", "--date", "2026-06-21"), "--sun-at"),
        (("--light", "noon", "--save-light", "a.toml", "--report", "./a.toml"), "--save-light"),
        (("--light", "noon", "--invert-mask"), "--mask"),
        (("--sun-at", "12:00", "--date", "tomorrow", *PLACE), "YYYY-MM-DD"),
        (("--sun-at", "2026-06-21T06:00", "--date", "2026-01-21", *PLACE), "--date 2026-01-21 and --sun-at 2026-06-21"),
        (("--sun-at", "2026-06-21T06:00..21:00", "--date", "2026-01-21", *PLACE), "both name a day"),
        (("--sun-at", "0001-01-01T00:00..06:00", *PLACE), "years 1800 to 2200"),
        (("--sun-at", "20:00..04:00", "--date", "9999-12-31", *PLACE), "years 1800 to 2200"),
        (("--sun-at", "24:00", "--date", "9999-12-31", *PLACE), "years 1800 to 2200"),
        (("--light", "photo.png", "--turbidity", "3"), "photo.png and --turbidity name different lights"),
    ],
)
def test_bad_options_are_one_line(command: Command, ball: Path, arguments: tuple[str, ...], said: str) -> None:
    (ball / "day.mp4").write_bytes(b"")
    output = "out" if ".." in str(arguments) else "out.png"
    done = command("relight", "photo.png", *GIVEN, *arguments, "-o", output)
    assert done.code == 2
    assert len(done.lines) == 1
    assert said in done.err
    assert not (ball / output).exists()


def test_a_depth_map_of_another_shape_is_refused(command: Command, ball: Path) -> None:
    np.savez(ball / "depth.npz", depth=np.ones((20, 60), np.float32))
    done = command("relight", "photo.png", *GIVEN, "--light", "noon")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "depth.npz" in done.err


def tagged(
    path: Path,
    *,
    facing: bool = True,
    north: str = "T",
    taken: str = "2026:06:21 08:00:00",
    offset: str | None = "+02:00",
    place: tuple[float, float, float] | None = None,
) -> None:
    exif, gps = Image.Exif(), {}
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", place or (48.0, 8.0, 24.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", place or (11.0, 34.0, 48.0)
    if facing:
        gps[ExifTags.GPS.GPSImgDirectionRef], gps[ExifTags.GPS.GPSImgDirection] = north, 180.0
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = taken
    if offset:
        details[ExifTags.Base.OffsetTimeOriginal] = offset
    with Image.open(path) as image:
        image.save(path.with_suffix(".jpg"), exif=exif, quality=95)


def test_place_time_and_direction_come_from_the_photo(command: Command, ball: Path) -> None:
    tagged(ball / "photo.png")
    day = ("--date", "2026-06-21", *PLACE)
    assert command("relight", "photo.png", *GIVEN, "--sun-at", "19:00+02:00", *day, "-o", "given.png").code == 0
    done = command("relight", "photo.jpg", *GIVEN, "--sun-at", "19:00", "-o", "stated.png")
    assert done.code == 0, done.err
    given, stated = sides(ball / "given.png"), sides(ball / "stated.png")
    assert given[0] / given[1] == pytest.approx(stated[0] / stated[1], rel=0.05)
    assert stated[1] > stated[0]  # the camera looks south, and the evening sun is on its right
    tagged(ball / "photo.png", facing=False)
    done = command("relight", "photo.jpg", *GIVEN, "--sun-at", "19:00", "-o", "no.png")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "photo.jpg" in done.err
    assert "--facing" in done.err


def test_a_camera_without_a_fix_or_a_clock_states_neither_place_nor_time(command: Command, ball: Path) -> None:
    """Position 0, 0 is what cameras write that do not know theirs."""
    tagged(ball / "photo.png", place=(0.0, 0.0, 0.0))
    done = command("relight", "photo.jpg", *GIVEN, "--sun-at", "19:00", "--facing", "S", "-o", "no.png")
    assert (done.code, done.lines) == (
        2,
        ["relight-cli: photo.jpg does not say where it was taken: give --place LATITUDE,LONGITUDE."],
    )
    tagged(ball / "photo.png", taken="1700:01:01 08:00:00")
    for given, remedy in ((("--sun-at", "19:00"), "--date"), (("--place", "48,11"), "--sun-at")):
        done = command("relight", "photo.jpg", *GIVEN, *given, "-o", "no.png")
        assert (done.code, len(done.lines)) == (2, 1)
        assert "photo.jpg says that it was taken in 1700" in done.err
        assert f"give {remedy}" in done.err


@pytest.mark.parametrize(
    ("north", "given", "notes"),
    [
        ("M", ("19:00",), 1),
        ("M", ("18:00..19:00", "--frames", 2), 1),
        ("T", ("19:00",), 0),
        ("M", ("19:00", "--facing", "S"), 0),
    ],
)
def test_a_direction_from_magnetic_north_is_noted(
    north: str, given: tuple[object, ...], notes: int, command: Command, ball: Path
) -> None:
    tagged(ball / "photo.png", north=north)
    done = command("relight", "photo.jpg", *GIVEN, "--sun-at", *given, "-o", "out/")
    assert done.code == 0, done.err
    found = [line for line in done.lines if "magnetic north" in line]
    assert len(found) == notes
    assert all(line.startswith("photo.jpg: ") and "--facing" in line for line in found)


def test_a_direction_of_a_photo_on_stdin_is_noted_too(command: Command, ball: Path) -> None:
    tagged(ball / "photo.png", north="M")
    done = command(
        "relight", "-", *GIVEN, "--sun-at", "19:00", "-o", "out.png", stdin=(ball / "photo.jpg").read_bytes()
    )
    assert done.code == 0, done.err
    assert [line for line in done.lines if "magnetic north" in line]


@pytest.mark.parametrize(
    ("photos", "given", "notes"),
    [
        (("photo.jpg", "photo.png"), ("02:30", "--date", "2026-10-25"), ["2026-10-25T02:30: "]),
        (("photo.png",), ("02:30..06:00", "--date", "2026-03-29", "--frames", 2), ["2026-03-29T02:30: "]),
        (("photo.jpg",), ("02:30", "--dry-run"), ["photo.jpg: 2026-10-25T02:30: "]),
    ],
)
def test_a_time_that_the_clocks_skip_or_show_twice_is_noted_once(
    photos: tuple[str, ...], given: tuple[object, ...], notes: list[str], command: Command, ball: Path
) -> None:
    tagged(ball / "photo.png", taken="2026:10:25 08:00:00", offset=None)
    done = command("relight", *photos, *GIVEN, *PLACE, "--sun-at", *given, "-o", "out/")
    found = [line for line in done.lines if "the clocks of" in line]
    assert (done.code, len(found)) == (0, len(notes)), done.err
    assert all(line.startswith(note) for line, note in zip(found, notes, strict=True))


@pytest.mark.parametrize(
    ("words", "expected", "local"),
    [
        ({"facing": "S"}, "2026-06-21T08:00+02:00", None),
        ({"sun_at": "12:00"}, "2026-06-21T12:00+02:00", None),
        ({"sun_at": "12:00", "place": "-33.87,151.2"}, "2026-06-21T12:00+02:00", "+10:00"),
        ({"sun_at": "12:00", "date": "2026-12-21"}, "2026-12-21T12:00+02:00", "+01:00"),
        ({"sun_at": "12:00-07:00"}, "2026-06-21T12:00-07:00", None),
    ],
)
def test_a_time_by_the_offset_of_the_photo_is_noted_where_the_place_has_another(
    words: dict[str, str], expected: str, local: str | None, ball: Path
) -> None:
    tagged(ball / "photo.png")
    day, notes = words.pop("date", None), list[str]()
    source = LightSource(None, LightOptions(**words), day)
    light = source.light("photo.jpg", read_facts(ball / "photo.jpg"), notes.append)
    assert light.origin.startswith(f"{expected} at ")
    assert [note.rpartition(" ")[2] for note in notes] == ([local] if local else [])


MOVING = ("relight", "photo.png", *GIVEN, "--sun-at", "07:00..19:00", "--date", "2026-06-21", *PLACE)


def test_the_sun_moves_over_one_photo(command: Command, ball: Path) -> None:
    moving = (*MOVING, "--frames", "3")
    done = command(*moving, "-o", "day/")
    assert done.code == 0, done.err
    frames = sorted((ball / "day").glob("frame_*.png"))
    assert len(frames) == 3
    morning, evening = sides(frames[0]), sides(frames[-1])
    assert morning[0] > morning[1]
    assert evening[1] > evening[0]
    made = [frame.read_bytes() for frame in frames]
    assert command(*moving, "-o", "day/").code == 5
    assert command(*moving, "-o", "day/", "--skip-existing").code == 0
    assert [frame.read_bytes() for frame in frames] == made
    assert command(*moving, "-o", "day/", "--skip-existing", "--turbidity", "6").code == 0
    assert [frame.read_bytes() for frame in frames] != made
    done = command(*MOVING, "--frames", "2", "-o", "day/", "--overwrite")
    assert (done.code, done.lines) == (0, ["day also contains frames of another run, from frame_0003.png on."])


def test_the_sun_moves_in_a_video(command: Command, ball: Path) -> None:
    pytest.importorskip("av")
    moving = (*MOVING, "--frames", "4")
    assert command(*moving, "-o", "day.mp4").code == 0
    made = (ball / "day.mp4").read_bytes()
    assert command(*moving, "-o", "day.mp4").code == 5
    assert command(*moving, "-o", "day.mp4", "--skip-existing").code == 0
    assert (ball / "day.mp4").read_bytes() == made


@pytest.mark.parametrize(
    ("times", "last"),
    [
        (("22:00..24:00", "--date", "2026-06-21"), "2026-06-22T00:00+02:00"),
        (("22:00..04:00", "--date", "2026-06-21"), "2026-06-22T04:00+02:00"),
        (("2026-06-21T20:00..21:00",), "2026-06-21T21:00+02:00"),
        (("2026-06-21T22:00..04:00",), "2026-06-22T04:00+02:00"),
        (("2026-06-21T22:00..2026-06-23T04:00",), "2026-06-23T04:00+02:00"),
        (("2026-03-29T01:00..04:00",), "2026-03-29T04:00+02:00"),
    ],
)
def test_ranges_of_times(command: Command, ball: Path, times: tuple[str, ...], last: str) -> None:
    done = command("relight", "photo.png", *GIVEN, "--sun-at", *times, *PLACE, "--frames", "2", "-o", "out/")
    assert done.code == 0, done.err
    assert last in recorded_parameters(ball / "out" / "frame_0002.png")


@pytest.mark.parametrize(
    ("times", "date", "expected"),
    [
        ("01:00..04:00", "2026-03-29", ["01:00+01:00", "03:00+02:00", "04:00+02:00"]),
        ("01:00..04:00", "2026-10-25", ["01:00+02:00", "02:00+02:00", "02:00+01:00", "03:00+01:00", "04:00+01:00"]),
        ("02:45..01:30", "2026-10-24", ["02:45+02:00", "01:30+02:00"]),
    ],
)
def test_steps_are_even_where_the_clocks_are_changed(
    tmp_path: Path, times: str, date: str, expected: list[str]
) -> None:
    write_photo(Photo(np.zeros((4, 4, 3), np.uint8)), tmp_path / "a.png")
    options = LightOptions(sun_at=times, place="78.22,15.65", facing="NE")
    found = sun_times(LightSource(None, options, date), options, tmp_path / "a.png", len(expected))
    assert [time.isoformat(timespec="minutes")[11:] for time in found] == expected
    steps = {later.timestamp() - earlier.timestamp() for earlier, later in itertools.pairwise(found)}
    assert len(steps) == 1


def test_infinite_samples_stay(command: Command, ball: Path) -> None:
    pytest.importorskip("OpenEXR")
    pixels = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    pixels[3, 3], pixels[5, 5] = np.inf, 7.5
    write_photo(Photo(pixels, metadata=Metadata(icc=LINEAR)), ball / "bright.exr")
    assert command("relight", "bright.exr", *GIVEN, "--light", "candle").code == 0
    made = read_photo(ball / "bright_relit.exr").to_array()
    assert np.isinf(made[3, 3]).all()
    assert np.isfinite(np.delete(made.reshape(-1, 3), 3 * SIDE + 3, axis=0)).all()


@pytest.mark.parametrize(("light", "fits"), [("look.toml", 0), ("reference.png", 1)])
def test_many_photos_by_one_light_compute_no_reference_and_by_a_photo_one(
    command: Command, scene: Path, monkeypatch: pytest.MonkeyPatch, light: str, fits: int
) -> None:
    fitted: list[str] = []
    fit = reference_module.light_of_scene

    def counted(*given: Any) -> Light:
        fitted.append(light)
        return fit(*given)

    monkeypatch.setattr(reference_module, "light_of_scene", counted)
    many = [f"many{number}.png" for number in range(3)]
    for name in many:
        shutil.copy(scene / "photo.png", scene / name)
    done = command("lights", "save", "noon", "-o", "look.toml")
    assert done.code == 0, done.err
    kind = ("--reference", "scene") if fits else ()
    done = command("relight", *many, "--light", light, *kind, "--model", "tiny", "-o", "{stem}_out.png")
    assert done.code == 0, done.err
    assert len(list(scene.glob("many*_out.png"))) == len(many)
    assert len(fitted) == fits
