"""The list of all weights, for people and for programs."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from relight_cli.checkpoints.consent import megabytes
from relight_cli.checkpoints.manifest import WeightsFile
from relight_cli.checkpoints.weights import Found

Listed = tuple[WeightsFile, Found | None]
NARROW = 20  # columns; lines are not made shorter


def listing(files: Iterable[Listed], width: int) -> Iterator[str]:
    """Yield the lines of the list, at most `width` columns wide: a paragraph for each repository."""
    for number, (repository, group) in enumerate(groupby(files, key=lambda one: one[0].repository)):
        listed = list(group)
        if number:
            yield ""
        yield from _wrapped(f"{repository}, licence: {listed[0][0].licence}", width, "", "  ")
        for file, found in listed:
            if not file.config:
                yield from _wrapped(file.name, width, "  ", "    ")
                yield from _wrapped(f"{_size(file, found)}; {_place(found)}; {_used_by(file)}", width, "    ", "    ")
        if configs := [one for one in listed if one[0].config]:
            yield from _wrapped(_counted(configs), width, "  ", "    ")


def facts(file: WeightsFile, found: Found | None) -> dict[str, object]:
    """Return what a program may want to know of a file; None for what is not known."""
    return {
        "name": file.name,
        "repository": file.repository,
        "path": file.path,
        "revision": file.revision,
        "size": file.size or (found.path.stat().st_size if found else None),
        "about": file.about,
        "sha256": file.sha256,
        "licence": file.licence,
        "used_by": list(file.used_by),
        "only_with": file.only_with,
        "config": file.config,
        "place": str(found.place) if found else None,
        "file": str(found.path) if found else None,
    }


def _size(file: WeightsFile, found: Found | None) -> str:
    exact = file.size or (found.path.stat().st_size if found else None)
    return megabytes(exact or file.about, about=exact is None and file.about is not None)


def _place(found: Found | None) -> str:
    return f"in the {found.place}" if found else "missing"


def _used_by(file: WeightsFile) -> str:
    return f"used by {', '.join(file.used_by)}{f' (with {file.only_with})' if file.only_with else ''}"


def _counted(configs: Sequence[Listed]) -> str:
    missing = sum(found is None for _, found in configs)
    files = "1 small file" if len(configs) == 1 else f"{len(configs)} small files"
    return f"{files} of configuration; {f'{missing} missing' if missing else 'on this machine'}"


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    lines = textwrap.TextWrapper(
        max(NARROW, width), initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )
    return lines.wrap(text)
