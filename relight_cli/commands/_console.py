"""Lines on the terminal: notes and errors on stderr, names made harmless, a bar only where someone watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer


def printable(text: str) -> str:
    """Escape what a terminal would obey (control characters, newlines, lone surrogates of odd file names)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(line: str) -> None:
    """Write one line to stderr."""
    typer.echo(printable(line), err=True)


@contextmanager
def bar(label: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while the block runs, if that is a terminal; yields what moves it forward."""
    from tqdm import tqdm

    silent = quiet or not sys.stderr.isatty()
    with tqdm(
        total=total, desc=printable(label), unit="tile", leave=False, disable=silent, dynamic_ncols=True
    ) as shown:
        yield lambda done: shown.update(done) and None
