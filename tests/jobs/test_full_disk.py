"""What cannot get better stops a run: exit code 5, the count of what is done and the command that makes the rest."""

import errno
import json
import os
import shlex
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Command, Outcome
from photo_fixtures import noise

from relight_cli.jobs import batch
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

COUNT = 20
BATCH = ("albedo", "in", "--model", "tiny", "--strength", "0", "-o", "out")
FRAMES = ("interpolate-timelapse", "in", "--between", "1", "--mode", "image", "-q", "-o")
SUN = ("--sun-at", "07:00..19:00", "--date", "2026-06-21", "--place", "48.14,11.58", "--facing", "S")
MOVING = ("relight", "in/0.png", "--model", "tiny", "-q", *SUN, "--frames", "4", "-o")
LASTING = ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ENODEV", "ENXIO", "ESTALE")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(COUNT):
        write_photo(Photo(noise((20, 30, 3), seed=number)), tmp_path / f"in/{number}.png")
    return tmp_path


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photos that were computed."""
    found, change = [], batch.Batch._change

    def counted(self: batch.Batch, job: batch.Job, original: batch.Original) -> batch.Changed:
        found.append(job.source.name)
        return change(self, job, original)

    monkeypatch.setattr(batch.Batch, "_change", counted)
    return found


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Callable[[], None]]:
    """Let the disk fail with an error after some files; returns a function that repairs it."""

    def fail(name: str, after: int) -> Callable[[], None]:
        flush, number = os.fsync, getattr(errno, name)
        state = {"left": after}

        def broken(handle: int) -> None:
            if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112  of a folder: best effort
                return flush(handle)
            state["left"] -= 1
            if state["left"] < 0:
                raise OSError(number, os.strerror(number))
            return flush(handle)

        monkeypatch.setattr(os, "fsync", broken)
        return lambda: monkeypatch.setattr(os, "fsync", flush)

    return fail


def again(done: Outcome) -> list[str]:
    """Return the arguments of the command that the last line says."""
    program, *arguments = shlex.split(done.lines[-1].partition("To make the rest: ")[2])
    assert program == "relight-cli"
    return arguments


def outputs(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).is_dir() else []


@pytest.mark.parametrize("name", LASTING)
@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--quality", "90")])
def test_a_run_stops_and_says_how_to_go_on(
    command: Command, photos: Path, changed: list[str], failing: Callable, name: str, more: tuple[str, ...]
) -> None:
    if not hasattr(errno, name):
        pytest.skip("not an error of this system")
    repair = failing(name, 2)
    done = command(*BATCH, *more)
    assert (done.code, len(done.lines)) == (5, 1)
    assert os.strerror(getattr(errno, name)) in done.err
    assert f"Stopped: 2 of {COUNT} photos are done, {COUNT - 2} are left." in done.err
    first = outputs("out")
    assert len(first) == 2
    assert len(changed) < COUNT
    repair()
    changed.clear()
    assert command(*again(done)).code == 0
    assert len(outputs("out")) == COUNT
    left = {f"{number}.png" for number in range(COUNT)} - {name.replace("_albedo", "") for name in first}
    assert set(changed) == left


def test_a_default_of_overwrite_does_not_contradict(
    command: Command, photos: Path, failing: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELIGHT_OVERWRITE", "1")
    repair = failing("ENOSPC", 2)
    done = command(*BATCH)
    assert again(done)[-2:] == ["--skip-existing", "--no-overwrite"]
    repair()
    assert command(*again(done)).code == 0
    assert len(outputs("out")) == COUNT


@pytest.mark.parametrize("name", ["EFBIG", "EINVAL"])
def test_what_fails_one_file_does_not_stop_the_others(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    flush, seen, number = os.fsync, [], getattr(errno, name)

    def broken(handle: int) -> None:
        seen.append(handle)
        if len(seen) == 1:
            raise OSError(number, os.strerror(number))
        return flush(handle)

    monkeypatch.setattr(os, "fsync", broken)
    done = command(*BATCH)
    assert (done.code, len(outputs("out"))) == (23, COUNT - 1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_becomes_read_only_stops_the_run(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = os.fsync
    (photos / "out").mkdir()

    def closing(handle: int) -> None:
        (photos / "out").chmod(0o555)
        return flush(handle)

    monkeypatch.setattr(os, "fsync", closing)
    done = command(*BATCH)
    (photos / "out").chmod(0o755)
    assert done.code == 5
    assert f"are left. To make the rest: relight-cli {shlex.join(BATCH)} --skip-existing" in done.err


def test_a_folder_that_may_not_be_written_stops_the_run(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch, changed: list[str]
) -> None:
    make, allowed = os.link, os.access

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name.startswith("2_"):
            monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "out" and allowed(path, mode))
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        make(source, target)

    monkeypatch.setattr(os, "link", refuse)
    done = command(*BATCH)
    assert (done.code, len(changed) < COUNT) == (5, True)


@needs_full
def test_a_full_disk_under_the_report(command: Command, photos: Path) -> None:
    done = command(*BATCH, "--report", "/dev/full")
    assert (done.code, len(done.lines)) == (5, 1)
    assert "/dev/full: the report cannot be written (No space left on device)" in done.err
    assert "{" not in done.err
    assert f"of {COUNT} photos are done" in done.err
    arguments = again(done)
    assert arguments[-3:] == ["--report", "/dev/full", "--skip-existing"]
    assert command(*arguments[:-3], "--skip-existing", "--report", "r.jsonl").code == 0
    assert len(Path("r.jsonl").read_text().splitlines()) == COUNT
    assert command(*BATCH, "--skip-existing", "--report", "/dev/full").code == 5  # where everything is skipped
    alone = command("albedo", "in/0.png", "--model", "tiny", "--strength", "0", "-o", "x.png", "--report", "/dev/full")
    assert (alone.code, len(alone.lines)) == (5, 1)
    assert "x.png is written" in alone.err
    assert command(*FRAMES, "frames", "--report", "/dev/full").code == 5
    assert command(*FRAMES, "day.gif", "--report", "/dev/full").code == 5


def test_a_report_keeps_whole_lines(command: Command, photos: Path) -> None:
    resource = pytest.importorskip("resource")
    assert command(*BATCH[:1], "in/0.png", *BATCH[2:], "--report", "r.jsonl").code == 0
    size = Path("r.jsonl").stat().st_size
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, before[1]))
    try:
        done = command(*BATCH, "--skip-existing", "--report", "r.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (done.code, "the report cannot be written" in done.err) == (5, True)
    entries = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert entries[0]["status"] == "done"
    assert 1 < len(entries) <= COUNT
    assert command(*again(done)).code == 0
    assert {json.loads(line)["input"] for line in Path("r.jsonl").read_text().splitlines()} == {
        f"in/{number}.png" for number in range(COUNT)
    }


@pytest.mark.parametrize("asked", [FRAMES, MOVING])
def test_frames_stop_and_are_resumed(command: Command, photos: Path, failing: Callable, asked: tuple[str, ...]) -> None:
    pytest.importorskip("av")
    count = 4 if asked == MOVING else 2 * COUNT - 1
    repair = failing("ENOSPC", 3)
    done = command(*asked, "frames", "--report", "r.jsonl")
    assert (done.code, len(done.lines)) == (5, 1)
    assert f"3 of {count} frames are done. To make the rest: relight-cli" in done.err
    kept = {path: path.stat().st_ino for path in Path("frames").glob("frame_*")}
    assert len(kept) == 3
    repair()
    assert command(*again(done)).code == 0
    assert len(outputs("frames")) == count
    assert kept.items() <= {path: path.stat().st_ino for path in Path("frames").iterdir()}.items()
    failing("ENOSPC", 0)
    done = command(*asked, "day.mp4")
    assert (done.code, Path("day.mp4").exists()) == (5, False)
    assert "day.mp4 is not written. To make the rest: relight-cli" in done.err


def test_a_device_that_is_lost_stops_the_run(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch, changed: list[str]
) -> None:
    change = batch.Batch._change

    def lost(self: batch.Batch, job: batch.Job, original: batch.Original) -> batch.Changed:
        made = change(self, job, original)
        if job.source.name == "2.png":
            raise RuntimeError("CUDA error: unspecified launch failure")
        return made

    monkeypatch.setattr(batch.Batch, "_change", lost)
    done = command(*BATCH)
    assert (done.code, len(done.lines)) == (7, 1)
    assert "the device failed (CUDA error: unspecified launch failure)" in done.err
    assert len(changed) < COUNT
    assert again(done)[-1] == "--skip-existing"


def test_a_long_command_is_not_repeated(command: Command, photos: Path, failing: Callable) -> None:
    failing("ENOSPC", 0)
    names = [f"in/./{'./' * number}0.png" for number in range(1, 60)] + ["in/1.png"]
    done = command("albedo", *names, *BATCH[2:])
    assert done.code == 5
    assert done.err.endswith("To make the rest: the same command with --skip-existing\n")


def test_a_full_folder_for_temporary_files_stops_the_run(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exr = pytest.importorskip("OpenEXR")

    class Full:
        def __init__(self, header: dict, planes: dict) -> None: ...

        def write(self, path: str) -> None:
            raise RuntimeError(f'Cannot open image file "{path}". {os.strerror(errno.ENOSPC)}.')

    monkeypatch.setattr(exr, "File", Full)
    done = command(*BATCH[:-1], "out/{stem}.exr")
    assert (done.code, len(done.lines)) == (5, 1)
    assert f"No space left on device in {tempfile.gettempdir()}" in done.err
