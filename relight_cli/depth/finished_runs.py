"""Keep the finished runs of a refinement next to its output until the output is written."""

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
    """A hidden folder next to a target: settings.json, and run-0000.npz for each run."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.runs")

    def require_none(self) -> None:
        """Raise OutputUnwritableError if runs of an interrupted start are kept, since they may have taken hours."""
        if count := self.count():
            raise OutputUnwritableError(
                f"{self.target}: an interrupted start left finished runs ({count}): "
                "give --resume to continue from them, or --overwrite to start again."
            )

    def open(self, settings: Settings, *, resume: bool) -> "dict[int, Run]":
        """Return the kept runs by number if `resume`, else delete them; then accept runs of these settings.

        Raises UsageError if the kept runs were made with other settings.
        """
        if resume and self.count():
            known = self._settings()
            if differing := [name for name in settings if known.get(name) != settings[name]]:
                raise UsageError(
                    f"{self.target}: its finished runs were made with another {' and '.join(differing)}: "
                    "resume with the same, or give --overwrite without --resume to start again."
                )
            found = {int(path.stem.removeprefix("run-")): self._read(path) for path in self._files()}
            return {number: run for number, run in found.items() if run}
        self.clear()
        try:
            self._write("settings.json", json.dumps(settings, indent=1).encode())
        except BaseException:
            self.clear()
            raise
        return {}

    def keep(self, number: int, run: "Run") -> None:
        """Store a run under its number."""
        import numpy as np

        file = io.BytesIO()
        np.savez(file, disparity=run.disparity, scale=run.scale)
        self._write(f"run-{number:04}.npz", file.getvalue())

    def clear(self) -> None:
        """Delete every run."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder, ignore_errors=True)

    def count(self) -> int:
        """Return how many runs are kept."""
        return len(self._files())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("run-*.npz"))

    def _settings(self) -> Settings:
        try:
            return dict(json.loads((self.folder / "settings.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _read(self, path: Path) -> "Run | None":
        """Return a stored run; None if it is damaged, so that it is made again."""
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
            message = f"{self.folder}: finished runs cannot be kept here ({error.strerror}): choose another --output."
            raise OutputUnwritableError(message) from error
        write_atomically(self.folder / name, data, overwrite=True)
