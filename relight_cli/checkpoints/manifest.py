"""The published checkpoints in the manifest: where they are, their licences, and how to recognise them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relight_cli.errors import UsageError

# Wheels carry the manifest inside the package; an editable install has it one folder up, at the project root.
_PACKAGE = Path(__file__).parent.parent
_PLACES = (_PACKAGE / "weights_manifest.toml", _PACKAGE.parent / "weights_manifest.toml")


@dataclass(frozen=True)
class WeightsFile:
    """One file of a Hub repository; None for unknown facts."""

    repository: str  # owner/name on the Hub
    path: str  # inside the repository, with forward slashes
    licence: str
    used_by: tuple[str, ...]  # the commands that need it
    only_with: str | None = None  # the option with which those commands need it
    instead: str | None = None  # the user's alternative
    revision: str | None = None  # commit hash; None is the branch "main"
    size: int | None = None  # bytes
    about: int | None = None  # bytes, where the exact size is not known
    sha256: str | None = None
    folder: bool = False  # loaded with the other files, from a folder laid out like the repository
    config: bool = False  # a small text file that belongs to the checkpoint

    @property
    def name(self) -> str:
        """The name for users: that of the file if it is published alone, else with its repository in front."""
        return f"{self.repository_name}/{self.path}" if self.folder else self.path

    @property
    def fetch_name(self) -> str:
        """The name that 'relight-cli weights fetch' gets for it: the first command, or what an option needs."""
        return self.repository_name if self.only_with else self.used_by[0]

    @property
    def repository_name(self) -> str:
        """The repository's name without its owner."""
        return self.repository.partition("/")[2]


@dataclass(frozen=True)
class Manifest:
    """All files that relight-cli knows."""

    files: tuple[WeightsFile, ...]

    def file(self, name: str) -> WeightsFile:
        """Return the file called `name`. Raises KeyError if the manifest has none."""
        return {file.name: file for file in self.files}[name]

    def select(self, wanted: str) -> tuple[WeightsFile, ...]:
        """Return the files of a command, a repository (with or without owner, in any case) or a file name.

        The files of a command are those that it needs by default. Raises UsageError for an unknown name.
        """
        by_command = tuple(f for f in self.files if wanted in f.used_by and f.only_with is None)
        by_name = tuple(
            f
            for f in self.files
            if wanted == f.name or wanted.lower() in (f.repository.lower(), f.repository_name.lower())
        )
        if not (by_command or by_name):
            commands = sorted({command for file in self.files for command in file.used_by})
            raise UsageError(
                f"There are no weights called {wanted!r}: name a command ({', '.join(commands)}), "
                "or a file or repository from 'relight-cli weights list'."
            )
        return by_command or by_name


def fetch_command(*files: WeightsFile) -> str:
    """Return the command that fetches files, in quotes, as every message names it."""
    return f"'relight-cli weights fetch {' '.join(dict.fromkeys(file.fetch_name for file in files))}'"


def load_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest that ships with the package, or the one at `path`."""
    place = path or next((place for place in _PLACES if place.is_file()), _PLACES[0])
    repositories = tomllib.loads(place.read_text(encoding="utf-8"))["repository"]
    return Manifest(tuple(file for repository in repositories for file in _files(repository)))


def _files(repository: dict[str, Any]) -> list[WeightsFile]:
    shared = {key: value for key, value in repository.items() if key not in ("id", "file", "configs")}
    rows = [*repository["file"], *({"path": path, "config": True} for path in repository.get("configs", ()))]
    facts = [{"repository": repository["id"], **shared, **row} for row in rows]
    return [WeightsFile(**{**fact, "used_by": tuple(fact["used_by"])}) for fact in facts]
