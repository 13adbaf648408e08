"""The command line of this run, to be repeated in a shell."""

import shlex
import subprocess
import sys

from relight_cli.places.urls import redact


def command_line() -> str:
    """Return this run's command line, quoted for the shell of the system, without passwords and tokens of URLs."""
    return quoted_for_shell(["relight-cli", *map(redact, sys.argv[1:])])


def quoted_for_shell(words: list[str]) -> str:
    """Return words as one line, quoted for the shell of the system."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(words)
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """Return a word quoted for a POSIX shell; with $'...' where it has bytes or characters that do not print."""
    if word.isprintable():
        return shlex.quote(word)
    safe = (chr(byte) if 32 <= byte < 127 and chr(byte) not in "\\'" else f"\\{byte:03o}" for byte in _bytes(word))
    return f"$'{''.join(safe)}'"


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")
