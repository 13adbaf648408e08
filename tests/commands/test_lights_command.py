"""relight-cli lights: list, show, save, preview."""

import io
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.jobs.light_files import load_light, preset_names
from relight_cli.relighting.lights.words import angles_of


def test_list_has_a_line_for_each_preset(command: Command) -> None:
    done = command("lights", "list")
    lines = done.out.decode().splitlines()
    assert [line.split()[0] for line in lines] == preset_names()
    assert len(lines) >= 12
    assert all(len(line.split("  ", 1)[1].strip()) > 10 for line in lines)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["golden-hour"], ["front-left (azimuth -60, elevation 6)", "hard shadows", "+0.00 stops"]),
        (["overcast", "--exposure", -1.5], ["none: ambient light only", "-1.50 stops"]),
        (
            ["--sun", "left,35", "--kelvin", 3200, "--soft", 12],
            ["left (azimuth -90, elevation 35)", "3200 K", "soft shadows"],
        ),
        (["--sun", "-60,20"], ["front-left (azimuth -60, elevation 20)"]),
        (["golden-hour", "--rotate", 150], ["right (azimuth 90, elevation 6)", "turned by 150 degrees"]),
        (["noon:0.5,candle:0.5"], ["0.5 x (high summer sun", "(azimuth 25, elevation -8)"]),
        (
            ["--sun-at", "2026-06-21T19:30", "--place", "48.14,11.58", "--facing", "SW"],
            ["2026-06-21T19:30+02:00", "facing 225", "elevation 15.0", "(azimuth 116, elevation 15)"],
        ),
        (
            ["--sun-at", "2026-12-21T23:00+01:00", "--place", "48.14,11.58", "--facing", "N"],
            ["none: ambient light only"],
        ),
    ],
)
def test_show_prints_the_facts(words: list, facts: list[str], command: Command) -> None:
    done = command("lights", "show", *words)
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    assert all(fact in text for fact in facts), text
    assert all(re.match(r"(origin|exposure|sun|ambient|from) {2,}\S", line) for line in text.splitlines())


def test_a_saved_light_is_used_again(command: Command) -> None:
    assert command("lights", "save", "--sun", "right,20", "--kelvin", 2700, "-o", "look.toml").code == 0
    assert angles_of(load_light("look.toml").suns[0].direction) == pytest.approx((90, 20))
    again = command("lights", "save", "look.toml:0.5,noon:0.5", "-o", "-")
    assert again.out.decode().count("[[sun]]") == 2
    refused = command("lights", "save", "noon", "-o", "look.toml")
    assert (refused.code, len(refused.lines)) == (5, 1)
    assert command("lights", "save", "noon", "-o", "look.toml", "--overwrite").code == 0
    assert load_light("look.toml") == load_light("noon")


def test_preview_draws_a_picture(command: Command) -> None:
    assert command("lights", "preview", "golden-hour", "-o", "x.png").code == 0
    assert command("lights", "preview", "golden-hour", "--rotate", 120, "-o", "y.jpg").code == 0
    left, right = (np.asarray(Image.open(name), float) for name in ("x.png", "y.jpg"))
    height, width, _ = left.shape
    ball = slice(height // 2 - 20, height // 2), slice(width // 2 - 30, width // 2 + 30)
    assert left[ball][:, :20].mean() > 1.2 * left[ball][:, -20:].mean()
    assert right[ball][:, -20:].mean() > 1.2 * right[ball][:, :20].mean()
    streamed = command("lights", "preview", "golden-hour", "-o", "-")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(streamed.out))), left)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["show noon", "save noon -o -"])
def test_a_full_disk_behind_stdout_is_one_line(words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        program = [sys.executable, "-m", "relight_cli", "lights", *words.split()]
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)


def test_the_light_of_a_map_turns(command: Command) -> None:
    sky = np.full((32, 64, 3), 0.1, np.float32)
    sky[10, 48] = 300  # right of the centre
    cv2.imwrite("sky.hdr", sky)
    assert "right (azimuth 90" in command("lights", "show", "sky.hdr").out.decode().replace("azimuth 87", "azimuth 90")
    assert "back (azimuth 17" in command("lights", "show", "sky.hdr", "--rotate", 90).out.decode()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("show", 2, "no light is named"),
        ("show golden-huor", 2, "did you mean golden-hour?"),
        ("show none.toml", 4, "none.toml: no such file"),
        ("show none.hdr", 4, "none.hdr: no such file"),
        ("show noon --sun left", 2, "noon and --sun name different lights"),
        ("show --sun left --place 1,2", 2, "--sun and --place name different lights"),
        ("show --sun sideways", 2, "--sun sideways: not a direction"),
        ("show --sun left --kelvin 10", 2, "10 K is out of range"),
        ("show --soft 5", 2, "--soft needs a sun"),
        ("show --ambient 0", 2, "--ambient needs a sun"),
        ("show --kelvin 4000 --ambient-kelvin 5000", 2, "give only one"),
        ("show --sun left --exposure nan", 2, "--exposure nan is out of range"),
        ("show --sun-at 2026-06-21T19:30", 2, "--sun-at needs --place"),
        ("show --sun-at 2026-06-21T19:30 --place 48,11", 2, "--sun-at needs --facing"),
        ("show --sun-at 2026-06-21 --place 48,11 --facing N", 2, "not a date and a time"),
        ("show --sun-at 0001-01-01T00:30 --place 48,11 --facing N", 2, "years 1800 to 2200"),
        ("show --sun-at 9999-12-31T23:30-05:00 --place 48,11 --facing N", 2, "years 1800 to 2200"),
        ("show noon --rotate 400", 2, "--rotate 400 is out of range"),
        ("show --place 48,11", 2, "--place needs --sun-at"),
        ("show --sun-at 2026-06-21T19:30 --place Munich --facing N", 2, "--place Munich: not a place"),
        ("show --sun-at 2026-06-21T19:30 --place 148,11 --facing N", 2, "not on the earth"),
        ("save noon -o look.txt", 2, "end the name in .toml"),
        ("preview noon -o x.txt", 2, "not a known picture format"),
        ("preview noon:0 -o x.png", 2, "all weights are 0"),
        ("preview noon:1e7 -o x.png", 2, "give 0, or 0.000001 to 1000000"),
        ("preview noon:1e-30 -o x.png", 2, "the weight 1e-30 is out of range"),
        ("preview noon:-1 -o x.png", 2, "the weight -1 is out of range"),
    ],
)
def test_errors_are_one_line(words: str, code: int, line: str, command: Command) -> None:
    done = command("lights", *words.split())
    assert (done.code, done.out, len(done.lines)) == (code, b"", 1), done.err
    assert line in done.err
    assert not list(Path().glob("*"))
