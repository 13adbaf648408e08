"""Terminal output: notes, errors and progress bars on stderr, with control characters escaped."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

_verbose = False


def printable(text: str) -> str:
    """Escape control characters, newlines and the lone surrogates of undecodable file names."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(line: str) -> None:
    """Write one line to stderr."""
    typer.echo(printable(line), err=True)


def notifier(quiet: bool) -> Callable[[str], None]:
    """Return the function that prints notes: `say`, or one that does nothing."""
    return (lambda line: None) if quiet else say


def remember_verbose(verbose: bool) -> bool:
    """Let `wants_tracebacks` return True from now on if a file or the environment sets --verbose."""
    global _verbose
    _verbose = _verbose or verbose
    return verbose


def forget_verbose() -> None:
    """Undo `remember_verbose`, at the start of a run."""
    global _verbose
    _verbose = False


def wants_tracebacks(arguments: list[str]) -> bool:
    """Return whether the arguments contain -v, even if they cannot be parsed, or --verbose is set elsewhere."""
    return _verbose or any(a == "--verbose" or re.fullmatch(r"-[a-zA-Z]*v[a-zA-Z]*", a) for a in arguments)


@contextmanager
def progress_bar(label: str, *, quiet: bool, unit: str = "tile") -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar while the block runs, if stderr is a terminal; yield its setter, `(done, total)`."""
    from tqdm import tqdm

    silent = quiet or not sys.stderr.isatty()
    with tqdm(desc=printable(label), unit=unit, leave=False, disable=silent, dynamic_ncols=True) as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield progress
