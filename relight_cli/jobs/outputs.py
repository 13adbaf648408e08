"""The names of the outputs of each photo."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.jobs.file_names import fit_name
from relight_cli.jobs.inputs import STDIO, Source
from relight_cli.jobs.layer_files import layers_path
from relight_cli.paths import is_folder
from relight_cli.photos.formats import SUFFIXES, output_suffix
from relight_cli.places.objects import ObjectPath, place_of

DEEP = ".deep"  # suffix of extra files with more than 8 bits: TIFF next to a TIFF, else PNG
FIELDS = ("stem", "task", "ext", "index")
_FIELD = re.compile(r"\{([^{}]*)\}")
_NUMBERED = re.compile(r"index:0?[1-9]\d?")


@dataclass(frozen=True)
class Job:
    """One input and the output to make from it."""

    source: Path
    target: Path
    skip: bool = False  # --skip-existing leaves the outputs as they are
    extras: tuple[Path, ...] = ()  # extra files that are written with the target
    may_replace: bool = False  # the existing outputs are this tool's and may be replaced
    found: tuple[object, ...] | None = None  # the state of the outputs when the job was planned

    def state(self) -> tuple[object, ...]:
        """Return what changes when one of the outputs is written, replaced or removed."""
        return tuple(state_of(path) for path in (self.target, *self.extras) if path != STDIO)


@dataclass(frozen=True)
class Outputs:
    """The files that a command makes from a photo."""

    suffixes: tuple[str, ...] = tuple(SUFFIXES)  # that a target may have
    default_suffix: str | None = None  # if -o names none; None: that of `suffix_of`
    extras: tuple[str, ...] = ()  # extra files: "normals" is x_normals.png for x.png, "preview.png" is always PNG
    possible_extras: tuple[str, ...] = ()  # all extra files that the command can make; no inputs of later runs
    suffix_of: Callable[[Path], str] = output_suffix  # of an input: the suffix of its output
    layers: str | None = None  # --layers
    named: Path | None = None  # one more extra file of the only photo, which the user names


@dataclass(frozen=True)
class Naming:
    """How a command names its outputs."""

    task: str  # "relit": x.jpg becomes x_relit.jpg
    output: str | None  # --output
    outputs: Outputs
    is_share: bool = False  # the photos are one share of more (--shard)

    def targets(self, sources: list[Source]) -> list[Path]:
        """Return the target of each photo, `-` for stdout. Raises UsageError if --output does not fit them."""
        count = max(2, len(sources)) if self.is_share else len(sources)
        return [self._target(source, number, count) for number, source in enumerate(sources, 1)]

    def extras(self, source: Source, target: Path, *, several: bool) -> tuple[Path, ...]:
        """Return the extra files of a target, the layers last. Raises UsageError if --layers does not fit the photos.

        `several` says whether the photo is one of more.
        """
        found = () if target == STDIO else tuple(_extra(target, name) for name in self.outputs.extras)
        if self.outputs.named:
            found = (*found, self.outputs.named)
        if self.outputs.layers is None:
            return found
        named = source.path if target == STDIO != source.path else target
        stem = "stdin" if named == STDIO else named.stem
        return (*found, layers_path(self.outputs.layers, stem, source.subfolder, several=several or self.is_share))

    def possible_outputs(self, target: Path) -> list[Path]:
        """Return all files that a run with any options may have written for this target."""
        targets = [target.with_suffix(s) for s in self.outputs.suffixes] if self.outputs.possible_extras else []
        return [target, *targets, *(_extra(one, name) for one in targets for name in self.outputs.possible_extras)]

    def _target(self, source: Source, number: int, count: int) -> Path:
        suffix = self.outputs.default_suffix or self.outputs.suffix_of(source.path)
        stem, tail = source.path.stem if source.path != STDIO else "stdin", f"_{self.task}{suffix}"
        if self.output is None:
            return STDIO if source.path == STDIO else _placed(source.path.parent, stem, tail)
        if self.output == "-":
            if count > 1:
                raise UsageError(f"--output - takes one picture, but there are {self._many(count)}: name a folder.")
            return STDIO
        path = place_of(self.output)
        if not isinstance(path, ObjectPath) and is_folder(path):  # even with braces in its name
            return _placed(path / source.subfolder, stem, tail)
        refuse_stray_braces(self.output)
        if _FIELD.search(self.output):
            values: dict[str, str | int] = {"stem": stem, "task": self.task, "ext": suffix[1:], "index": number}
            return self._checked(_fill_template(self.output, source, values))
        if path.suffix.lower() in self.outputs.suffixes and not self.output.endswith(("/", "\\")):
            if count > 1:
                many = self._many(count)
                raise UsageError(f"--output {self.output} is one file, but there are {many}: name a folder.")
            return path
        if count == 1 and path.suffix and not self.output.endswith(("/", "\\")):
            self._checked(path)
        return _placed(path / source.subfolder, stem, tail)

    def _many(self, count: int) -> str:
        return "the inputs of all shares" if self.is_share else f"{count} inputs"

    def _checked(self, path: Path) -> Path:
        if path.suffix.lower() not in self.outputs.suffixes:
            raise UsageError(
                f"--output {self.output} is not a known picture format: end it in {', '.join(self.outputs.suffixes)}, "
                "or in / for a folder."
            )
        return path


def _fill_template(template: str, source: Source, values: Mapping[str, str | int]) -> Path:
    """Fill the fields of a template; insert the photo's subfolder before the first part that has a field.

    Raises UsageError for fields that are not in FIELDS, and if a name would leave the folder before that part.
    """

    def fill(match: re.Match[str], values: Mapping[str, str | int] = values) -> str:
        field = match[1]
        if field not in FIELDS and not _NUMBERED.fullmatch(field):
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(f"--output {template}: {match[0]} is not a field: use {known} or {{index:04}}.")
        name, _, spec = field.partition(":")
        return format(values[name], spec)

    place = place_of(template)
    parts = place.parts
    fixed = next(number for number, part in enumerate(parts) if _FIELD.search(part))
    folder = type(place)(*parts[:fixed], source.subfolder)
    names = [_fill_part(part, fill, values, folder) for part in parts[fixed:]]
    if any(name in ("", ".", "..") or "/" in name or os.sep in name or name != Path(name).name for name in names):
        raise UsageError(
            f"{source.path}: --output {template} would leave its folder: add text to names that are only a field."
        )
    return folder.joinpath(*names)


def _fill_part(part: str, fill: Callable[..., str], values: Mapping[str, str | int], folder: Path) -> str:
    """Fill the fields of a name, with a shorter {stem} if the folder takes no name that long."""
    if "{stem}" not in part:
        return _FIELD.sub(fill, part)
    rest = _FIELD.sub(lambda match: fill(match, {**values, "stem": ""}), part)
    stem = fit_name(folder, str(values["stem"]), rest).removesuffix(rest)
    return _FIELD.sub(lambda match: fill(match, {**values, "stem": stem}), part)


def refuse_stray_braces(output: str) -> None:
    """Raise UsageError for a brace in --output that belongs to no field, unless it is in the name of a folder."""
    for part in _new_parts(output):
        if stray := re.search(r"[{}]", _FIELD.sub("", part)):
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(
                f"--output {output}: the {stray[0]} in {part} is part of no field: use {known}, or another name."
            )


def refuse_fields(output: str | None) -> None:
    """Raise UsageError for a template where --output is one folder or video."""
    if output is not None and any(re.search(r"[{}]", part) for part in _new_parts(output)):
        raise UsageError(
            f"--output {output}: a sequence has one folder or video, and no template: leave out the braces."
        )


def _new_parts(output: str) -> tuple[str, ...]:
    """Return the parts of a path below the last folder that exists."""
    parts = Path(output).parts
    known = max(n for n in range(len(parts) + 1) if is_folder(Path(*parts[:n])))
    return parts[known:]


def _placed(folder: Path, stem: str, tail: str) -> Path:
    return folder / fit_name(folder, stem, tail)


def state_of(path: Path) -> tuple[object, ...] | None:
    """Return what changes when a file or an object is written or replaced; None if there is none."""
    if isinstance(path, ObjectPath):
        info = path.info()
        return info and (info.size, info.version)
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _extra(target: Path, name: str) -> Path:
    kind = Path(name).suffix
    deep = ".tif" if SUFFIXES.get(target.suffix.lower()) == "TIFF" else ".png"
    suffix = deep if kind == DEEP else kind or target.suffix
    return target.with_name(f"{target.stem}_{name.removesuffix(kind)}{suffix}")
