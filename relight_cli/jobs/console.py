"""Terminal output: notes, errors and tracebacks on stderr, with control characters escaped."""

import re
import traceback
from collections.abc import Callable

import typer

from relight_cli.places.urls import redact

_verbose = False


def printable(text: str) -> str:
    """Escape control characters, newlines and the lone surrogates of undecodable file names; leave out secrets."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in redact(text))


def say(line: str) -> None:
    """Write one line to stderr, above bars; an event with --progress json."""
    _print(line)


def show_traceback(error: BaseException) -> None:
    """Write a traceback to stderr."""
    _print_traceback(redact("".join(traceback.format_exception(error)).rstrip()))


def _echo(line: str) -> None:
    typer.echo(printable(line), err=True)


def _echo_text(text: str) -> None:
    typer.echo(text, err=True)


_print: Callable[[str], object] = _echo
_print_traceback: Callable[[str], object] = _echo_text


def print_with(line: Callable[[str], None], text: Callable[[str], None]) -> None:
    """Let `say` and `show_traceback` print by these functions."""
    global _print, _print_traceback
    _print, _print_traceback = line, text


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
