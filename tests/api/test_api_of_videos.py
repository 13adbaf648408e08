"""Videos and sequences of frames from Python: the same as the commands make."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from ffmpeg import decode, ffmpeg

import relight_cli as rl
from relight_cli.sequences import video
from relight_cli.videos import muxing
from relight_cli.videos.facts import read_facts


@pytest.fixture(scope="module")
def model() -> rl.Model:
    return rl.load_model("tiny")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 8 frames with sound and a title, shown upright by turning it."""
    sources = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25", "-f", "lavfi", "-i", "sine=440")
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-metadata", "title=Garden")
    ffmpeg(*sources, "-frames:v", 8, "-t", 0.32, *codecs, tmp_path / "plain.mp4")
    ffmpeg("-display_rotation:v:0", 90, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


def test_a_video_is_that_of_the_command(command: Command, tmp_path: Path, clip: Path, model: rl.Model) -> None:
    mask = np.zeros((64, 48), np.uint8)
    mask[:32] = 255
    rl.write_photo(rl.Photo.from_array(np.dstack([mask] * 3)), tmp_path / "mask.png")
    call = ("deshadow", clip, "--model", "tiny", "--keyframes", 4, "--mask", "mask.png", "-o", "command.mp4")
    assert command(*call).code == 0
    seen: list[tuple[int, int]] = []
    notes = rl.change_video(
        clip,
        tmp_path / "api.mp4",
        lambda view: rl.deshadow(model, view).photo,
        rl.VideoOptions(keyframes=4),
        mask=rl.read_photo(tmp_path / "mask.png"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (notes, seen[-1]) == ((), (8, 8))
    by_command, by_api = (decode(tmp_path / f"{name}.mp4", (64, 48)) for name in ("command", "api"))
    assert np.array_equal(by_command, by_api)
    assert not np.array_equal(by_api, decode(clip, (64, 48)))
    metadata = read_facts(tmp_path / "api.mp4", max_pixels=10**6).metadata
    assert (metadata["title"], metadata.get("comment")) == ("Garden", None)
    with pytest.raises(rl.OutputUnwritableError, match="exists"):
        rl.change_video(clip, tmp_path / "api.mp4", lambda view: view)
    coded = rl.VideoOptions(codec=rl.VideoCodec.VP9)
    rl.change_video(str(clip), str(tmp_path / "api.mp4"), lambda view: view, coded, overwrite=True)
    assert read_facts(tmp_path / "api.mp4", max_pixels=10**6).codec.endswith("vp9")


def test_frames_are_those_of_the_command(command: Command, tmp_path: Path, clip: Path, model: rl.Model) -> None:
    (tmp_path / "f").mkdir()
    ffmpeg("-i", clip, tmp_path / "f" / "%d.png")
    assert command("albedo", "f/%d.png", "--model", "tiny", "--keyframes", 3, "-o", "made").code == 0
    frames = (rl.read_photo(tmp_path / "f" / f"{number}.png") for number in range(1, 9))
    lit = rl.change_frames(frames, lambda view: rl.albedo(model, view).photo, rl.VideoOptions(keyframes=3))
    for number, frame in enumerate(lit, 1):
        np.testing.assert_array_equal(frame.to_array(), rl.read_photo(tmp_path / "made" / f"{number}.png").to_array())
    assert number == 8


def test_photos_become_a_video(tmp_path: Path) -> None:
    levels = np.linspace(0.2, 0.7, 5)
    frames = (rl.Photo.from_array(np.full((40, 50, 3), round(level * 65535), np.uint16)) for level in levels)
    rl.write_video(frames, tmp_path / "o.mp4", rate=12, codec=rl.VideoCodec.H265)
    found = read_facts(tmp_path / "o.mp4", max_pixels=10**6)
    assert (found.count, found.rate, found.stored.bits) == (5, 12, 10)
    assert np.abs(decode(tmp_path / "o.mp4", (40, 50)).mean((1, 2, 3)) - levels).max() < 0.005


def test_a_container_without_streams_of_data_is_begun_once(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The track of chapters of an .mp4 is data, which an .mkv refuses when its header is written."""
    (tmp_path / "chapters").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=One\n")
    ffmpeg("-i", clip, "-i", tmp_path / "chapters", "-map_chapters", 1, "-c", "copy", tmp_path / "told.mp4")
    begin, begun = muxing._begin, []
    monkeypatch.setattr(muxing, "_begin", lambda *arguments: begun.append(1) or begin(*arguments))
    [note] = rl.change_video(tmp_path / "told.mp4", tmp_path / "o.mkv", lambda view: view)
    assert note.startswith("its data ")
    assert note.endswith("does not fit into the output")
    assert len(begun) == 1


def test_what_fails_leaves_nothing(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(view: rl.Photo) -> rl.Photo:
        raise ZeroDivisionError

    def full(*arguments: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    small, large = (rl.Photo.from_array(np.zeros((size, 20, 3), np.uint8)) for size in (20, 30))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        rl.change_video(clip, tmp_path / "o.mp4", broken)
    with monkeypatch.context() as disk:
        disk.setattr(video, "mux_video", full)
        with pytest.raises(rl.OutputUnwritableError, match="disk space"):
            rl.change_video(clip, tmp_path / "o.mp4", lambda view: view)
    for wrong in (
        lambda: rl.change_video(clip, tmp_path / "o.gif", lambda view: view),
        lambda: rl.change_video(clip, clip, lambda view: view, overwrite=True),
        lambda: rl.change_video(clip, tmp_path / "o.mp4", lambda view: view, mask=small),
        lambda: rl.VideoOptions(keyframes=0),
        lambda: rl.VideoOptions(max_side=-1),
        lambda: list(rl.change_frames([small, large], lambda view: view)),
        lambda: list(rl.change_frames([small], lambda view: view, mask=large)),
        lambda: rl.write_video([small, large], tmp_path / "o.mp4"),
        lambda: rl.write_video([], tmp_path / "o.mp4"),
        lambda: rl.write_video([small], tmp_path / "o.txt"),
        lambda: rl.write_video([small], tmp_path / "o.webm", codec=rl.VideoCodec.H264),
    ):
        with pytest.raises(rl.UsageError):
            wrong()
    assert sorted(tmp_path.iterdir()) == before
