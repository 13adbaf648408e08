"""Ask the user on the terminal."""

import sys
from collections.abc import Callable

import typer

from relight_cli.jobs.console import printable
from relight_cli.jobs.progress import current


def terminal_question() -> Callable[[str], bool] | None:
    """Return the function that asks the user a question on the terminal; None if there is no terminal."""
    streams = sys.stdin, sys.stderr
    return None if any(one is None or one.closed or not one.isatty() for one in streams) else _ask


def _ask(question: str) -> bool:
    current().pause()
    typer.echo(f"{printable(question)} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
