"""What a run tells while it works: bars on a terminal, lines of JSON for programs, nothing in scripts."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Command
from forked import run_forked
from photo_fixtures import noise
from test_signals import PROGRAM

from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.evaluation.options import EvaluateOptions
from relight_cli.jobs import progress, progress_bars
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.progress import Outcome, RunProgress
from relight_cli.jobs.resuming import resume_command
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

TINY = ("--model", "tiny")
OnTerminal = Callable[..., str]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with five small photos in its subfolder `in`."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        write_photo(Photo(noise((30, 40, 3), seed=number)), tmp_path / "in" / f"{number}.png")
    return tmp_path


class Terminal:
    """A pseudo-terminal of 100 columns, and all that is written to it."""

    def __init__(self, columns: int) -> None:
        termios = pytest.importorskip("termios", reason="no pseudo-terminals here")
        self.reader, writer = os.openpty()
        termios.tcsetwinsize(writer, (24, columns))
        self.stream, self.text = os.fdopen(writer, "w"), ""
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        data = b""
        while not data.endswith(b"\0"):
            data += os.read(self.reader, 1 << 16)
        self.text = data[:-1].decode()

    def closed(self) -> str:
        """Close the terminal and return what it showed."""
        self.stream.write("\0")
        self.stream.close()
        self.thread.join()
        os.close(self.reader)
        return self.text


@pytest.fixture
def on_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnTerminal]:
    """Run the command line with a terminal as stderr; return what it shows."""

    def run(*arguments: object, columns: int = 100, code: int = 0) -> str:
        terminal = Terminal(columns)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", terminal.stream)
            done = command(*arguments)
        shown = terminal.closed()
        assert done.code == code, shown
        return shown

    yield run
    progress.forget_progress()


def events(text: str) -> list[dict]:
    """Return the events of a run; all are described in the documents, with all of their fields."""
    told = [json.loads(line) for line in text.splitlines()]
    described = documented_events()
    assert all(set(event) - {"event"} <= described[event["event"]] for event in told)
    return told


def documented_events() -> dict[str, set[str]]:
    """Return the fields of each event in the table of docs/scripts.md."""
    page = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text().partition("## Progress")[2]
    rows = [line.split("|") for line in page.partition("## Exit codes")[0].splitlines() if line.startswith("| `")]
    return {name: set(re.findall(r"`(\w+)`", row[2])) for row in rows for name in re.findall(r"`(\w+)`", row[1])}


# --- on a terminal


@pytest.mark.parametrize("columns", [100, 0])
def test_a_batch_has_one_bar_with_its_rate_and_the_time_left(
    photos: Path, on_terminal: OnTerminal, columns: int
) -> None:
    shown = on_terminal("deshadow", "in", *TINY, "-o", "out", columns=columns)
    assert re.search(r"deshadow +0%\|.*\| 0/5", shown)
    assert re.search(r"deshadow +60%\|.*\| 3/5, [\d.]+ photos/min, \d+ seconds? left", shown)
    assert "0.png " not in shown  # small photos have no bar of their own
    assert shown.splitlines()[-1].strip().startswith("5 photos in out/: written in ")


def test_a_large_photo_of_a_batch_has_a_bar_of_tiles(
    photos: Path, on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_bars, "WHILE", -1.0)
    write_photo(Photo(noise((400, 600, 3))), photos / "in" / "large.png")
    shown = on_terminal("deshadow", "in", *TINY, "--max-side", "0", "-o", "out")
    assert re.search(r"large\.png +\d+%\|.*\| [1-9]\d*/\d+ tiles", shown)


def test_one_photo_has_a_bar_of_tiles_and_its_output_is_named(photos: Path, on_terminal: OnTerminal) -> None:
    shown = on_terminal("deshadow", "in/0.png", *TINY)
    assert re.search(r"0\.png 100%\|.*\| 1/1 tile, writing", shown)
    assert "deshadow: loading the network ..." in shown
    assert shown.splitlines()[-1].strip().startswith("in/0_deshadowed.png: written in ")


def test_skipped_photos_count_and_are_not_said_to_be_written(photos: Path, on_terminal: OnTerminal) -> None:
    on_terminal("albedo", "in", *TINY, "--strength", 0, "-o", "out")
    (photos / "out" / "3_albedo.png").unlink()
    shown = on_terminal("albedo", "in", *TINY, "--strength", 0, "-o", "out", "--skip-existing")
    assert "5/5" in shown
    assert shown.splitlines()[-1].strip().startswith("out/3_albedo.png: written in ")
    nothing = on_terminal("albedo", "in", *TINY, "--strength", 0, "-o", "out", "--skip-existing")
    assert "written" not in nothing


def test_notes_and_failures_stand_on_lines_of_their_own(photos: Path, on_terminal: OnTerminal) -> None:
    (photos / "in" / "2.png").write_bytes(b"no picture")
    shown = on_terminal("deshadow", "in", *TINY, "-o", "out", code=23)
    (line,) = [line for line in shown.splitlines() if "in/2.png" in line]
    assert re.search(r"(^|\r)in/2\.png: ", line)
    assert "4 photos in out/" in shown


def test_quiet_shows_nothing(photos: Path, on_terminal: OnTerminal) -> None:
    assert on_terminal("deshadow", "in", *TINY, "-o", "out", "--quiet") == ""


def test_frames_have_a_bar(photos: Path, on_terminal: OnTerminal) -> None:
    shown = on_terminal("interpolate-timelapse", "in", "--mode", "image", "--between", 1, "-o", "out")
    assert re.search(r"interpolate-timelapse 100%\|.*\| 9/9, [\d.]+ frames/min", shown)
    assert "9 frames in out/: written in " in shown


def test_the_first_sign_comes_before_anything_slow(photos: Path) -> None:
    pytest.importorskip("termios", reason="no pseudo-terminals here")
    program = """
import os, sys
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "cv2"):
            os.write(1, b"slow")
sys.meta_path.insert(0, Slow())
from relight_cli.__main__ import main
sys.argv = ["relight-cli", "albedo", "in", "--model", "tiny", "-o", "out"]
main()
"""
    terminal = Terminal(100)
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=photos, stdout=terminal.stream, stderr=terminal.stream
    )
    assert process.wait() == 0
    shown = terminal.closed()
    assert 0 < shown.index("looking at the files") < shown.index("slow")


def test_without_a_terminal_there_is_no_bar(photos: Path, command: Command) -> None:
    assert command("deshadow", "in/0.png", *TINY).err == ""
    assert re.fullmatch(
        r"4 photos: 4 done, in [\d.]+ s\.\n", command("deshadow", "in/[1-4].png", *TINY, "-o", "o/").err
    )


# --- for programs


def test_a_run_in_events(photos: Path, command: Command) -> None:
    (photos / "in" / "2.png").write_bytes(b"no picture")
    done = command("deshadow", "in", *TINY, "-o", "out", "--progress", "json")
    told = events(done.err)
    kinds = [event["event"] for event in told]
    assert (done.code, done.out) == (23, b"")
    assert kinds[0] == "start"
    assert (told[0]["schema"], told[0]["command"]) == (1, "deshadow")
    assert kinds.index("stage") < kinds.index("plan") < kinds.index("progress") < kinds.index("photo")
    assert told[kinds.index("plan")] == {"event": "plan", "total": 5, "unit": "photo"}
    outcomes = [event for event in told if event["event"] == "photo"]
    assert [event["status"] for event in outcomes] == ["done", "done", "failed", "done", "done"]
    assert [event["finished"] for event in outcomes] == [1, 2, 3, 4, 5]
    assert (outcomes[0]["input"], outcomes[0]["output"]) == ("in/0.png", "out/0_deshadowed.png")
    assert (outcomes[2]["output"], outcomes[2]["error"]) == (None, "PhotoUnreadableError")
    assert "in/2.png" in outcomes[2]["message"]
    assert outcomes[0]["per_minute"] > 0
    assert kinds.count("end") == 1
    assert told[-1] | {"seconds": 0} == {
        "event": "end", "exit_code": 23, "done": 4, "skipped": 0, "failed": 1, "seconds": 0, "resume": None,
    }  # fmt: skip


@pytest.mark.parametrize("options", [PhotoCommandOptions, DepthCommandOptions, EvaluateOptions])
def test_downloads_draw_no_bar_among_events(options: Callable[..., PhotoCommandOptions]) -> None:
    bars = {mode: options(progress=mode).model_arguments()["progress"] for mode in progress.ProgressMode}
    assert bars == {mode: mode != progress.ProgressMode.JSON for mode in progress.ProgressMode}


def test_quiet_leaves_the_notes_out_of_events(photos: Path, command: Command) -> None:
    command("albedo", "in", *TINY, "--strength", 0, "-o", "in")
    loud = events(command("albedo", "in", *TINY, "--strength", 0, "-o", "in", "--overwrite", "--progress", "json").err)
    quiet = events(
        command("albedo", "in", *TINY, "--strength", 0, "-o", "in", "--overwrite", "--progress", "json", "-q").err
    )
    assert any(event["event"] == "note" for event in loud)
    assert [event["event"] for event in quiet if event["event"] in ("note", "end")] == ["end"]


@pytest.mark.parametrize("words", [("--progress", "json"), ("--progress=json",)])
def test_errors_are_events_too(photos: Path, command: Command, words: tuple[str, ...]) -> None:
    for arguments, code in ((("deshadow", "in", "--bogus"), 2), (("deshadow", "absent.png"), 4)):
        done = command(*arguments, *TINY, *words)
        told = events(done.err)
        assert (done.code, told[-1]["exit_code"]) == (code, code)
        assert [event["event"] for event in told[-2:]] == ["error", "end"]
    done = command("deshadow", "absent.png", *TINY, *words, "-v")
    assert [event["event"] for event in events(done.err)[-3:]] == ["error", "traceback", "end"]


def test_the_picture_on_stdout_stays_alone(photos: Path, command: Command) -> None:
    done = command("deshadow", "in/0.png", *TINY, "-o", "-", "--progress", "json")
    assert done.out.startswith(b"\x89PNG")
    assert events(done.err)[-1]["done"] == 1


def test_progress_changes_no_output(photos: Path, command: Command) -> None:
    command("albedo", "in", *TINY, "--strength", 0, "-o", "out")
    done = command("albedo", "in", *TINY, "--strength", 0, "-o", "out", "--skip-existing", "--progress", "json")
    assert events(done.err)[-1]["skipped"] == 5


# --- interruptions

INTERRUPTED = """
written = 0
write = batch.write_photo
def interrupting(*arguments, **named):
    global written
    written += 1
    if written == 2:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    return write(*arguments, **named)
batch.write_photo = interrupting
sys.argv = ["relight-cli", "albedo", "in", "--model", "tiny", "--strength", "0", "-o", "my out"]
sys.argv += MORE
"""


def interrupted(folder: Path, *more: str) -> str:
    """Run a batch that is interrupted while its second photo is written; return stderr."""
    program = f"MORE = {list(more)!r}\n{PROGRAM}\n{INTERRUPTED}\nmain()"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = run_forked(program, ["SIGINT"], cwd=folder, env=environment, text=True, quiet=True)
    assert done.returncode == 130, done.stderr
    return done.stderr


def test_ctrl_c_says_what_is_done_and_how_to_make_the_rest(photos: Path, command: Command) -> None:
    (line,) = interrupted(photos, "--overwrite").splitlines()
    found = re.fullmatch(
        r"relight-cli: interrupted: (\d) of 5 photos are done; to make the rest: relight-cli (.*)", line
    )
    assert found
    assert int(found[1]) == len(list((photos / "my out").iterdir())) < 5
    assert found[2] == "albedo in --model tiny --strength 0 -o 'my out' --skip-existing"
    assert command("albedo", "in", *TINY, "--strength", 0, "-o", "my out", "--skip-existing").code == 0
    assert len(list((photos / "my out").iterdir())) == 5


def test_an_interruption_is_an_event(photos: Path) -> None:
    told = events(interrupted(photos, "--progress", "json"))
    assert [event["event"] for event in told[-2:]] == ["error", "end"]
    assert told[-1]["exit_code"] == 130
    assert told[-1]["resume"].endswith("--skip-existing")


# --- the numbers


def test_rate_and_time_left_count_begun_photos_in_part() -> None:
    now = 0.0
    run = RunProgress("deshadow", lambda: now)
    now = 100.0
    run.plan(100)
    assert run.rate() is None
    for number in range(10):  # skipped photos say nothing about the speed
        run.finish_one(Outcome(f"{number}.png", f"{number}.png", "skipped"))
    now = 160.0
    for number in range(39):
        run.finish_one(Outcome(f"{number}.png", f"{number}.png", "done"))
    run.step("last.png", 5, 5)
    assert run.rate() == (40.0, 75.0)
    assert run.finished == 49


@pytest.mark.parametrize(
    ("command", "total", "unit", "parts", "words"),
    [
        ("deshadow", 0, "photo", False, "interrupted."),
        ("deshadow", 1, "photo", False, "interrupted before the output was written; run it again."),
        ("deshadow", 9, "photo", False, "interrupted: 0 of 9 photos are done; to make the rest: "),
        ("refine-depth", 1, "photo", True, "interrupted before the output was written; to make it: "),
        ("interpolate-timelapse", 9, "frame", True, "interrupted: 0 of 9 frames are done; to make the rest: "),
        ("interpolate-timelapse", 9, "frame", False, "interrupted before the output was written; run it again."),
    ],
)
def test_last_words_fit_what_is_kept(command: str, total: int, unit: str, parts: bool, words: str) -> None:
    run = RunProgress(command)
    run.has_parts = parts
    if total:
        run.plan(total, unit)
    assert run.last_words("interrupted").startswith(words)
    assert (run.resume() is None) is words.endswith(".")


def test_resuming_replaces_overwrite_and_names_no_stdin() -> None:
    assert resume_command(["deshadow", "a.png", "--overwrite"]) == "relight-cli deshadow a.png --skip-existing"
    assert resume_command(["deshadow", "--", "-a.png"]) == "relight-cli deshadow --skip-existing -- -a.png"
    assert resume_command(["deshadow", "@-"]) == "the same command with --skip-existing"
    assert resume_command(["deshadow", *["a.png"] * 1000]) == "the same command with --skip-existing"
    assert resume_command(["refine-depth", "a.png", "--resume"], ()) == "relight-cli refine-depth a.png --resume"
