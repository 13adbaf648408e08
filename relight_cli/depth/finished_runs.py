"""The finished runs of a refinement, kept beside its output until that is written."""

import io
import json
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import OutputUnwritableError, UsageError

if TYPE_CHECKING:
    from relight_cli.depth.refinement import Run

Settings = dict[str, object]


class FinishedRuns:
    """A hidden folder beside a target: settings.json, and run-0000.npz for each run."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.runs")

    def refuse_forgotten(self) -> None:
        """Raise OutputUnwritableError where runs of an interrupted start are kept, which hours went into."""
        if count := self.count():
            raise OutputUnwritableError(
                f"{self.target}: finished runs of an interrupted start are kept for it ({count}): "
                "give --resume to go on with them, or --overwrite to begin again."
            )

    def open(self, settings: Settings, *, resume: bool) -> "dict[int, Run]":
        """Give the finished runs by number, none unless resumed; from here on, runs of these settings are kept.

        Raises UsageError where those that are there were made with other settings.
        """
        if resume and self.count():
            known = self._settings()
            if differing := [name for name in settings if known.get(name) != settings[name]]:
                raise UsageError(
                    f"{self.target}: its finished runs are of another {' and '.join(differing)}: "
                    "resume with the same, or give --overwrite without --resume to begin again."
                )
            found = {int(path.stem.removeprefix("run-")): self._read(path) for path in self._files()}
            return {number: run for number, run in found.items() if run}
        self.clear()
        self._write("settings.json", json.dumps(settings, indent=1).encode())
        return {}

    def keep(self, number: int, run: "Run") -> None:
        """Keep a run."""
        import numpy as np

        file = io.BytesIO()
        np.savez(file, disparity=run.disparity, scale=run.scale)
        self._write(f"run-{number:04}.npz", file.getvalue())

    def clear(self) -> None:
        """Forget every run."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder, ignore_errors=True)

    def count(self) -> int:
        """Tell how many runs are kept."""
        return len(self._files())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("run-*.npz"))

    def _settings(self) -> Settings:
        try:
            return dict(json.loads((self.folder / "settings.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _read(self, path: Path) -> "Run | None":
        """Read a run; None for one that is damaged, which is then made again."""
        import numpy as np

        from relight_cli.depth.refinement import Run

        try:
            with np.load(path) as file:
                return Run(file["disparity"], float(file["scale"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def _write(self, name: str, data: bytes) -> None:
        from relight_cli.photos.atomic_files import write_atomically

        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            said = f"{self.folder}: finished runs cannot be kept there ({error.strerror}): choose another --output."
            raise OutputUnwritableError(said) from error
        write_atomically(self.folder / name, data, overwrite=True)
