"""Every command of the README is run, and what it shows is there."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from command_line import Command
from documents import README, ROOT, code_blocks, commands

from relight_cli.errors import ExitCode

TEXT = README.read_text(encoding="utf-8")
FAILURES = {  # a command that cannot succeed here, its exit code, and words of its message
    "refine-depth": (ExitCode.MODEL, "weights fetch refine-depth"),  # the published weights are not in the repository
}
DRAWN = {"timelapse.jpg"}  # sheets that examples/make.py puts together of several outputs


@pytest.mark.parametrize("line", commands(README))
def test_every_command_runs_in_the_examples(line: str, tmp_path: Path, command: Command) -> None:
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    program, *arguments = shlex.split(line)
    assert program == "relight-cli"
    code, words = FAILURES.get(arguments[0], (ExitCode.OK, ""))
    outcome = command(*arguments)
    assert outcome.code == code, outcome.err
    assert words in outcome.err
    if code == ExitCode.OK:
        section = TEXT.split(f"$ {line}\n")[1].split("\n### ")[0]
        shown = {Path(name).name for name in re.findall(r"!\[[^]]*\]\((.+?)\)", section)}
        assert shown
        made = {path.name for path in (tmp_path / "out").iterdir()}
        assert shown - DRAWN <= {*arguments, *made}, "the pictures are those of the command"


def test_every_task_has_a_command() -> None:
    tasks = re.findall(r"^### ([\w-]+):", TEXT, re.MULTILINE)
    assert tasks == [line.split()[1] for line in commands(README)]
    assert tasks == ["relight", "deshadow", "albedo", "interpolate-timelapse", "refine-depth"]


def test_every_make_target_exists() -> None:
    shell = "\n".join(block for _, block in code_blocks(README, "sh"))
    named = {*re.findall(r"^make (\w+)", shell, re.MULTILINE), *re.findall(r"`make (\w+)`", TEXT)}
    assert {"test", "docs", "man", "examples"} <= named
    assert named <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 150
