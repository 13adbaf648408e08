"""Usage errors, and the commands that --help lists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Command


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("nonsense", "No such command 'nonsense'; see 'relight-cli --help'."),
        ("relight --light a.png", "Missing argument 'PHOTO'; see 'relight-cli relight --help'."),
        ("deshadow", "Missing argument 'PHOTO'; see 'relight-cli deshadow --help'."),
        ("albedo -o", "Option '-o' requires an argument; see 'relight-cli --help'."),
        ("albedo a.png --dtype int8", "Invalid value for '--dtype': 'int8' is not one of"),
        ("weights nonsense", "No such command 'nonsense'; see 'relight-cli weights --help'."),
    ],
)
def test_a_usage_error_is_one_line_with_a_remedy(command: Command, words: str, line: str) -> None:
    done = command(*words.split())
    assert (done.code, done.out, len(done.lines)) == (2, b"", 1)
    assert done.err.startswith(f"relight-cli: {line}")
    assert done.err.endswith("--help'.\n")


def test_a_file_whose_name_starts_with_a_dash(command: Command) -> None:
    Path("-dash.jpg").touch()
    done = command("albedo", "-dash.jpg")
    assert (done.code, done.lines) == (2, ["relight-cli: No such option: -d; to name the file, write ./-dash.jpg."])


@pytest.mark.parametrize("words", ["--help", "weights --help"])
def test_commands_are_listed_in_whole_sentences(command: Command, words: str) -> None:
    listed = command(*words.split()).out.decode().partition("Commands:\n")[2].splitlines()
    assert len(listed) >= 5
    assert all(re.fullmatch(r"  [a-z-]+ +[A-Z].*[^.]\.", line) for line in listed)


def test_ctrl_c_during_the_import() -> None:
    program = """
import signal, sys
class Typer:  # intercepts the first slow import
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Typer())
from relight_cli.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "relight-cli: interrupted.\n")
