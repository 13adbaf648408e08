"""interpolate-timelapse through the command line: the files it writes, also after damage and interruption."""

import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from forked import COMMAND_LINE, Forked
from photo_fixtures import wide_profile
from PIL import Image
from timelapse_fixtures import command, nightfall, pixels, plain, write_frames

from relight_cli.photos.capture_time import exif_with_time, read_header
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.timelapse import writers
from relight_cli.videos.video import frames_of, open_video

QUICK = ("--mode", "image", "-q")  # no network: the tests check where files are written


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without access to the Hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def exif_of(second: float) -> Image.Exif:
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0x9003] = datetime.fromtimestamp(second, UTC).strftime("%Y:%m:%d %H:%M:%S")
    details[0x9291] = f"{round(second % 1 * 100):02}"
    return exif


def write_timed(seconds: list[float]) -> None:
    for number, (second, picture) in enumerate(zip(seconds, plain(len(seconds)), strict=True)):
        image = Image.fromarray((picture * 255).round().astype(np.uint8))
        Path("in").mkdir(exist_ok=True)
        image.save(f"in/{number}.jpg", exif=exif_of(second), quality=100, subsampling=0)


def test_originals_are_copied_in_the_order_of_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_frames(Path("in"), plain(11))
    assert command("in", "--between", "1", "-o", "out", "--mode", "image") == 0
    assert "file names" in capsys.readouterr().err
    assert names("out") == [f"frame_{n:04}.png" for n in range(1, 22)]
    for number, path in enumerate(paths):
        assert Path(f"out/frame_{2 * number + 1:04}.png").read_bytes() == path.read_bytes()
    mean = [pixels(Path(f"out/frame_{n:04}.png")).mean() for n in range(1, 22)]
    assert (np.diff(mean) > 0).all()


def test_capture_times_decide_order_and_spacing(capsys: pytest.CaptureFixture[str]) -> None:
    start = 1_700_000_000.0
    write_timed([start + 40, start, start + 10.5])
    assert command("in", "--frames", "5", "-o", "out", "--mode", "image", "--quality", "100") == 0
    assert "capture time" in capsys.readouterr().err
    taken = [read_header(Path(f"out/frame_{n:04}.jpg")).taken for n in range(1, 6)]
    assert [time - start for time in taken if time] == pytest.approx([0, 10, 20, 30, 40], abs=0.01)
    assert Path("out/frame_0001.jpg").read_bytes() == Path("in/1.jpg").read_bytes()
    first, second, third = (pixels(Path(f"in/{n}.jpg")).astype(float) for n in (1, 2, 0))
    share = (20 - 10.5) / (40 - 10.5)
    assert np.abs(pixels(Path("out/frame_0003.jpg")) - ((1 - share) * second + share * third)).mean() < 1.5
    assert np.abs(pixels(Path("out/frame_0002.jpg")) - (first + (second - first) * 10 / 10.5)).mean() < 1.5


def test_exif_is_changed_in_place() -> None:
    exif = exif_of(1_700_000_000.25).tobytes().removeprefix(b"Exif\0\0")
    patched = exif_with_time(exif, 1_700_003_661.5)
    assert len(patched) == len(exif)
    assert sum(a != b for a, b in zip(exif, patched, strict=True)) <= 10
    assert b"23:14:21" in patched
    assert exif_with_time(b"II*\0broken", 0) == b"II*\0broken"
    assert exif_with_time(b"", 0) == b""


def test_bit_depth_profile_and_format_stay() -> None:
    icc = wide_profile("P3")
    Path("in").mkdir()
    for number, picture in enumerate(plain(2)):
        photo = Photo((picture * 65535).astype(np.uint16), format="TIFF", metadata=Metadata(icc=icc))
        write_photo(photo, Path(f"in/{number}.tif"))
    assert command("in", "--between", "1", "-o", "out", *QUICK) == 0
    made = read_photo(Path("out/frame_0002.tif"), max_pixels=10**6)
    assert made.pixels.dtype == np.uint16
    assert made.metadata.icc == icc
    halfway = sum(read_photo(Path(f"in/{n}.tif"), max_pixels=10**6).to_srgb() for n in range(2)) / 2
    assert np.abs(made.to_srgb() - halfway).max() < 2e-4


def test_turned_photos_come_out_upright() -> None:
    for number, picture in enumerate(plain(2)):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray((picture * 255).astype(np.uint8)).save(f"{number}.png", exif=exif)
    assert command("0.png", "1.png", "--between", "1", "-o", "out", *QUICK) == 0
    for number in (1, 2, 3):
        with Image.open(f"out/frame_000{number}.png") as image:
            assert image.size == (60, 80)
            assert image.getexif().get(0x0112, 1) == 1


def test_the_first_frame_of_another_size_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_frames(Path("in"), [*plain(2), *plain(1, 61), *plain(1)])
    assert command("in", "--between", "1", "-o", "out") == 2
    assert "frame3.png has 80 x 61 pixels" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize("cut", [0.6, 0.001])
def test_a_damaged_frame_costs_only_itself(cut: float, capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_frames(Path("in"), plain(4))
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[: int(len(data) * cut)])
    assert command("in", "--between", "1", "-o", "out", "--report", "r.jsonl", *QUICK) == 23
    assert capsys.readouterr().err.count("frame2.png") == 1
    assert names("out") == [f"frame_{n:04}.png" for n in range(1, 8 if cut > 0.1 else 6)]
    if cut > 0.1:  # its header is readable, so it is made from its neighbours
        filled = (pixels(paths[0]).astype(float) + pixels(paths[2])) / 2
        assert np.abs(pixels(Path("out/frame_0003.png")) - filled).max() <= 1
    records = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert {r["input"]: r["status"] for r in records} == {
        str(path): "failed" if path == paths[1] else "done" for path in paths
    }
    assert [r["model"] for r in records] == ["none"] * 4


def test_damage_at_an_end_shortens_the_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_frames(Path("in"), plain(3))
    paths[2].write_bytes(paths[2].read_bytes()[:-1000])
    assert command("in", "--between", "1", "-o", "out", *QUICK) == 23
    assert names("out") == ["frame_0001.png", "frame_0002.png", "frame_0003.png"]
    assert "could not be made" in capsys.readouterr().err


def test_an_unfinished_folder_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    write_frames(Path("in"), plain(3))
    asked = ["in", "--between", "2", "-o", "out", *QUICK]
    write, written = writers.FolderWriter.write, []

    def cut_off(self: object, number: int, photo: Photo) -> tuple[str, ...]:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(number)
        return write(self, number, photo)

    monkeypatch.setattr(writers.FolderWriter, "write", cut_off)
    assert command(*asked) == 130
    assert written == [1, 2]
    assert command("in", "--between", "2", "--ease", "smooth", "-o", "out", *QUICK) == 5
    written.clear()
    monkeypatch.setattr(
        writers.FolderWriter, "write", lambda self, n, photo: written.append(n) or write(self, n, photo)
    )
    assert command(*asked) == 0
    assert written == [4, 5]
    assert command("in", "--between", "2", "-o", "whole", *QUICK) == 0
    assert names("out") == names("whole")
    for name in names("whole"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()
    assert command(*asked) == 5


def test_existing_frames(capsys: pytest.CaptureFixture[str]) -> None:
    write_frames(Path("in"), plain(2))
    Path("out").mkdir()
    Path("out/frame_0002.png").write_bytes(b"mine")
    asked = ["in", "--between", "1", "-o", "out", *QUICK]
    assert command(*asked) == 5
    assert names("out") == ["frame_0002.png"]
    assert command(*asked, "--skip-existing") == 0
    assert Path("out/frame_0002.png").read_bytes() == b"mine"
    assert command(*asked, "--overwrite") == 0
    assert pixels(Path("out/frame_0002.png")).shape == (60, 80, 3)
    Path("out/frame_0004.png").write_bytes(b"older")
    capsys.readouterr()
    assert command("in", "--between", "1", "-o", "out", "--mode", "image", "--overwrite") == 0
    assert "frames of another run, from frame_0004.png on" in capsys.readouterr().err
    assert Path("out/frame_0004.png").read_bytes() == b"older"
    Path("in/frame0.png").write_bytes(b"no picture")
    assert command(*asked, "--skip-existing", "--report", "r.jsonl") == 23
    records = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [(r["input"], r["output"], r["status"]) for r in records] == [
        ("in/frame0.png", None, "failed"),
        ("in/frame1.png", "out/frame_0001.png", "skipped"),
        ("in/frame2.png", "out/frame_0003.png", "skipped"),
    ]


@pytest.mark.parametrize("kind", [".mp4", ".mov", ".webm", ".gif"])
def test_videos_of_odd_sizes(kind: str) -> None:
    pictures = plain(3, 61, 83)
    write_frames(Path("in"), pictures)
    assert command("in", "--between", "3", "--fps", "12.5", "-o", f"day{kind}", *QUICK) == 0
    video = open_video(Path(f"day{kind}"), max_pixels=10**6)
    assert (video.count, video.damage, video.rate) == (9, None, 12.5)
    frames = list(frames_of(video.path))
    assert np.abs(frames[4][:61, :83].mean((0, 1)) - pictures[1].mean((0, 1)) * 255).max() < 2
    assert names(".") == sorted(["in", f"day{kind}"])


def test_a_video_becomes_a_video() -> None:
    write_frames(Path("in"), plain(4))
    assert command("in", "-o", "clip.mp4", *QUICK) == 0
    assert command("clip.mp4", "--between", "1", *QUICK) == 0
    video = open_video(Path("clip_interpolated.mp4"), max_pixels=10**6)
    assert (video.count, video.rate) == (7, 25)
    assert command("clip.mp4", "--between", "0", "-o", "frames", *QUICK) == 0
    assert len(names("frames")) == 4
    assert command("clip.mp4", "--between", "1", "-o", "clip.mp4", "--overwrite", *QUICK) == 2


def test_a_cut_off_video_is_used_as_far_as_it_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (12, 64, 64, 3))
    write_frames(Path("in"), list(noise))
    assert command("in", "-o", "clip.webm", *QUICK) == 0
    data = Path("clip.webm").read_bytes()
    Path("clip.webm").write_bytes(data[: len(data) * 2 // 3])
    assert command("clip.webm", "--between", "1", "-o", "out.mp4", *QUICK) == 23
    assert "of 12 frames" in capsys.readouterr().err
    count = open_video(Path("out.mp4"), max_pixels=10**6).count
    assert 3 < count < 21
    Path("bad.mp4").write_bytes(b"not a video")
    assert command("bad.mp4", "--between", "1", "-o", "bad", *QUICK) == 4


def test_light_is_changed_through_the_command_line(folder: Path) -> None:
    write_frames(Path("in"), nightfall())
    asked = ["in", "--model", "tiny", "-q", "--report", "r.jsonl", "--plot"]
    assert command(*asked, "p.png", "--freeze", "in/frame2.png", "--between", "1", "-o", "still") == 0
    still = [pixels(Path(f"still/frame_000{n}.png")).astype(float) for n in (1, 3, 5)]
    own = [pixels(Path(f"in/frame{n}.png")).astype(float) for n in (1, 2, 3)]
    assert np.abs(still[1] - own[1]).max() <= 1
    assert np.abs(still[0] - still[2]).mean() < 0.5 * np.abs(own[0] - own[2]).mean()
    assert pixels(Path("p.png")).shape == (1120, 1600, 3)
    assert {json.loads(line)["model"] for line in Path("r.jsonl").read_text().splitlines()} == {"tiny"}
    assert command(*asked, "q.png", "--deflicker", "3", "--redo-keyframes", "--ease", "catmull-rom", "-o", "d.mp4") == 0
    assert open_video(Path("d.mp4"), max_pixels=10**6).count == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["in", "-o", "out"],
        ["in/frame1.png", "--between", "1", "-o", "out"],
        ["in", "--between", "1", "--frames", "9", "-o", "out"],
        ["in", "--between", "1", "-o", "-"],
        ["in", "--between", "1", "-o", "out.png"],
        ["in", "--between", "1", "-o", "out.avi"],
        ["in", "--between", "1", "-o", "in"],
        ["in", "--between", "1", "--fps", "5", "-o", "out"],
        ["in", "--between", "1", "--strength", "0.5", "-o", "out"],
        ["in", "--between", "1", "--mode", "image", "--content", "first", "-o", "out"],
        ["in", "--deflicker", "5", "--freeze", "in/frame1.png", "-o", "out"],
        ["in", "--deflicker", "2", "-o", "out"],
        ["in", "--freeze", "-", "-o", "out"],
        ["in", "--between", "1", "--plot", "plot.jpg", "-o", "out"],
        ["in", "--between", "1", "--plot", "in/frame1.png", "-o", "out"],
        ["in", "--between", "1", "--report", "in/frame1.png", "-o", "out"],
        ["in", "--between", "1", "--overwrite", "--skip-existing", "-o", "out"],
        ["-", "--between", "1", "-o", "out"],
        [],
    ],
)
def test_usage_errors_are_found_before_anything_is_written(arguments: list[str]) -> None:
    paths = write_frames(Path("in"), plain(2))
    before = [path.read_bytes() for path in paths]
    assert command(*arguments) == 2
    assert names(".") == ["in"]
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("output", ["out", "out.mp4"])
def test_a_killed_run_leaves_complete_files_and_is_resumed(folder: Path, output: str) -> None:
    write_frames(Path("in"), plain(2, 400, 600))
    words = ["interpolate-timelapse", "in", "--between", "120", "-o", output, *QUICK]
    process = Forked(COMMAND_LINE, words, cwd=folder)
    for _ in range(300):
        time.sleep(0.1)
        if list(folder.glob("out/frame_0005*")) or list(folder.glob(".*.tmp")):
            break
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.count(b"\n") == 1
    assert not list(folder.rglob("*.tmp"))
    if output == "out.mp4":
        assert names(".") == ["in"]
        return
    made = sorted(Path("out").glob("frame_*"))
    assert 4 < len(made) < 122
    kept = made[2].stat().st_mtime_ns
    assert all(pixels(path).shape == (400, 600, 3) for path in made)
    assert command("in", "--between", "120", "-o", "out", *QUICK) == 0
    assert len(names("out")) == 122
    assert made[2].stat().st_mtime_ns == kept


def test_without_the_extra_videos_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write_frames(Path("in"), plain(2))
    monkeypatch.setitem(sys.modules, "av", None)
    assert command("in", "--between", "1", "-o", "out.mp4", *QUICK) == 3
    assert command("in", "--between", "1", "-o", "out", *QUICK) == 0
