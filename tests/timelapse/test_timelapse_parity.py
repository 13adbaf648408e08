"""Compare with the published interpolation on stand-in weights (reference/); tolerances as in test_parity."""

from pathlib import Path

import pytest
from command_line import Command
from published_pictures import check_picture, crop
from standin import REFERENCE


@pytest.mark.parametrize(
    ("size", "expected", "step", "part"),
    [("448x448", "448x448", 1, ()), ("900x600", "900x600_every_4th", 4, (slice(600), slice(358)))],
)
def test_the_frame_between_is_the_published_one(
    command: Command, standin: Path, tmp_path: Path, size: str, expected: str, step: int, part: tuple[slice, ...]
) -> None:
    """Of 900 x 600, the first two tiles of a column."""
    frames = [crop(REFERENCE / f"{name}_{size}.png", 600, 448, tmp_path) for name in "ab"]
    published = ["--content", "first", "--between", "1", "--no-detail", "--dtype", "float32"]
    weights = ["--model", "crocodilight", "--weights-dir", standin]
    done = command("interpolate-timelapse", *frames, *published, *weights, "-o", "o", "-q")
    assert (done.code, done.out, done.err) == (0, b"", "")
    for number, original in ((1, frames[0]), (3, frames[1])):
        assert (tmp_path / "o" / f"frame_000{number}.png").read_bytes() == original.read_bytes()
    check_picture(tmp_path / "o" / "frame_0002.png", REFERENCE / f"interpolate_1_{expected}.png", step, part)
