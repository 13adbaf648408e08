"""interpolate-timelapse --skip-existing keeps files that would be made the same again, and makes all others again."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of, picture
from retouching import paint
from timelapse_fixtures import command, plain, write_frames

from relight_cli.checkpoints import models
from relight_cli.photos.gif_comments import add_comment, read_comment
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Ease, Mode, OutputFrame, frames_between, keyframes_needed
from relight_cli.timelapse.timelapse import Timelapse
from relight_cli.videos.codecs import encoding_of_frames
from relight_cli.videos.video import open_video, recorded_recipe
from relight_cli.videos.writer import VideoOutput, VideoWriter

QUICK = ("--mode", "image", "-q")  # no network: the tests check which files are made
AGAIN = ("in", "--between", "1", "--skip-existing", *QUICK)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five frames in an otherwise empty working folder, without access to the Hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    write_frames(Path("in"), plain(5))
    return tmp_path


def change(number: int, suffix: str = ".png") -> None:
    picture = np.random.default_rng(number).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    write_photo(Photo(picture), Path(f"in/frame{number}{suffix}"), overwrite=True)


def made_by(*arguments: object) -> set[int]:
    """Run the command; return the numbers of the frames that it wrote."""
    before = {path: path.stat().st_ino for path in Path("out").glob("frame*")}
    opened = [path.open("rb") for path in before]  # so that no inode number is used again
    assert command(*arguments, "-o", "out") == 0
    for file in opened:
        file.close()
    after = {path: path.stat().st_ino for path in Path("out").glob("frame*")}
    return {int(path.stem.removeprefix("frame_")) for path in after if after[path] != before.get(path)}


def test_what_changed_is_made_again_and_nothing_else() -> None:
    assert made_by(*AGAIN) == set(range(1, 10))
    assert made_by(*AGAIN) == set()
    change(3)
    assert made_by(*AGAIN) == {4, 5, 6}
    assert made_by(*AGAIN, "--ease", "smooth") == {2, 4, 6, 8}
    assert made_by(*AGAIN, "--ease", "smooth", "--redo-keyframes") == set(range(1, 10))
    assert made_by(*AGAIN, "--ease", "smooth") == set(range(1, 10))
    change(6)
    assert made_by(*AGAIN, "--ease", "smooth") == {10, 11}
    Path("out/frame_0007.png").unlink()
    assert made_by(*AGAIN, "--ease", "smooth") == {7}
    assert command("in", "--between", "1", "-o", "fresh", "--ease", "smooth", *QUICK) == 0
    for path in Path("fresh").iterdir():
        assert path.read_bytes() == (Path("out") / path.name).read_bytes()


def test_slopes_reach_further_and_a_part_is_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    latent = ("in", "--between", "1", "--mode", "latent", "--model", "tiny", "--ease", "catmull-rom", "-q")
    assert made_by(*latent) == set(range(1, 10))
    change(5)
    Path("out/frame_0002.png").unlink()
    assert made_by(*latent, "--skip-existing") == {2, 6, 8, 9}
    assert command(*latent, "-o", "fresh") == 0
    for path in Path("fresh").iterdir():
        assert path.read_bytes() == (Path("out") / path.name).read_bytes()
    monkeypatch.setattr(models, "tiny_sha256", lambda: "of another model")
    assert made_by(*latent, "--skip-existing") == {2, 4, 6, 8}


@pytest.mark.parametrize(
    ("time", "ease", "window", "missing", "wanted"),
    [
        (2.0, Ease.LINEAR, 0, set(), [2]),
        (2.5, Ease.SMOOTH, 0, set(), [2, 3]),
        (2.5, Ease.LINEAR, 0, {3}, [2, 3, 4]),
        (2.0, Ease.LINEAR, 0, {2, 1}, [0, 1, 2, 3]),
        (2.5, Ease.CATMULL_ROM, 0, set(), [1, 2, 3, 4]),
        (2.5, Ease.CATMULL_ROM, 0, {1, 4}, [0, 1, 2, 3, 4, 5]),
        (0.5, Ease.CATMULL_ROM, 0, {0}, [0, 1, 2]),
        (2.5, Ease.LINEAR, 3, set(), [1, 2, 3, 4]),
        (6.0, Ease.LINEAR, 5, set(), [4, 5, 6]),
    ],
)
def test_what_a_frame_depends_on(time: float, ease: Ease, window: int, missing: set[int], wanted: list[int]) -> None:
    times = [float(number) for number in range(7)]
    assert list(keyframes_needed(OutputFrame(time), times, ease, window, missing)) == wanted


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(2, 8), ease=st.sampled_from(Ease), window=st.sampled_from([0, 3, 5]))
def test_what_is_read_for_a_frame_is_what_it_depends_on(
    data: st.DataObject, count: int, ease: Ease, window: int
) -> None:
    times, missing = [float(number) for number in range(count)], data.draw(st.sets(st.integers(0, count - 1)))
    frame, read = data.draw(st.sampled_from(frames_between(times, 1))), set[int]()

    def reader(number: int) -> np.ndarray | None:
        read.add(number)
        return None if number in missing else picture(64, 64, seed=number)

    # A cross-fade would not need the slopes of catmull-rom.
    options = TimelapseOptions(mode=Mode.LATENT, ease=ease, deflicker=window)
    made = Timelapse(times, reader, reader, model_of(MeanLight()), options).make(frame)
    if made:
        needed = set(keyframes_needed(frame, times, ease, window, missing & read))
        assert read <= needed
        assert window or read == needed


def test_a_frame_that_was_unreadable_and_is_repaired() -> None:
    whole = Path("in/frame3.png").read_bytes()
    Path("in/frame3.png").write_bytes(whole[: len(whole) // 2])
    assert command(*AGAIN, "-o", "out") == 23
    assert made_by(*AGAIN) == set()
    Path("in/frame3.png").write_bytes(whole)
    assert made_by(*AGAIN) == {4, 5, 6}


def test_what_others_made_is_left_alone_with_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert made_by(*AGAIN) == set(range(1, 10))
    for number in (2, 3):
        Path(f"out/frame_000{number}.png").write_bytes(b"mine")
    change(2)
    capsys.readouterr()
    assert command("in", "--between", "1", "--skip-existing", "--mode", "image", "-o", "out") == 0
    said = capsys.readouterr().err
    assert said.count("left as") == 1
    assert "out/frame_0002.png and 1 more: left as they are" in said
    assert Path("out/frame_0003.png").read_bytes() == b"mine"


def statuses() -> list[str]:
    lines = Path("r.jsonl").read_text().splitlines()
    Path("r.jsonl").unlink()
    return [json.loads(line)["status"] for line in lines]


@pytest.mark.parametrize("kind", [".mp4", ".webm", ".gif"])
def test_videos_know_how_they_were_made(kind: str) -> None:
    asked = (*AGAIN, "-o", f"day{kind}", "--report", "r.jsonl")
    for prepare, more, wanted in (
        (None, (), "done"),
        (None, (), "skipped"),
        (None, ("--fps", "12"), "done"),
        (lambda: change(4), ("--fps", "12"), "done"),
        (None, ("--fps", "12"), "skipped"),
        (lambda: change(6), ("--fps", "12"), "done"),
    ):
        if prepare:
            prepare()
        assert command(*asked, *more) == 0
        assert set(statuses()) == {wanted}
    assert open_video(Path(f"day{kind}"), max_pixels=10**6).count == 11
    assert json.loads(recorded_recipe(Path(f"day{kind}")) or "")["options"]["fps"] == 12
    Path(f"day{kind}").write_bytes(b"mine")
    assert command(*asked, "--fps", "13") == 0
    assert Path(f"day{kind}").read_bytes() == b"mine"


def test_frames_of_a_video_are_made_again_when_it_changes() -> None:
    two = ("in/frame1.png", "in/frame2.png", "-o", "clip.mp4", *QUICK)
    assert command(*two) == 0
    again = ("clip.mp4", "--between", "1", "--skip-existing", *QUICK)
    assert made_by(*again) == {1, 2, 3}
    assert made_by(*again) == set()
    change(1)
    assert command(*two, "--overwrite") == 0
    assert made_by(*again) == {1, 2, 3}


@pytest.mark.parametrize(("output", "changed"), [("out", 3), ("day.mp4", 1), ("day.gif", 1)])
def test_the_report_tells_of_stripped_outputs(output: str, changed: int) -> None:
    def files() -> list[Path]:
        return sorted(Path(output).iterdir()) if Path(output).is_dir() else [Path(output)]

    def written(*more: str) -> int:
        before = {path: path.stat().st_mtime_ns for path in files() if path.exists()}
        assert command(*AGAIN, "--strip", "-o", output, *more) == 0
        return sum(before.get(path) != path.stat().st_mtime_ns for path in files())

    report = ("--report", "r.jsonl")
    assert written(*report) == len(files())
    assert not any(b"relight-cli" in path.read_bytes() for path in files())
    assert written(*report) == 0
    change(2)
    assert written(*report) == changed
    assert written(*report, "--ease", "smooth") == len(files())
    change(2)
    assert written("--ease", "linear") == 0  # without --report nothing records how they were made


def test_the_comment_of_a_gif(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    for text in ("x", "!" * 127, "!~" * 300, '{"a": 1}' * 500):
        path.write_bytes(b"GIF89a\x01\0\x01\0\0\0\0;")
        assert read_comment(path) is None
        add_comment(path, text)
        assert read_comment(path) == text
    path.write_bytes(path.read_bytes() + b" more")
    assert read_comment(path) is None
    with pytest.raises(ValueError, match="GIF"):
        add_comment(path, "x")


def test_painted_frames_and_videos_stay(capsys: pytest.CaptureFixture[str]) -> None:
    said = ("in", "--between", "1", "--skip-existing", "--mode", "image")
    assert made_by(*AGAIN) == set(range(1, 10))
    painted = paint(Path("out/frame_0004.png"))
    copied = paint(Path("out/frame_0001.png"))  # a copy of a keyframe, which has no record
    change(2)
    capsys.readouterr()
    assert made_by(*said) == {2, 3}
    notes = [line for line in capsys.readouterr().err.splitlines() if "left as" in line]
    assert notes == [
        "out/frame_0001.png: left as it is, since it does not record how it was made; --overwrite makes all again.",
        "out/frame_0004.png: left as it is, since it is not as relight-cli wrote it; --overwrite makes all again.",
    ]
    assert (Path("out/frame_0004.png").read_bytes(), Path("out/frame_0001.png").read_bytes()) == (painted, copied)
    assert made_by("in", "--between", "1", "--overwrite", *QUICK) == set(range(1, 10))


@pytest.mark.parametrize("kind", [".mp4", ".webm", ".gif"])
def test_videos_of_another_hand_stay(kind: str) -> None:
    av = pytest.importorskip("av")
    day = Path(f"day{kind}")
    asked = (*AGAIN, "-o", day)
    assert command(*asked) == 0
    record = recorded_recipe(day)
    other = np.full((60, 80, 3), 99, np.uint8)
    with av.open(day) as file:
        rate = file.streams.video[0].average_rate
    output = VideoOutput(kind, 60, 80, float(rate), encoding_of_frames(kind))
    writer = VideoWriter(day, output, record)  # cut anew by a program that keeps the comment
    for _ in range(3):
        writer.add(other)
    writer.close()
    cut = day.read_bytes()
    assert recorded_recipe(day) == record
    assert command(*asked) == 0
    assert command(*asked, "--fps", "12") == 0
    assert day.read_bytes() == cut
    assert command(*AGAIN[:3], *QUICK, "-o", day, "--fps", "12", "--overwrite") == 0
    assert command(*asked, "--fps", "11") == 0
    assert json.loads(recorded_recipe(day) or "")["options"]["fps"] == 11


def test_a_painted_plot_stays(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("in", "--between", "1", "--mode", "image", "--plot", "plot.png", "-o", "out", "--skip-existing")
    assert command(*asked) == 0
    change(2)
    first = Path("plot.png").read_bytes()
    assert command(*asked) == 0
    assert Path("plot.png").read_bytes() != first
    painted = paint(Path("plot.png"))
    change(3)
    assert command(*asked) == 0
    assert "plot.png: left as it is" in capsys.readouterr().err
    assert Path("plot.png").read_bytes() == painted
