"""What the outputs of a photo are called."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.jobs.inputs import STDIO, Source
from relight_cli.photos.formats import SUFFIXES, output_suffix

DEEP = ".deep"  # suffix of what needs more than 8 bits: TIFF beside a TIFF, else PNG
FIELDS = ("stem", "task", "ext", "index")
_FIELD = re.compile(r"\{([^{}]*)\}")
_NUMBERED = re.compile(r"index:0?[1-9]\d?")


@dataclass(frozen=True)
class Job:
    """One photo to make from another."""

    source: Path
    target: Path
    skip: bool = False  # --skip-existing, and the target is what it would be
    extras: tuple[Path, ...] = ()  # further files that are made with the target
    replace: bool = False  # what is there is this tool's, made with other settings


@dataclass(frozen=True)
class Outputs:
    """Which files a command makes of a photo."""

    suffixes: tuple[str, ...] = tuple(SUFFIXES)  # of the target
    suffix: str | None = None  # where -o names none; the photo's own if None
    extras: tuple[str, ...] = ()  # further files: "normals" is x_normals.png for x.png, "preview.png" is always PNG
    possible: tuple[str, ...] = ()  # further files that the command can make, not to be taken for photos later


@dataclass(frozen=True)
class Naming:
    """How one command names the targets of its photos."""

    task: str  # "relit": x.jpg becomes x_relit.jpg
    output: str | None  # --output
    outputs: Outputs

    def targets(self, sources: list[Source]) -> list[Path]:
        """Name the target of each photo, `-` for stdout. Raises UsageError where --output does not fit them."""
        return [self._target(source, number, len(sources)) for number, source in enumerate(sources, 1)]

    def extras(self, target: Path) -> tuple[Path, ...]:
        """Name what else is made with a target."""
        return () if target == STDIO else tuple(_extra(target, name) for name in self.outputs.extras)

    def possible_outputs(self, target: Path) -> list[Path]:
        """List what the command may have made in this target's place, whatever it was asked for then."""
        targets = [target.with_suffix(s) for s in self.outputs.suffixes] if self.outputs.possible else []
        return [target, *targets, *(_extra(one, name) for one in targets for name in self.outputs.possible)]

    def _target(self, source: Source, number: int, count: int) -> Path:
        suffix = self.outputs.suffix or output_suffix(source.path)
        stem = source.path.stem if source.path != STDIO else "stdin"
        name = f"{stem}_{self.task}{suffix}"
        if self.output is None:
            return STDIO if source.path == STDIO else source.path.with_name(name)
        if self.output == "-":
            if count > 1:
                raise UsageError(f"--output - holds one picture, and there are {count} inputs: name a folder.")
            return STDIO
        path = Path(self.output)
        if os.path.isdir(path):  # noqa: PTH112  whatever braces are in its name
            return path / source.subfolder / name
        if _FIELD.search(self.output):
            values: dict[str, str | int] = {"stem": stem, "task": self.task, "ext": suffix[1:], "index": number}
            return self._checked(_filled(self.output, source, values))
        if path.suffix.lower() in self.outputs.suffixes and not self.output.endswith(("/", "\\")):
            if count > 1:
                raise UsageError(f"--output {self.output} is one file, and there are {count} inputs: name a folder.")
            return path
        if count == 1 and path.suffix and not self.output.endswith(("/", "\\")):
            self._checked(path)
        return path / source.subfolder / name

    def _checked(self, path: Path) -> Path:
        if path.suffix.lower() not in self.outputs.suffixes:
            raise UsageError(
                f"--output {self.output} is no known kind of picture: end it in {', '.join(self.outputs.suffixes)}, "
                "or a folder's name in /."
            )
        return path


def _filled(template: str, source: Source, values: dict[str, str | int]) -> Path:
    """Fill the fields of a template; the photo's own folder goes between what is fixed and the first field's name.

    Raises UsageError for other fields than FIELDS, and where a name would leave the folder that the template fixes.
    """

    def fill(match: re.Match[str]) -> str:
        field = match[1]
        if field not in FIELDS and not _NUMBERED.fullmatch(field):
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(f"--output {template}: {match[0]} is no field: take {known} or {{index:04}}.")
        name, _, form = field.partition(":")
        return format(values[name], form)

    parts = Path(template).parts
    fixed = next(number for number, part in enumerate(parts) if _FIELD.search(part))
    names = [_FIELD.sub(fill, part) for part in parts[fixed:]]
    if any(name in ("", ".", "..") or "/" in name or os.sep in name or name != Path(name).name for name in names):
        raise UsageError(f"{source.path}: --output {template} would leave its folder: put more than a field in a name.")
    return Path(*parts[:fixed], source.subfolder, *names)


def _extra(target: Path, name: str) -> Path:
    kind = Path(name).suffix
    deep = ".tif" if SUFFIXES.get(target.suffix.lower()) == "TIFF" else ".png"
    suffix = deep if kind == DEEP else kind or target.suffix
    return target.with_name(f"{target.stem}_{name.removesuffix(kind)}{suffix}")
