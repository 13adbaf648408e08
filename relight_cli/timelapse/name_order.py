"""Put the photos of a sequence in order by their names, or as they are given."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from relight_cli.jobs.inputs import Source

Key = list[tuple[int, int | str]]


@dataclass(frozen=True)
class NameOrder:
    """Photos in order."""

    paths: list[Path]
    order: str  # for a message
    notes: tuple[str, ...] = ()


def natural_key(path: Path) -> Key:
    """Return a sort key that orders the numbers in file names by value: 9 before 10."""
    return [*_key(path.name), (1, str(path))]


def name_order(sources: Sequence[Source]) -> NameOrder:
    """Return photos in order of folders, then of the numbers in their names.

    Where the names in a folder differ by more than numbers, the order of the arguments counts, unless it is that in
    which a shell sorts names. Numbers of a camera that begin again after 9999 continue after it, with a note.
    """
    groups = _by_folder(sources)
    if all(_are_numbered([source.path.name for source in group]) for group in groups):
        wrapped = [_continued(sorted((source.path for source in group), key=natural_key)) for group in groups]
        notes = tuple(
            f"{before.parent}: the numbers begin again, so {before.name} is followed by {after.name}."
            for _, wrap in wrapped
            if wrap
            for before, after in [wrap]
        )
        return NameOrder([path for paths, _ in wrapped for path in paths], _named(groups), notes)
    if _is_given_order([source.path for source in sources if source.named]):
        return NameOrder(_as_given(sources), "in the order in which they are given")
    paths = [path for group in groups for path in sorted((source.path for source in group), key=natural_key)]
    return NameOrder(paths, _named(groups))


def _named(groups: Sequence[Sequence[Source]]) -> str:
    folders = [group[0].path.parent for group in groups]
    if len(folders) < 2:
        return "in order of file names"
    if folders != sorted(folders, key=_folder_key):
        return "in the order of folders as they are given, then of file names"
    return "in order of folders and file names"


def _key(name: str) -> Key:
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _folder_key(folder: Path) -> list[Key]:
    return [_key(part) for part in folder.parts]


def _by_folder(sources: Sequence[Source]) -> list[list[Source]]:
    """Return the photos of each folder, in order of the numbers in the folders' names, else as they are given."""
    folders: dict[Path, list[Source]] = {}
    for source in sources:
        folders.setdefault(source.path.parent, []).append(source)
    given = all(source.named or source.subfolder == Path() for source in sources)
    if given and not _are_numbered([str(folder) for folder in folders]) and not _is_sorted(list(folders)):
        return list(folders.values())
    return [folders[folder] for folder in sorted(folders, key=_folder_key)]


def _are_numbered(names: Iterable[str]) -> bool:
    """Return whether names differ by their numbers alone."""
    stems = [re.sub(r"\.[^./\\]*$", "", name).casefold() for name in names]
    patterns = {re.sub(r"\d+", "0", stem) for stem in stems}
    numbers = {tuple(int(number) for number in re.findall(r"\d+", stem)) for stem in stems}
    return len(patterns) == 1 and len(numbers) == len(stems)


def _is_given_order(named: list[Path]) -> bool:
    return len(named) > 1 and not _is_sorted(named)


def _is_sorted(paths: list[Path]) -> bool:
    """Return whether paths are in an order in which a shell, a file manager or this tool sorts them."""
    keys: tuple[Callable[[Path], object], ...] = (
        str,
        lambda path: str(path).casefold(),
        lambda path: re.sub(r"[\W_]", "", str(path).casefold()),  # as locales compare, without punctuation
        _folder_key,
    )
    return any(paths == sorted(paths, key=key) for key in keys)  # type: ignore[arg-type]


def _as_given(sources: Sequence[Source]) -> list[Path]:
    """Return the photos as they are given; those of one folder or glob are in order of their names."""
    paths = []
    for named, group in groupby(sources, key=lambda source: source.named):
        found = [source.path for source in group]
        paths += found if named else sorted(found, key=lambda path: (_folder_key(path.parent), natural_key(path)))
    return paths


def _continued(paths: list[Path]) -> tuple[list[Path], tuple[Path, Path] | None]:
    """Return sorted paths with numbers that begin again after 9999 at the end, and the two around the new beginning.

    That is the case if one number changes, it has a fixed width of 3 or more digits, and one gap is ten times as large
    as that from the last number over the largest possible one to the first, and three times as large as all others.
    """
    numbers = [re.findall(r"\d+", path.stem) for path in paths]
    changing = [values for values in zip(*numbers, strict=True) if len(set(values)) > 1]
    if len(changing) != 1 or len({len(value) for value in changing[0]}) != 1 or len(changing[0][0]) < 3:
        return paths, None
    values = [int(value) for value in changing[0]]
    digits = len(changing[0][0])
    # Cameras with five digits also begin again after 9999: DSC09999, DSC00001.
    limit = 10**4 if digits > 4 and values[-1] < 10**4 else 10**digits
    over = values[0] + limit - values[-1]
    gaps = [after - before for before, after in pairwise(values)]
    gap, *others = sorted(gaps, reverse=True)
    place = gaps.index(gap) + 1
    if over > len(values) + 2 or gap < 10 * over or (others and gap < 3 * others[0]):
        return paths, None
    return paths[place:] + paths[:place], (paths[-1], paths[0])
