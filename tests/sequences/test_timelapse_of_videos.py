"""interpolate-timelapse keeps what its video is, as far as its length allows."""

import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import Command
from ffmpeg import decode, ffmpeg
from threads import real_time_threads

from relight_cli.photos.photo import Metadata, Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
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


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two photos of 16 bits and an odd size, the second one brighter."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, level in ((1, 0.3), (2, 0.6)):
        write_photo(Photo(np.full((33, 49, 3), round(level * 65535), np.uint16)), folder / f"{number}.png")
    return folder


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


def test_other_pictures_are_left_out_with_a_note(command: Command, tmp_path: Path, video: Path) -> None:
    ffmpeg("-i", video, "-map", "0:v", "-map", "0:v", "-c", "copy", tmp_path / "w.mkv")
    done = command("interpolate-timelapse", "w.mkv", "--mode", "image", "-o", "o.mkv")
    assert done.code == 0
    assert "w.mkv: its other pictures and videos are left out." in done.lines


@pytest.mark.parametrize(
    ("codec", "suffix", "bits"),
    [
        ("h264", ".mp4", 8),
        ("h265", ".mp4", 10),
        ("av1", ".webm", 10),
        ("vp9", ".mkv", 8),
        ("prores", ".mov", 10),
        ("ffv1", ".mkv", 16),
    ],
)
def test_codecs_of_photos_of_16_bits(
    command: Command, tmp_path: Path, photos: Path, codec: str, suffix: str, bits: int
) -> None:
    made = tmp_path / f"o{suffix}"
    done = command("interpolate-timelapse", photos, "--mode", "image", "--between", 1, "-o", made, "--codec", codec)
    assert done.code == 0, done.err
    found = read_facts(made, max_pixels=10**6)
    assert found.codec.replace("hevc", "h265").replace("libdav1d", "av1").replace("libvpx-vp9", "vp9") == codec
    assert real_time_threads() == []
    assert (found.stored.bits, found.count) == (bits, 3)
    with av.open(made) as file:
        frame = next(file.decode(video=0))
    matrix_and_range = (0, 2) if codec == "ffv1" else (1, 1)  # FFV1 stores RGB
    assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (1, 1, *matrix_and_range)
    wanted = np.linspace(0.3, 0.6, 3)
    shape = (found.height, found.width)
    assert np.abs(decode(made, shape)[:, :32, :48].mean((1, 2, 3)) - wanted).max() < 0.01


def test_quality_and_codec_of_a_video(command: Command, tmp_path: Path, video: Path) -> None:
    assert command(*COPY, "-o", "fine.mkv").code == 0
    done = command(*COPY, "-o", "o.mkv", "--crf", 45)
    assert read_facts(tmp_path / "o.mkv", max_pixels=10**6).codec == "h264", "its own"
    assert (tmp_path / "o.mkv").stat().st_size < (tmp_path / "fine.mkv").stat().st_size
    before = (tmp_path / "o.mkv").stat().st_mtime_ns
    assert command(*COPY, "-o", "o.mkv", "--crf", 45, "--skip-existing").code == 0
    assert (tmp_path / "o.mkv").stat().st_mtime_ns == before
    done = command(*COPY, "-o", "o.mkv", "--codec", "vp9", "--skip-existing")
    assert "its 10 bits become 8" in done.err
    assert read_facts(tmp_path / "o.mkv", max_pixels=10**6).codec.endswith("vp9")


SUN = (
    "relight",
    "photo.png",
    "--sun-at",
    "2026-06-21T10:00..2026-06-21T11:00",
    "--place",
    "48.14,11.58",
    "--facing",
    "S",
)


def test_a_moving_sun_in_a_codec(command: Command, tmp_path: Path, photos: Path) -> None:
    photo = replace(read_photo(photos / "1.png"), metadata=Metadata(dpi=(72.0, 144.0)))
    write_photo(photo, tmp_path / "photo.png")
    call = (*SUN, "--frames", 2, "--model", "tiny", "-o", "sun.mov", "--codec", "prores")
    done = command(*call)
    assert done.code == 0, done.err
    found = read_facts(tmp_path / "sun.mov", max_pixels=10**6)
    assert (found.codec, found.stored.bits, found.count) == ("prores", 10, 2)
    assert (found.aspect, done.err) == (2, "")


UNFIT = [
    ((*COPY, "-o", "o.webm", "--codec", "h264"), "does not fit into .webm"),
    ((*COPY, "-o", "o.mkv", "--codec", "ffv1", "--crf", 3), "--crf does not apply"),
    ((*COPY, "-o", "o.mkv", "--crf", 60), "out of range"),
    ((*COPY, "-o", "o.gif", "--crf", 6), "does not apply to a .gif"),
    ((*COPY, "--between", 1, "-o", "o/", "--codec", "av1"), "needs a video as -o"),
    ((*SUN, "-o", "o/", "--crf", 6), "needs a video as -o"),
    ((*SUN, "-o", "o.mp4", "--keyframes", 6), "not for a moving sun"),
    (("relight", "v.mkv", *SUN[2:], "-o", "o.mp4"), "v.mkv is a video, and a moving sun is put on one photo"),
    (("deshadow", "v.mkv", "--crf", 60, "-o", "o.mkv"), "out of range for --codec h264"),
]


@pytest.mark.parametrize(("call", "reason"), UNFIT)
def test_codecs_that_do_not_fit_are_refused_before_any_work(
    command: Command,
    tmp_path: Path,
    video: Path,
    photos: Path,
    call: tuple[object, ...],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(photos / "1.png", tmp_path / "photo.png")
    monkeypatch.setattr("relight_cli.checkpoints.models.load_model", lambda *_, **__: pytest.fail("loaded"))
    done = command(*call, "--model", "tiny")
    assert (done.code, len(done.lines)) == (2, 1), done.err
    assert reason in done.err
    assert not list(tmp_path.glob("o*"))
