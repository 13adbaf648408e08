"""Ask before files are downloaded: how large they are, and under which licence."""

import os
from collections.abc import Callable, Iterable

from relight_cli.checkpoints.manifest import WeightsFile, fetch_command
from relight_cli.errors import ModelUnavailableError

ACCEPT = "RELIGHT_ACCEPT_LICENCE"
Ask = Callable[[str], bool]
"""Asks the user a question that ends in a question mark; returns the answer."""


def accepted_by_environment() -> bool:
    """Return whether RELIGHT_ACCEPT_LICENCE says yes."""
    return os.environ.get(ACCEPT, "").strip().lower() in ("1", "true", "t", "yes", "y", "on")


def require_consent(files: Iterable[WeightsFile], ask: Ask | None) -> None:
    """Ask for the consent to download files. Raises ModelUnavailableError without it, or if there is no one to ask."""
    missing = tuple(files)
    if ask and ask(f"Download {describe(missing)}?"):
        return
    declined = " and the download was declined" if ask else ""
    raise ModelUnavailableError(
        f"{missing_text(missing)}{declined}; --yes, {ACCEPT}=1 or {fetch_command(*missing)} downloads "
        f"{'it' if len(missing) == 1 else 'them'}{_alternative(missing)}."
    )


def describe(files: Iterable[WeightsFile]) -> str:
    """Return names, size and licence of files to download, by repository."""
    repositories: dict[str, list[WeightsFile]] = {}
    for file in files:
        repositories.setdefault(file.repository, []).append(file)
    return "; ".join(_describe_repository(name, group) for name, group in repositories.items())


def missing_text(files: Iterable[WeightsFile]) -> str:
    """Return the beginning of a sentence: these files are not on this machine."""
    missing = tuple(files)
    return f"{describe(missing)} {'is' if len(missing) == 1 else 'are'} not on this machine"


def megabytes(size: int | None, *, about: bool = False) -> str:
    """Return a size in bytes as text in MB or GB; `about` says that it is not exact."""
    if size is None:
        return "size unknown"
    if size >= 1e9:
        text = f"{size / 1e9:.1f} GB"
    else:
        text = f"{size / 1e6:.0f} MB" if about else f"{max(size / 1e6, 0.1):.1f} MB"
    return f"about {text}" if about else text


def _describe_repository(name: str, files: list[WeightsFile]) -> str:
    main = [file for file in files if not file.config] or files
    sizes = [file.size or file.about for file in main]
    known = None if None in sizes else sum(size or 0 for size in sizes)
    exact = all(file.size for file in main)
    names = ", ".join(file.path for file in main)
    return f"{names} of {name} ({megabytes(known, about=not exact)}, licence: {main[0].licence})"


def _alternative(files: tuple[WeightsFile, ...]) -> str:
    instead = next((file.instead for file in files if file.instead), None)
    return f"; {instead} needs no download" if instead else ""
