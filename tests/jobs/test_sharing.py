"""Several processes on one folder share the work: every photo is made once, and nothing fails because another made it.

The processes are forked from one that has loaded the libraries, since starting Python with torch takes seconds.
"""

import errno
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Command
from filelock import FileLock
from forked import run_forked
from photo_fixtures import noise

from relight_cli.jobs import batch, claims
from relight_cli.photos.leftovers import claim_path_for, remove_leftovers
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
SAME = ("--model", "tiny", "--strength", "0")
COUNT = 30

PROCESSES = """
import fcntl, json, os, signal, sys, time
from pathlib import Path
from relight_cli.cli import main
from relight_cli.jobs import claims

def begin(arguments, prepare=lambda: None, report="r.jsonl"):
    '''Fork a run whose writing is slowed down; its report says what it made.'''
    child = os.fork()
    if child:
        return child
    output = os.open(f"{os.getpid()}.txt", os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    flush = os.fsync
    os.fsync = lambda handle: (time.sleep(0.004), flush(handle))
    prepare()
    sys.argv = ["relight-cli", *arguments, "--report", report]
    code = 1
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    os._exit(code)

def end(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

def without_locks():
    def refuse(handle, operation):
        raise OSError(refused, os.strerror(refused))
    fcntl.flock = refuse
    claims.LEASE = 3.0

def together(number, writer, name):
    '''Let as many runs begin before one of them goes on: a run that begins later replaces what it finds.'''
    before = writer.__init__
    def init(self, *arguments, **more):
        before(self, *arguments, **more)
        Path(f"{name}-{os.getpid()}.begun").touch()
        while len(list(Path().glob(f"{name}-*.begun"))) < number:
            time.sleep(0.01)
    writer.__init__ = init

sys.argv = ["relight-cli", *WARM]  # loads the libraries
try:
    main()
except SystemExit as stop:
    assert not stop.code
"""


def processes(folder: Path, script: str, **names: object) -> dict:
    """Run a script after PROCESSES in a folder; return what it prints last."""
    warm = ["albedo", "in/00.png", *SAME, "-o", "warm/", "-q", "--overwrite"]
    given = "".join(f"{name} = {value!r}\n" for name, value in {"WARM": warm, **names}.items())
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / ".hf"), "OMP_NUM_THREADS": "1"}
    done = run_forked(given + PROCESSES + script, cwd=folder, env=environment, text=True, quiet=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(COUNT):
        write_photo(Photo(noise((12, 16, 3), seed=number)), tmp_path / f"in/{number:02}.png")
    return tmp_path


def statuses(folder: Path, report: str = "r.jsonl") -> Counter:
    lines = (folder / report).read_text().splitlines()
    return Counter(json.loads(line)["status"] for line in lines)


def made(folder: Path) -> dict[str, int]:
    """Return how often each photo was made."""
    entries = [json.loads(line) for line in (folder / "r.jsonl").read_text().splitlines()]
    return Counter(entry["input"] for entry in entries if entry["status"] == "done")


def whole(folder: Path, *, hidden: str = "") -> None:
    outputs = sorted(path for path in folder.iterdir() if not (hidden and path.name.endswith(hidden)))
    assert [path.name for path in outputs] == [f"{number:02}_albedo.png" for number in range(COUNT)]
    for path in outputs:
        assert read_photo(path).pixels.shape == (12, 16, 3)


@needs_fork
@pytest.mark.parametrize("how", ["--skip-existing", "", "--overwrite", "outdated"])
def test_every_photo_is_made_once(photos: Path, how: str) -> None:
    asked = ["albedo", "in", *SAME, "-o", "out", "-q", *([how] if how[:1] == "-" else [])]
    if how in ("--overwrite", "outdated"):
        asked += ["--effort", "small"] if how == "--overwrite" else ["--effort", "small", "--skip-existing"]
        first = ["albedo", "in", *SAME, "-o", "out", "-q"]
        found = processes(photos, "print(json.dumps(end([begin(first, report='f.jsonl')])))", first=first)
        assert found == [0]
    script = """
from relight_cli.jobs.shared_jobs import SharedJobs

def prepare():
    if "--overwrite" in asked:
        together(4, SharedJobs, "photos")

print(json.dumps(end([begin(asked, prepare) for _ in range(4)])))
"""
    codes = processes(photos, script, asked=asked)
    assert set(codes) <= ({0} if how else {0, 5})  # 5: begun when the others had made an output
    assert made(photos) == {f"in/{number:02}.png": 1 for number in range(COUNT)}
    assert set(statuses(photos)) <= {"done", "skipped"}
    whole(photos / "out")


def test_a_sweep_of_the_folder_does_not_take_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It locks each claim file for a moment, to see whether it is left; the photo would come last in the report."""
    target = tmp_path / "a.png"
    lock = FileLock(claim_path_for(target, locked=True))
    lock.acquire()
    monkeypatch.setattr(claims.time, "sleep", lambda seconds: lock.release())
    mine = claims.Claims()
    assert mine.take(target)
    mine.release_all()
    assert not list(tmp_path.iterdir())


@pytest.fixture(params=["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def no_locks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A file system without locks."""
    fcntl = pytest.importorskip("fcntl")
    refused = getattr(errno, request.param)

    def refuse(handle: int, operation: int) -> None:
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_sweep_leaves_no_lock_where_there_are_none(tmp_path: Path, no_locks: None) -> None:
    """Another process removes its own between the listing of the folder and the locking, which makes it again."""
    claim_path_for(tmp_path / "a.png", locked=True).touch()
    remove_leftovers(tmp_path, set())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("no_locks", ["ENOLCK"], indirect=True)
def test_an_empty_claim_of_a_dead_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_locks: None) -> None:
    """A process that is killed between creating its claim and writing into it holds nothing for ever."""
    monkeypatch.setattr(claims, "LEASE", 0.1)
    target = tmp_path / "a.png"
    claim_path_for(target, locked=False).touch()
    mine = claims.Claims()
    assert not mine.take(target)
    assert any(mine.take(target) or time.sleep(0.05) for _ in range(200))
    assert not claims.Claims().take(target)
    mine.release_all()


@needs_fork
@pytest.mark.parametrize("refused", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_a_file_system_without_locks(photos: Path, refused: str) -> None:
    asked = ["albedo", "in", *SAME, "-o", "out", "-q", "--skip-existing"]
    script = """
import errno
refused = getattr(errno, refused)
killed = begin(asked, without_locks, "killed.jsonl")
while len(list(Path("out").glob("[0-9]*")) if Path("out").exists() else []) < 3:
    time.sleep(0.005)
os.kill(killed, signal.SIGKILL)
os.waitpid(killed, 0)
left = [path.name for path in Path("out").glob(".*.claim")]
print(json.dumps({"left": left, "codes": end([begin(asked, without_locks) for _ in range(3)])}))
"""
    found = processes(photos, script, asked=asked, refused=refused)
    assert found["left"]
    assert found["codes"] == [0, 0, 0]
    assert set(made(photos).values()) == {1}
    assert set(statuses(photos)) == {"done", "skipped"}
    whole(photos / "out", hidden=".claim")  # of the killed process: a later run removes it


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_where_no_claim_can_be_made_nothing_is_waited_for() -> None:
    assert claims.Claims().take(Path("/proc/photo.png"))


@needs_fork
def test_the_claims_of_a_killed_process_are_free(photos: Path) -> None:
    asked = ["albedo", "in", *SAME, "-o", "out", "-q", "--skip-existing"]
    script = """
others = [begin(asked) for _ in range(2)]
killed = begin(asked, report="killed.jsonl")
while len(list(Path("out").glob("[0-9]*")) if Path("out").exists() else []) < 5:
    time.sleep(0.005)
os.kill(killed, signal.SIGKILL)
print(json.dumps(end([killed, *others])))
"""
    assert processes(photos, script, asked=asked) in ([-9, 0, 0], [0, 0, 0])
    assert set(made(photos).values()) == {1}
    whole_names = {path.name for path in (photos / "out").iterdir() if not path.name.startswith(".")}
    assert len(whole_names) == COUNT
    (photos / "out/00_albedo.png").unlink()
    assert processes(photos, "print(json.dumps(end([begin(asked)])))", asked=asked) == [0]
    whole(photos / "out")  # what the killed process left is gone


MOVING = ("relight", "in/00.png", "--model", "tiny", "--sun-at", "07:00..19:00", "--date", "2026-06-21", "--place")
FRAMES = {
    "interpolated": ["interpolate-timelapse", "in", "--between", "1", "--mode", "image", "-q"],
    "moving sun": [*MOVING, "48.14,11.58", "--facing", "S", "--frames", "24", "-q"],
}


@needs_fork
@pytest.mark.parametrize("asked", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("how", ["--skip-existing", "--overwrite"])
def test_every_frame_is_made_once(photos: Path, asked: list[str], how: str) -> None:
    script = """
def counted(name):
    from relight_cli.timelapse.writers import FolderWriter
    for method in ("copy", "write"):
        def write(self, number, *rest, before=getattr(FolderWriter, method)):
            with open(name, "a") as file:
                file.write(f"{number}\\n")
            return before(self, number, *rest)
        setattr(FolderWriter, method, write)
    together(3, FolderWriter, name)
codes = end([begin(asked, lambda: counted("made.txt")) for _ in range(3)])
killed = begin([*asked[:-1], "other"], lambda: counted("left.txt"))
others = [begin([*asked[:-1], "other"], lambda: counted("left.txt")) for _ in range(2)]
while len(list(Path("other").glob("frame_*")) if Path("other").exists() else []) < 5:
    time.sleep(0.005)
os.kill(killed, signal.SIGKILL)
print(json.dumps([codes, end([killed, *others])[1:]]))
"""
    assert processes(photos, script, asked=[*asked, how, "-o", "out"]) == [[0, 0, 0], [0, 0]]
    count = 24 if "relight" in asked else 2 * COUNT - 1
    numbers = [int(line) for line in (photos / "made.txt").read_text().splitlines()]
    assert sorted(numbers) == list(range(count))
    left = Counter(int(line) for line in (photos / "left.txt").read_text().splitlines())
    assert set(left) == set(range(count))
    assert sum(left.values()) <= count + 1  # one was killed at its writing
    for path in sorted((photos / "out").glob("frame_*")):
        assert path.read_bytes() == (photos / "other" / path.name).read_bytes()
    assert not list((photos / "out").glob(".*"))


@needs_fork
@pytest.mark.parametrize("how", ["--skip-existing", "--overwrite", "-q"])
@pytest.mark.parametrize("asked", FRAMES.values(), ids=FRAMES)
def test_a_video_is_made_once(photos: Path, asked: list[str], how: str) -> None:
    pytest.importorskip("av")
    script = """
def counted():
    from relight_cli.timelapse.writers import VideoFileWriter
    before = VideoFileWriter.write
    def write(self, number, photo):
        with open("made.txt", "a") as file:
            file.write(f"{number}\\n")
        return before(self, number, photo)
    VideoFileWriter.write = write
    together(3, VideoFileWriter, "video")
print(json.dumps(end([begin(asked, counted) for _ in range(3)])))
"""
    codes = processes(photos, script, asked=[*asked, how, "-o", "day.mp4"])
    assert set(codes) <= ({0, 5} if how == "-q" else {0})  # 5: begun when the video existed
    numbers = [int(line) for line in (photos / "made.txt").read_text().splitlines()]
    assert sorted(numbers) == list(range(24 if "relight" in asked else 2 * COUNT - 1))
    assert set(statuses(photos)) <= {"done", "skipped"}


@needs_fork
def test_a_broken_photo_fails_in_each_process(photos: Path) -> None:
    (photos / "in/05.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    asked = ["albedo", "in", *SAME, "-o", "out", "-q", "--skip-existing"]
    assert processes(photos, "print(json.dumps(end([begin(asked) for _ in range(2)])))", asked=asked) == [23, 23]
    assert statuses(photos) == {"done": COUNT - 1, "skipped": COUNT - 1, "failed": 2}


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something while the first photo is computed."""

    def do(act: Callable[[], None]) -> None:
        change = batch.Batch._change

        def changed(self: batch.Batch, job: batch.Job, original: batch.Original) -> batch.Changed:
            result = change(self, job, original)
            if job.source.name == "00.png":
                act()
            return result

        monkeypatch.setattr(batch.Batch, "_change", changed)

    return do


@pytest.mark.parametrize("number", ["00", "20"])
def test_an_output_that_appears_is_skipped(command: Command, photos: Path, during: Callable, number: str) -> None:
    during(lambda: Path(f"out/{number}_albedo.png").write_bytes(b"mine"))
    done = command("albedo", "in", *SAME, "-o", "out", "--skip-existing", "--report", "r.jsonl")
    assert done.code == 0
    assert statuses(photos) == {"done": COUNT - 1, "skipped": 1}
    assert Path(f"out/{number}_albedo.png").read_bytes() == b"mine"
    assert sum(f"{number}" in line for line in done.lines) == 1


@pytest.mark.parametrize("number", ["00", "20"])
def test_an_output_that_is_painted_on_during_the_run_stays(
    command: Command, photos: Path, during: Callable, number: str
) -> None:
    asked = ("albedo", "in", *SAME, "-o", "out", "--skip-existing")
    assert command(*asked).code == 0
    output = Path(f"out/{number}_albedo.png")
    painted = b"painted on " + output.read_bytes()
    during(lambda: output.write_bytes(painted))
    done = command(*asked, "--effort", "fast", "--report", "r.jsonl")
    assert done.code == 0
    assert output.read_bytes() == painted
    assert statuses(photos) == {"done": COUNT - 1, "skipped": 1}


def test_a_run_waits_for_what_another_process_is_making(
    command: Command, photos: Path, during: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, target = claims.Claims(), Path("out/20_albedo.png")
    assert other.take(target)
    assert claims.is_claimed(target)
    monkeypatch.setattr("time.sleep", lambda seconds: other.release(target) if seconds == claims.POLL else None)
    done = command("albedo", "in", *SAME, "-o", "out", "--skip-existing", "--report", "r.jsonl")
    assert (done.code, done.lines[0]) == (0, "waiting for photos that other processes are making (1).")
    assert json.loads(Path("r.jsonl").read_text().splitlines()[-1])["input"] == "in/20.png"
    whole(Path("out"))
    assert not claims.is_claimed(target)


def test_where_no_claim_can_be_made_it_is_granted(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(claims.Claims, "_new_lock", refuse)
    assert command("albedo", "in", *SAME, "-o", "out", "-q").code == 0
    whole(Path("out"))
