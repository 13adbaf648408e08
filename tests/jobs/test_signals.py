"""Signals at the moments that are hard to meet by chance: native code, destructors, the end of the program."""

import os
from pathlib import Path

import pytest
from forked import run_forked
from photo_fixtures import noise

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path
import torch
from relight_cli.__main__ import main
from relight_cli.jobs import batch

def send(*moments):
    '''Send the signal to this process at these moments, in seconds from now.'''
    def act():
        last = 0
        for moment in moments:
            time.sleep(moment - last)
            os.kill(os.getpid(), number)
            last = moment
    threading.Thread(target=act, daemon=True).start()

def native(seconds):
    '''Stay in native code most of the time, without Python's lock.'''
    until, ones = time.monotonic() + seconds, torch.ones(10**7)
    while time.monotonic() < until:
        ones.sum()

def writing_takes(seconds, *moments):
    '''Make the writing of a photo take long, and send signals meanwhile.'''
    write = batch.write_photo
    def slow(*arguments, **named):
        send(*moments)
        native(seconds)
        Path("was written").touch()
        return write(*arguments, **named)
    batch.write_photo = slow

number = getattr(signal, sys.argv[1])
sys.argv = ["relight-cli", "albedo", "photo.png", "--model", "tiny", "--strength", "0", "-o", "out.png"]
"""


def ended(folder: Path, number: str, script: str) -> tuple[int, str]:
    """Run PROGRAM, a script and the command line; return the exit code and what stderr shows."""
    write_photo(Photo(noise((30, 40, 3))), folder / "photo.png")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    program = f"{PROGRAM}\n{script}\nmain()"
    done = run_forked(program, [number], cwd=folder, env=environment, text=True, quiet=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_file_that_is_begun_is_finished_before_the_end(tmp_path: Path, number: str, code: int) -> None:
    returned, said = ended(tmp_path, number, "writing_takes(2, 0.5)")
    assert (returned, said.count("\n")) == (code, 1), said
    assert read_photo(tmp_path / "out.png", max_pixels=10**6).pixels.shape == (30, 40, 3)


def test_a_run_ends_in_order_when_its_terminal_is_closed(tmp_path: Path) -> None:
    script = """
terminal, stderr = os.openpty()
os.dup2(stderr, 2)
os.close(stderr)
os.close(terminal)
writing_takes(0.3, 0.1)
"""
    assert ended(tmp_path, "SIGHUP", script)[0] == 143
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "out.png", "was written"}


def test_a_terminal_that_is_closed_ends_no_run_under_nohup(tmp_path: Path) -> None:
    assert ended(tmp_path, "SIGHUP", "signal.signal(number, signal.SIG_IGN)\nwriting_takes(0.3, 0.1)") == (0, "")
    assert (tmp_path / "out.png").exists()


def test_a_signal_that_is_sent_twice_at_once_counts_once(tmp_path: Path) -> None:
    returned, said = ended(tmp_path, "SIGTERM", "writing_takes(2, 0.5, 0.6)")
    assert (returned, said.count("\n")) == (143, 1), said
    assert (tmp_path / "out.png").exists()


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    script = """
from relight_cli.photos import atomic_files
def hang(path):
    Path("began").touch()
    send(0.2, 1.7)
    native(600)
atomic_files._flush = hang
"""
    returned, said = ended(tmp_path, "SIGINT", script)
    assert (returned, said.count("\n")) == (130, 1), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["began", "photo.png"]


def test_an_interruption_is_not_lost_in_a_destructor(tmp_path: Path) -> None:
    script = """
make = batch.Batch._make
class Dying:
    def __del__(self):
        signal.raise_signal(number)
        time.sleep(0)  # where the handler runs at the latest
def dying(self, one, after):
    Dying()
    time.sleep(60)
    Path("was made").touch()
batch.Batch._make = dying
"""
    returned, said = ended(tmp_path, "SIGINT", script)
    assert (returned, said.count("\n")) == (130, 1), said
    assert not (tmp_path / "was made").exists()


def test_a_main_thread_that_hangs_after_a_signal_is_left(tmp_path: Path) -> None:
    script = """
from relight_cli import interruption
interruption.PATIENCE = 0.5
def hang(self, one, after):
    send(0.2)
    try:
        time.sleep(60)
    finally:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
batch.Batch._make = hang
"""
    returned, said = ended(tmp_path, "SIGTERM", script)
    assert (returned, said.count("\n")) == (143, 1), said


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_after_the_work_is_done_changes_nothing(tmp_path: Path, number: str) -> None:
    script = """
def last():
    while not Path("out.png").exists():
        time.sleep(0.01)
    time.sleep(0.5)  # the main thread waits for this one
    os.kill(os.getpid(), number)
    time.sleep(0.2)
threading.Thread(target=last).start()
"""
    assert ended(tmp_path, number, script) == (0, "")
