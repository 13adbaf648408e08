"""--report adds lines to a new file, an empty one or a report, and to nothing else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.jobs.report_file import check_report

ENTRY = json.dumps({"input": "b.png", "output": "b_albedo.png", "status": "done"}) + "\n"
SAME = ("--model", "tiny", "--no-detail", "-o", "out.png")
DAY = ("--sun-at", "06:00..21:00", "--date", "2026-06-21", "--place", "48.14,11.58", "--facing", "SW", "--frames", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the photos a.png and other.png, the mask m.png, and the list of lines.json."""
    grey = np.full((8, 8, 3), 128, np.uint8)
    for name in ("a.png", "other.png", "m.png"):
        Image.fromarray(grey).save(tmp_path / name)
    (tmp_path / "look.toml").write_text("version = 1\n")
    (tmp_path / "lines.json").write_text('{"name": "a"}\n')
    (tmp_path / "cut.json").write_text('{"inp')
    (tmp_path / "table.json").write_text("{\n")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["other.png", "look.toml", "lines.json", "table.json"])
def test_another_file_is_left_alone(command: Command, folder: Path, name: str) -> None:
    before = contents(folder)
    for arguments in (
        ("albedo", "a.png", *SAME),
        ("albedo", "a.png", *SAME, "--dry-run"),
        ("interpolate-timelapse", "a.png", "m.png", "--between", "1", "-o", "day"),
        ("relight", "a.png", "--model", "tiny", *DAY, "-o", "day"),
    ):
        done = command(*arguments, "--report", name)
        assert (done.code, f"--report {name} exists and is not a report" in done.err, len(done.lines)) == (2, True, 1)
    assert contents(folder) == before
    assert not (folder / "day").exists()


def test_frames_of_a_sequence_check_the_report(command: Command, folder: Path) -> None:
    (folder / "in").mkdir()
    shutil.copy(folder / "a.png", folder / "in" / "1.png")
    for report, reason in (
        ("look.toml", "not a report"),
        ("in/1.png", "also an input or an output"),
        ("out/1.png", "also an input or an output"),
    ):
        done = command("albedo", "in", "--sequence", "--model", "tiny", "-o", "out", "--report", report)
        assert (done.code, reason in done.err) == (2, True)
    assert not (folder / "out").exists()


def test_a_report_goes_on(command: Command, folder: Path) -> None:
    (folder / "r.jsonl").write_text(ENTRY)
    assert command("albedo", "a.png", *SAME, "--report", "r.jsonl").code == 0
    first, second = (folder / "r.jsonl").read_text().splitlines(keepends=True)
    assert (first, json.loads(second)["input"]) == (ENTRY, "a.png")


@pytest.mark.parametrize("content", ["", ENTRY + ENTRY[:20], ENTRY[:30], ENTRY[:4], ENTRY[:40] + ENTRY])
def test_a_report_that_was_cut_off_is_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.jsonl").write_text(content)
    check_report(tmp_path / "r.jsonl", ())


@pytest.mark.parametrize(
    ("more", "report"),
    [
        (("-o", "day"), "a.png"),
        (("-o", "day", "--mask", "m.png"), "./m.png"),
        (("-o", "day.mp4"), "day.mp4"),
        (("-o", "day"), "day/frame_0001.png"),
        (("-o", "day"), "day"),
    ],
)
def test_the_report_of_a_moving_sun_is_no_other_file(
    command: Command, folder: Path, more: tuple[str, ...], report: str
) -> None:
    before = contents(folder)
    done = command("relight", "a.png", "--model", "tiny", *DAY, *more, "--report", report)
    assert (done.code, done.lines[0].endswith("is also an input or an output: name another file.")) == (2, True)
    assert contents(folder) == before
    assert not (folder / "day").exists()


def test_a_moving_sun_begins_no_report_where_it_may_not_write(command: Command, folder: Path) -> None:
    (folder / "day.mp4").write_bytes(b"film")
    done = command("relight", "a.png", "--model", "tiny", *DAY, "-o", "day.mp4", "--report", "r.jsonl")
    assert (done.code, (folder / "r.jsonl").exists()) == (5, False)
