"""interpolate-timelapse keeps what its video is, as far as its length allows."""

from pathlib import Path

import pytest
from command_line import Command
from ffmpeg import ffmpeg

from relight_cli.videos.facts import read_facts

WHEN = "creation_time=2024-05-01T10:00:00.000000Z"
COPY = ("interpolate-timelapse", "v.mkv", "--mode", "image")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of 10 bits with sound and subtitles."""
    (tmp_path / "t.srt").write_text("1\n00:00:00,000 --> 00:00:00,300\nHello\n")
    sources = (
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x48:rate=25",
        "-f",
        "lavfi",
        "-i",
        "sine=440",
        "-i",
        tmp_path / "t.srt",
    )
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-c:a", "flac")
    ffmpeg(*sources, "-frames:v", 6, "-t", 0.24, *codecs, "-metadata", WHEN, tmp_path / "v.mkv")
    return tmp_path / "v.mkv"


def streams(path: Path) -> bytes:
    return ffmpeg("-i", path, "-map", "0:a?", "-map", "0:s?", "-c", "copy", "-f", "streamhash", "-").stdout


def test_a_video_of_the_same_length_keeps_sound_subtitles_and_bits(
    command: Command, tmp_path: Path, video: Path
) -> None:
    assert command(*COPY, "-o", "o.mkv").code == 0
    assert streams(tmp_path / "o.mkv") == streams(video)
    made = read_facts(tmp_path / "o.mkv", max_pixels=10**6)
    assert made.stored.bits == 10
    assert made.metadata["creation_time"] == read_facts(video, max_pixels=10**6).metadata["creation_time"]


def test_a_longer_video_says_that_its_sound_is_left_out(command: Command, tmp_path: Path, video: Path) -> None:
    done = command(*COPY, "--between", 1, "-o", "o.mkv")
    assert done.code == 0
    assert "sound and subtitles are left out" in done.err
    assert b",a," not in streams(tmp_path / "o.mkv")


def test_what_a_container_cannot_hold_is_named(command: Command, tmp_path: Path, video: Path) -> None:
    done = command(*COPY, "-o", "o.mp4")
    assert done.code == 0
    assert "does not fit into the output" in done.err
