"""Lines on the terminal: notes and errors on stderr, names made harmless, a bar only where someone watches."""

import re
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


def notifier(quiet: bool) -> Callable[[str], None]:
    """Give what takes notes: `say`, or nothing."""
    return (lambda line: None) if quiet else say


def wants_tracebacks(arguments: list[str]) -> bool:
    """Tell whether -v is among the arguments; known before and after they are understood."""
    return any(a == "--verbose" or re.fullmatch(r"-[a-zA-Z]*v[a-zA-Z]*", a) for a in arguments)


@contextmanager
def progress_bar(label: str, *, quiet: bool, unit: str = "tile") -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the block runs, if that is a terminal; yield what sets it, `(done, total)`."""
    from tqdm import tqdm

    silent = quiet or not sys.stderr.isatty()
    with tqdm(desc=printable(label), unit=unit, leave=False, disable=silent, dynamic_ncols=True) as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield progress
