"""Sequences of photos: frames/%04d.exr, and folders with --sequence."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.sequences import frame_command

COUNT = 7
CALL = ("deshadow", "--model", "tiny", "--keyframes", 2)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder with numbered frames of 16 bits, 1 to 12 with a gap, which a plain sort of names would put wrong."""
    folder = tmp_path / "shot"
    folder.mkdir()
    rng = np.random.default_rng(2)
    scene = cv2.GaussianBlur(rng.uniform(-1, 2, (48, 80, 3)).astype(np.float32), (0, 0), 3).clip(0, 1)
    for place, number in enumerate((1, 2, 3, 4, 9, 10, 12)):
        view = np.ascontiguousarray(scene[:, 2 * place : 2 * place + 64])
        write_photo(Photo((view * 65535).astype(np.uint16)), folder / f"f{number}.png")
    return folder


def test_a_pattern_makes_a_folder_of_frames(command: Command, tmp_path: Path, frames: Path) -> None:
    done = command(*CALL, "shot/f%d.png", "--report", "r.jsonl")
    assert (done.code, done.out) == (0, b"")
    assert "5 numbers have no file" in done.err
    made = tmp_path / "f_deshadowed"
    assert sorted(path.name for path in made.iterdir()) == sorted(path.name for path in frames.iterdir())
    assert read_photo(made / "f12.png").pixels.dtype == np.uint16
    assert "relight-cli" in Image.open(made / "f12.png").info["XML:com.adobe.xmp"]
    report = json.loads((tmp_path / "r.jsonl").read_text())
    assert (report["status"], len(report["more_outputs"])) == ("done", COUNT)
    assert command(*CALL, "shot/f%d.png").code == 5
    before = (made / "f1.png").stat().st_mtime_ns
    assert command(*CALL, "shot/f%d.png", "--skip-existing").code == 0
    assert (made / "f1.png").stat().st_mtime_ns == before
    assert command(*CALL, "shot/f%d.png", "--skip-existing", "--strength", 0.5).code == 0
    assert (made / "f1.png").stat().st_mtime_ns > before


def test_a_killed_sequence_goes_on_and_gives_the_same_frames(
    command: Command, tmp_path: Path, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_command, "PART", 2)
    assert command(*CALL, "shot", "--sequence", "-o", "whole").code == 0
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    write, written, killed_at = frame_command.FrameCommand._write, list[int](), 0

    def killed(self: frame_command.FrameCommand, number: int, *rest: object) -> None:
        written.append(number)
        if len(written) == killed_at:
            raise SystemExit(9)
        write(self, number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(frame_command.FrameCommand, "_write", killed)
    for killed_at, begin in ((2, 0), (6, 4)):
        written.clear()
        name = f"o{killed_at}"
        assert command(*CALL, "shot", "--sequence", "-o", name).code == 9
        assert command(*CALL, "shot", "--sequence", "-o", name).code == 0
        assert {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} == wanted
        assert written == [*range(killed_at), *range(begin, COUNT)]
    assert {path.name for path in tmp_path.iterdir()} >= {"o2", "o6", "whole", "shot"}
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".parts")]


def test_linear_frames_stay_linear(command: Command, tmp_path: Path) -> None:
    for number in (1, 2):
        light = Photo(np.full((40, 50, 3), 0.2 * number, np.float32)).in_linear_light()
        (tmp_path / "e").mkdir(exist_ok=True)
        write_photo(light, tmp_path / "e" / f"{number:04}.exr")
    assert command(*CALL, "e/%04d.exr", "--strength", 0, "-o", "o").code == 0
    for number in (1, 2):
        before, after = (read_photo(tmp_path / name / f"{number:04}.exr").pixels for name in ("e", "o"))
        assert np.array_equal(np.asarray(before[0:40]), np.asarray(after[0:40]))


def test_a_frame_that_cannot_be_read_costs_only_itself(command: Command, tmp_path: Path, frames: Path) -> None:
    (frames / "f3.png").write_bytes((frames / "f3.png").read_bytes()[:300])
    done = command(*CALL, "shot", "--sequence", "-o", "o", "--report", "r.jsonl")
    assert done.code == 23
    assert "f3.png" in done.err
    assert "1 of the frames cannot be read" in done.err
    made = {path.name for path in (tmp_path / "o").iterdir()}
    assert made == {path.name for path in frames.iterdir()} - {"f3.png"}
    assert len(json.loads((tmp_path / "r.jsonl").read_text())["more_outputs"]) == COUNT - 1
    (frames / "f3.png").unlink()
    assert command(*CALL, "shot", "--sequence", "-o", "without").code == 0
    for name in made:
        assert np.array_equal(read_photo(tmp_path / "o" / name).pixels, read_photo(tmp_path / "without" / name).pixels)
    for path in frames.iterdir():
        path.write_bytes(b"no picture")
    done = command(*CALL, "shot", "--sequence", "-o", "none")
    assert (done.code, "none of its frames can be read" in done.err) == (4, True)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".parts")]


UNFIT = [
    (("shot/g%d.png",), 2, "no file has such a name"),
    (("shot", "--sequence", "-o", "shot"), 2, "holds the frames"),
    (("shot", "--sequence", "-o", "o.mp4"), 2, "go to a folder"),
    (("shot", "--sequence", "--codec", "h264"), 2, "--codec is for"),
    (("shot", "--sequence", "-r"), 2, "--recursive is for single photos or videos and not for sequences"),
    (("shot", "--sequence", "-0"), 2, "-0 applies to lists of names"),
    (("outer", "--sequence"), 2, "): name another folder"),
    (("other", "--sequence"), 4, "bring the frames to one size"),
    (("shot", "--keyframes", 3), 2, "--keyframes is for videos and sequences"),
    (("shot", "--sequence", "--mask", "other/0.png"), 2, "give a mask of the photo's size"),
]


@pytest.mark.parametrize(("arguments", "code", "reason"), UNFIT)
def test_what_does_not_fit_gives_one_line(
    command: Command, tmp_path: Path, frames: Path, arguments: tuple[object, ...], code: int, reason: str
) -> None:
    (tmp_path / "other").mkdir()
    for number, size in enumerate(((40, 50), (40, 51))):
        Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(tmp_path / "other" / f"{number}.png")
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    done = command("deshadow", "--model", "tiny", *arguments)
    assert (done.code, len(done.lines)) == (code, 1), done.err
    assert reason in done.err


def test_a_list_of_frames_may_end_names_in_nul(command: Command, tmp_path: Path, frames: Path) -> None:
    (tmp_path / "names").write_bytes(b"shot/f1.png\0shot/f2.png\0")
    done = command(*CALL, "@names", "-0", "--sequence", "-n")
    assert (done.code, b"2 frames" in done.out) == (0, True), done.err


def test_a_dry_run_makes_nothing(command: Command, tmp_path: Path, frames: Path) -> None:
    done = command(*CALL, "shot", "--sequence", "--dry-run")
    assert done.code == 0
    assert b"7 frames" in done.out
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["shot"]
