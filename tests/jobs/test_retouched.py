"""--skip-existing never replaces an output that was changed by another hand; --overwrite does."""

import json
from pathlib import Path

import exiv2
import pytest
from command_line import Command
from photo_fixtures import noise
from retouching import paint

from relight_cli.photos.header import made_by_relight_cli, recorded_parameters
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

SAME = ("--model", "tiny", "--strength", "0")


def put(*names: str) -> None:
    for seed, name in enumerate(names):
        write_photo(Photo(noise((20, 30, 3), seed=seed)), Path(name))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_a_painted_output_stays(command: Command, suffix: str) -> None:
    put(f"a{suffix}", f"b{suffix}")
    asked = ("albedo", f"a{suffix}", f"b{suffix}", *SAME, "--skip-existing")
    assert command(*asked).code == 0
    mine, other = Path(f"a_albedo{suffix}"), Path(f"b_albedo{suffix}")
    recorded = recorded_parameters(mine)
    painted, before = paint(mine), other.read_bytes()
    assert (made_by_relight_cli(mine), recorded_parameters(mine)) == (True, recorded)
    assert command(*asked, "-q").err == ""  # as before: nothing would be replaced
    done = command(*asked, "--quality", "71", "--report", "r.jsonl")
    assert done.code == 0
    assert done.lines[0] == (
        f"{mine}: left as it is, because it is not as relight-cli wrote it; --overwrite replaces it."
    )
    assert mine.read_bytes() == painted
    assert other.read_bytes() != before
    assert [json.loads(line)["status"] for line in Path("r.jsonl").read_text().splitlines()] == ["skipped", "done"]
    assert command(*asked[:-1], "--quality", "71", "--overwrite").code == 0
    assert mine.read_bytes() != painted


def test_a_rated_output_is_made_again(command: Command) -> None:
    put("a.jpg")
    asked = ("albedo", "a.jpg", *SAME, "--skip-existing")
    assert command(*asked).code == 0
    image = exiv2.ImageFactory.open("a_albedo.jpg")
    image.readMetadata()
    image.xmpData()["Xmp.xmp.Rating"] = "5"
    image.writeMetadata()
    rated = Path("a_albedo.jpg").read_bytes()
    assert command(*asked, "--quality", "71").err == ""
    assert Path("a_albedo.jpg").read_bytes() != rated


def test_an_output_without_a_record_stays(command: Command) -> None:
    put("a.jpg")
    assert command("albedo", "a.jpg", *SAME, "--strip").code == 0
    stripped = Path("a_albedo.jpg").read_bytes()
    done = command("albedo", "a.jpg", *SAME, "--skip-existing")
    assert "does not record how it was made" in done.err
    assert Path("a_albedo.jpg").read_bytes() == stripped


def test_a_painted_layer_stays_with_its_photo(command: Command) -> None:
    put("a.png")
    asked = ("deshadow", "a.png", *SAME, "--save-mask", "--skip-existing")
    assert command(*asked).code == 0
    mask, before = Path("a_deshadowed_mask.png"), Path("a_deshadowed.png").read_bytes()
    painted = paint(mask)
    done = command(*asked, "--effort", "fast")
    assert (done.code, len(done.lines)) == (0, 1)
    assert f"because {mask} is not as relight-cli wrote it; --overwrite replaces both" in done.err
    assert (mask.read_bytes(), Path("a_deshadowed.png").read_bytes()) == (painted, before)
    Path("a_deshadowed.png").unlink()  # a mask that is left alone
    assert command(*asked).code == 0
    assert mask.read_bytes() == painted
    assert not Path("a_deshadowed.png").exists()


def test_painted_frames_of_a_moving_sun_stay(command: Command) -> None:
    put("a.png")
    place = ("--date", "2026-06-21", "--place", "48.14,11.58", "--facing", "S")
    asked = ("relight", "a.png", "--model", "tiny", "--sun-at", "07:00..19:00", *place, "--frames", "3", "-o", "day/")
    assert command(*asked).code == 0
    frames = sorted(Path("day").glob("frame_*"))
    painted, last = paint(frames[0]), frames[2].read_bytes()
    frames[1].write_bytes(b"mine")
    done = command(*asked, "--turbidity", "6", "--skip-existing")
    assert done.code == 0
    assert [line.partition(",")[0] for line in done.lines if "left as it is" in line] == [
        f"{frames[1]}: left as it is",
        f"{frames[0]}: left as it is",
    ]
    assert (frames[0].read_bytes(), frames[1].read_bytes()) == (painted, b"mine")
    assert frames[2].read_bytes() != last


def test_an_edited_light_stays(command: Command) -> None:
    put("a.png")
    asked = ("relight", "a.png", "--model", "tiny", "--save-light", "look.toml", "--skip-existing", "--light")
    assert command(*asked, "noon").code == 0
    look = Path("look.toml")
    edited = look.read_text().replace("\n", "\n# mine\n", 1)
    look.write_text(edited)
    done = command(*asked, "candle")
    assert done.code == 0
    assert "look.toml: left as it is" in done.err
    assert look.read_text() == edited
