"""Videos: read and written frame by frame, upright, in the right colours."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relight_cli.errors import MissingExtraError, PhotoUnreadableError
from relight_cli.videos import video as video_module
from relight_cli.videos.codecs import encoding_of_frames
from relight_cli.videos.decoding import VideoReader
from relight_cli.videos.names import WRITABLE_AND_GIF, VideoCodec
from relight_cli.videos.video import frames_of, open_video
from relight_cli.videos.writer import VideoOutput, VideoWriter


def write(path: Path, frames: list[np.ndarray], rate: float = 25) -> None:
    output = VideoOutput(path.suffix, *frames[0].shape[:2], rate, encoding_of_frames(path.suffix))
    writer = VideoWriter(path, output)
    for frame in frames:
        writer.add(frame)
    writer.close()


def chart(number: int = 0) -> np.ndarray:
    """Return smooth colours (64, 96, 3) with a white corner that shows the orientation."""
    y, x = np.mgrid[0:64, 0:96]
    picture = np.stack((40 + 2 * x, 30 + 3 * y, np.full_like(x, 60 + 10 * number)), -1).clip(0, 255).astype(np.uint8)
    picture[:16, :16] = 255
    return picture


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE_AND_GIF if kind != ".m4v"])
def test_colours_and_order_survive(tmp_path: Path, kind: str) -> None:
    frames = [chart(number) for number in range(5)]
    path = tmp_path / f"v{kind}"
    write(path, frames, 12.5)
    video = open_video(path, max_pixels=10**5)
    assert (video.count, video.height, video.width, video.rate, video.damage) == (5, 64, 96, 12.5, None)
    for found, wanted in zip(frames_of(path), frames, strict=True):
        assert np.abs(found.astype(float) - wanted).mean() < 2.5
        assert np.abs((found.astype(float) - wanted).mean((0, 1))).max() < 1  # no conversion truncates


FADING = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from relight_cli.videos.codecs import encoding_of_frames
from relight_cli.videos.writer import VideoOutput, VideoWriter
blots = (Image.fromarray(np.random.default_rng(n).integers(0, 256, (9, 13, 3)).astype(np.uint8)) for n in (1, 2))
one, other = (np.asarray(blot.resize((240, 160), Image.Resampling.BICUBIC)).astype(float) for blot in blots)
path = Path(sys.argv[1])
writer = VideoWriter(path, VideoOutput(path.suffix, 160, 240, 12, encoding_of_frames(path.suffix)))
for share in (*np.linspace(0, 1, 8),) * 3:
    writer.add((one * (1 - share) + other * share).astype(np.uint8))
writer.close()
"""


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE_AND_GIF if kind != ".m4v"])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """The content of uninitialised memory has no effect: glibc fills it with MALLOC_PERTURB_."""
    paths = [tmp_path / f"{filling}{kind}" for filling in (1, 90, 180)]
    for path in paths:
        environment = {**os.environ, "MALLOC_PERTURB_": path.stem}
        subprocess.run([sys.executable, "-c", FADING, str(path)], env=environment, check=True)
    assert len({path.read_bytes() for path in paths}) == 1


def test_a_long_video_is_not_reported_as_damaged(tmp_path: Path) -> None:
    for kind in (".webm", ".mp4"):
        write(tmp_path / f"v{kind}", [chart(n % 10) for n in range(60)], 29.97)
        assert open_video(tmp_path / f"v{kind}", max_pixels=10**5).damage is None


def test_turned_videos_come_out_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The orientation is in the track header's matrix (ISO 14496-12, 8.3.2)."""
    path = tmp_path / "v.mp4"
    write(path, [chart()])
    data = path.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    minus = (-(1 << 16)).to_bytes(4, "big", signed=True)
    nothing, w = bytes(4), (1 << 30).to_bytes(4, "big")
    plain = one + nothing * 3 + one + nothing * 3 + w
    quarter = nothing + one + nothing + minus + nothing * 2 + (64 << 16).to_bytes(4, "big") + nothing + w
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:at] + quarter + data[at + len(plain) :])
    frame = next(frames_of(path))
    assert frame.shape == (96, 64, 3)  # turned clockwise, so the white corner is at the upper right
    assert frame[4, -4].min() > 200
    assert frame[4, 4].min() < 120


def test_a_video_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"nothing" * 50)
    for name in ("bad.mp4", "gone.mp4"):
        with pytest.raises(PhotoUnreadableError, match=name):
            open_video(tmp_path / name, max_pixels=10**6)
    write(tmp_path / "v.mp4", [chart()])
    with pytest.raises(PhotoUnreadableError, match="--max-pixels"):
        open_video(tmp_path / "v.mp4", max_pixels=100)


def test_large_frames_are_refused_before_one_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "v.mp4", [chart()])
    monkeypatch.setattr(VideoReader, "frames", lambda self: pytest.fail("a frame is decoded"))
    with pytest.raises(PhotoUnreadableError, match="96 x 64 pixels are too large; raise --max-pixels"):
        open_video(tmp_path / "v.mp4", max_pixels=100)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system lists no open files")
def test_a_video_that_cannot_be_begun_is_closed(tmp_path: Path) -> None:
    for name in ("source.mp4", "v.mp4"):
        write(tmp_path / name, [chart()])
    encoding = replace(encoding_of_frames(".mp4"), pixel_format="none of these")
    output = VideoOutput(".mp4", 64, 96, 25, encoding, source=tmp_path / "source.mp4")
    with pytest.raises(ValueError, match="none of these") as error:
        VideoWriter(tmp_path / "v.mp4", output)
    links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    assert not [path for path in links if path.parent == tmp_path], error


def test_dark_colours_of_16_bits_are_rounded(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(0, 3000, (64, 96, 3)).astype(np.uint16)
    encoding = encoding_of_frames(".mkv", VideoCodec.FFV1, None, 16)
    writer = VideoWriter(tmp_path / "v.mkv", VideoOutput(".mkv", 64, 96, 25, encoding))
    writer.add(dark)
    writer.close()
    [found] = frames_of(tmp_path / "v.mkv", deep=True)
    assert np.abs((found.astype(float) - dark).mean((0, 1))).max() < 0.25


def test_a_missing_extra_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relight-cli\[video\]'"):
        video_module.require_video()
