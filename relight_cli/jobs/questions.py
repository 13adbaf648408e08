"""Ask the user on the terminal."""

import sys
from collections.abc import Callable

import typer

from relight_cli.jobs.console import printable
from relight_cli.jobs.progress import current


def terminal_question() -> Callable[[str], bool] | None:
    """Return the function that asks the user a question on the terminal; None if there is no terminal."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask


def _ask(question: str) -> bool:
    current().pause()
    typer.echo(f"{printable(question)} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
