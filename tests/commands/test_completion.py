"""Shell completion, through bash itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETE = """
source <(relight-cli --show-completion)
complete -p relight-cli
COMP_WORDS=(relight-cli {words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_relight_cli_completion relight-cli
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("re", ["relight", "refine-depth", "report"]),
        ("relight --model ''", ["auto", "crocodilight", "tiny"]),
        ("weights fe", ["fetch"]),
        ("deshadow --save", ["--save-mask"]),
        ("studio --no-b", ["--no-browser"]),
    ],
)
def test_bash_completes(words: str, completions: list[str], tmp_path: Path) -> None:
    program = tmp_path / "relight-cli"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m relight_cli "$@"\n')
    program.chmod(0o755)
    script = f'PATH="{tmp_path}:$PATH"\n' + COMPLETE.format(words=words)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    registered, *found = done.stdout.splitlines()
    assert registered == "complete -o default -F _relight_cli_completion relight-cli"
    assert found == completions
