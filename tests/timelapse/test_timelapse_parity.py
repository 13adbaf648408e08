"""Compare with the published interpolation on stand-in weights (reference/); tolerances as in test_parity."""

from pathlib import Path

import pytest
from command_line import Run
from published_pictures import check_picture
from standin import REFERENCE


@pytest.mark.parametrize(("size", "expected", "step"), [("448x448", "", 1), ("900x600", "_every_4th", 4)])
def test_the_frame_between_is_the_published_one(
    run: Run, standin: Path, tmp_path: Path, size: str, expected: str, step: int
) -> None:
    frames = [REFERENCE / f"{name}_{size}.png" for name in "ab"]
    published = ["--content", "first", "--between", "1", "--no-detail", "--dtype", "float32"]
    done = run(
        "interpolate-timelapse",
        *frames,
        *published,
        "--model",
        "crocodilight",
        "--weights-dir",
        standin,
        "-o",
        "o",
        "-q",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for number, original in ((1, frames[0]), (3, frames[1])):
        assert (tmp_path / "o" / f"frame_000{number}.png").read_bytes() == original.read_bytes()
    check_picture(tmp_path / "o" / "frame_0002.png", REFERENCE / f"interpolate_1_{size}{expected}.png", step)
