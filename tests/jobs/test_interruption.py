"""After a kill, an interruption or a full disk every output is whole, and a second run makes the rest.

Each run is the command line in a child process, forked after the libraries are loaded, since starting Python with torch
takes seconds.
"""

import json
import os
from pathlib import Path

import pytest
from forked import run_forked
from photo_fixtures import noise

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

RUNS = """
import json, os, random, resource, signal, sys, tempfile, time
from pathlib import Path
sys.stdout.reconfigure(line_buffering=True)
from relight_cli.cli import main
from relight_cli.photos import atomic_files

ARGUMENTS = ["relight-cli", "albedo", "in", "--model", "tiny", "--strength", "0", "-o", "out", "--skip-existing"]

def run(act=lambda child: None, prepare=lambda: None, arguments=ARGUMENTS):
    '''Fork a run; return its exit code (or minus the signal) and its output.'''
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            prepare()
            sys.argv = arguments
            code = 1
            try:
                main()
            except SystemExit as stop:
                code = int(stop.code or 0)
            except BaseException as error:
                print("TORN", repr(error), file=sys.stderr)
            sys.stderr.flush()
            atomic_files._clear_up()  # what a normal exit calls
            os._exit(code)
        act(child)
        status = os.waitpid(child, 0)[1]
        output.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "output": output.read().decode(errors="replace")}

def halted(number, latest, seconds=0.02):
    '''Send a signal to a run at a random moment of its writing, which is slowed down.'''
    reader, writer = os.pipe()
    def prepare():
        flush = os.fsync
        def slow(handle):
            os.write(writer, b"!")
            time.sleep(seconds)
            flush(handle)
        os.fsync = slow
    def act(child):
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        time.sleep(random.uniform(0, latest))
        os.kill(child, number)
    return run(act, prepare)

def emit(**facts):
    print(json.dumps(facts))

with tempfile.TemporaryDirectory() as folder:  # one run in this process loads all libraries
    sys.argv = [*ARGUMENTS[:2], str(next(Path().rglob("*.png"))), *ARGUMENTS[3:6], "0", "-o", folder]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
"""


def runs(script: str, folder: Path) -> list[dict]:
    """Run RUNS and a script in a folder; return the facts that it emits."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / ".hf"), "OMP_NUM_THREADS": "1"}
    done = run_forked(RUNS + script, cwd=folder, env=environment, text=True, quiet=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with twelve photos in its subfolder `in`."""
    (tmp_path / "in").mkdir()
    for number in range(12):
        write_photo(Photo(noise((30, 40, 3), seed=number)), tmp_path / "in" / f"{number:02}.png")
    return tmp_path


def whole(folder: Path) -> set[str]:
    """Read every output; return their names."""
    outputs = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    for path in outputs:
        assert (read_photo(path, max_pixels=10**6).pixels.shape) == (30, 40, 3)
    return {path.name for path in outputs}


ALL = {f"{number:02}_albedo.png" for number in range(12)}


def test_fifty_kills_damage_no_file(photos: Path) -> None:
    before = {path: path.read_bytes() for path in (photos / "in").iterdir()}
    script = """
random.seed(4)
for _ in range(50):
    outcome = halted(signal.SIGKILL, 0.2, 0.03)
    outputs = sorted(Path("out").glob("[0-9]*"))
    emit(**outcome, outputs=len(outputs), hidden=[path.name for path in Path("out").glob(".*")])
    for path in random.sample(outputs, len(outputs) // 2):
        path.unlink()
emit(**run())
"""
    *killed, last = runs(script, photos)
    assert sum(one["code"] == -9 for one in killed) > 25
    assert len({one["outputs"] for one in killed}) > 5
    assert last["code"] == 0
    assert whole(photos / "out") == ALL
    assert any(one["hidden"] for one in killed)
    assert not list((photos / "out").glob(".*"))  # left by killed runs
    assert before == {path: path.read_bytes() for path in (photos / "in").iterdir()}


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_signals_between_and_inside_writes(photos: Path, number: str, code: int) -> None:
    script = f"""
random.seed(5)
for _ in range(8):
    outcome = halted(signal.{number}, 0.4)
    emit(**outcome, hidden=[path.name for path in Path("out").glob(".*")])
emit(**run())
"""
    *stopped, last = runs(script, photos)
    assert any(one["code"] == code for one in stopped)
    assert {one["code"] for one in stopped} <= {0, code}
    for one in stopped:
        assert one["hidden"] == []
        assert "Traceback" not in one["output"]
        assert one["code"] == 0 or one["output"].count("\n") == 1
    assert last["code"] == 0
    assert whole(photos / "out") == ALL


def test_a_full_disk_fails_only_what_does_not_fit(photos: Path) -> None:
    write_photo(Photo(noise((200, 200, 3))), photos / "in" / "large.png")
    script = """
def no_room():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
emit(**run(prepare=no_room), hidden=[path.name for path in Path("out").glob(".*")])
emit(**run(prepare=no_room, arguments=[*ARGUMENTS[:2], "in/large.png", *ARGUMENTS[3:]]))
"""
    batch, alone = runs(script, photos)
    assert batch["code"] == 23
    assert "in/large.png" in batch["output"]
    assert "File too large" in batch["output"]
    assert batch["hidden"] == []
    assert whole(photos / "out") == ALL
    assert (alone["code"], alone["output"].count("\n")) == (5, 1)


def test_a_read_only_folder_is_refused_first(tmp_path: Path) -> None:
    script = """
folder = Path(tempfile.mkdtemp())
folder.chmod(0o755)
sys.stdin.close()
import shutil
shutil.copy("a.png", folder)
(folder / "a.png").chmod(0o644)
def nobody():
    os.chdir(folder)
    if os.getuid() == 0:
        os.setuid(65534)
    else:
        folder.chmod(0o555)
for output in ([], ["-o", "new/deep/"], ["-o", "b.png"]):
    emit(**run(prepare=nobody, arguments=["relight-cli", "albedo", "a.png", "--model", "tiny", *output]),
         files=sorted(path.name for path in folder.rglob("*")))
folder.chmod(0o755)
shutil.rmtree(folder)
"""
    write_photo(Photo(noise((30, 40, 3))), tmp_path / "a.png")
    for one in runs(script, tmp_path):
        assert (one["code"], one["files"]) == (5, ["a.png"]), one
        assert one["output"].count("\n") == 1
        assert "not a writable folder" in one["output"]
