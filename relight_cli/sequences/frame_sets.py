"""Sequences of photos: which files are the frames of one, in which order, and where its frames go."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.jobs.file_names import fit_name
from relight_cli.jobs.inputs import expand_inputs
from relight_cli.paths import is_folder
from relight_cli.photos.formats import output_suffix

_NUMBER = re.compile(r"%(0?\d*)d")


@dataclass(frozen=True)
class FrameSet:
    """The frames of one sequence, in order."""

    name: Path  # in messages: a folder or a pattern
    stem: str  # of the name of its output
    paths: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """The folder of its frames."""
        return self.paths[0].parent

    def targets(self, folder: Path) -> tuple[Path, ...]:
        """Return the files in a folder that the frames become. Raises UsageError if two have one name."""
        found = tuple(folder / f"{path.stem}{output_suffix(path)}" for path in self.paths)
        if len(set(found)) < len(found):
            raise UsageError(f"{self.name}: several frames have one name: give each folder by itself.")
        return found


def is_pattern(name: str) -> bool:
    """Return whether an argument is a pattern of numbered frames, such as frames/%04d.exr."""
    return bool(_NUMBER.search(Path(name).name)) and not os.path.lexists(name)


def find_sets(names: list[str], notify: Callable[[str], None], *, null: bool = False) -> list[FrameSet]:
    """Return a sequence for each pattern and folder, and one of all photos that are named. Raises UsageError.

    With `null` the names in lists end in NUL.
    """
    sets, others = [], []
    for name in names:
        if is_pattern(name):
            sets.append(_of_pattern(name, notify))
        elif is_folder(name):
            sets.append(_of_photos([name]))
        else:
            others.append(name)
    if others or null:  # which needs a list
        sets.append(_of_photos(others, null=null))
    return sets


def target_folder(frames: FrameSet, task: str, output: str | None, count: int) -> Path:
    """Return the folder for the frames of one of `count` sequences. Raises UsageError."""
    name = fit_name(frames.folder.parent, frames.stem, f"_{task}")
    if output is None:
        return frames.folder.parent / name
    if Path(output).suffix and not is_folder(output) and not output.endswith(("/", "\\")):
        raise UsageError(f"--output {output}: the frames of a sequence go to a folder: name one, with / at its end.")
    return Path(output) / name if count > 1 else Path(output)


def _of_pattern(name: str, notify: Callable[[str], None]) -> FrameSet:
    pattern = Path(name)
    parts = _NUMBER.split(pattern.name)
    if len(parts) != 3:
        raise UsageError(f"{name}: a pattern has one number, such as frames/%04d.exr.")
    before, form, after = parts
    width = int(form or 0)
    digits = rf"(\d{{{width},}})" if form.startswith("0") else r"(\d+)"
    wanted = re.compile(re.escape(before) + digits + re.escape(after))
    try:
        files = list(pattern.parent.iterdir())
    except OSError as error:
        raise UsageError(f"{name}: its folder cannot be listed ({error.strerror}): check its name.") from error
    found = sorted((int(match[1]), path) for path in files if (match := wanted.fullmatch(path.name)))
    if not found:
        raise UsageError(f"{name}: no file has such a name: check the pattern.")
    missing = found[-1][0] - found[0][0] + 1 - len(found)
    if missing:
        notify(f"{name}: {missing} numbers have no file; their neighbours follow each other.")
    stem = (
        pattern.parent.resolve().name if not (before + after.rpartition(".")[0]) else before.rstrip("_.- ") or "frames"
    )
    return FrameSet(pattern, stem, tuple(path for _, path in found))


def _of_photos(names: list[str], *, null: bool = False) -> FrameSet:
    paths = [source.path for source in expand_inputs(names, recursive=None, null=null)]
    folder = paths[0].parent
    return FrameSet(Path(names[0]), folder.resolve().name, tuple(sorted(paths, key=_natural)))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return what files are sorted by: numbers in their names count as numbers."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", path.name)]
