"""Say how to make the rest of a run that was stopped."""

import shlex
import subprocess
import sys

LONGEST = 1000  # characters of a command in a message


def resume_command(arguments: list[str], add: tuple[str, ...] = ("--skip-existing",)) -> str:
    """Return the command line that makes the rest of a run, with `add` in place of --overwrite."""
    words = [word for word in arguments if not add or word != "--overwrite"]
    end = words.index("--") if "--" in words else len(words)
    words[end:end] = [word for word in add if word not in words[:end]]
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join
    command = join(["relight-cli", *words])
    if len(command) <= LONGEST and not {"-", "@-"} & set(words):  # what stdin said is gone
        return command
    return f"the same command with {' '.join(add)}" if add else "the same command"
