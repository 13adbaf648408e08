"""The folder of a training run: its checkpoint, from which the run is resumed, and its log."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from relight_cli.photos.atomic_files import atomic_file, write_atomically

Recipe = list[dict[str, Any]]
_CHECKPOINT = "checkpoint.pt"


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds a run, which can be resumed."""
    return (folder / _CHECKPOINT).exists()


@dataclass(frozen=True)
class RunFolder:
    """A folder with checkpoint.pt and log.jsonl."""

    path: Path
    parts: dict[str, Any]  # what has a state_dict: network, moving average, optimiser, by name

    def restore(
        self, device: str = "cpu", check: Callable[[Recipe], None] = lambda recipe: None
    ) -> tuple[int, Recipe] | None:
        """Load the states of the parts; return the step and the recipe, or None if there is no checkpoint yet.

        `check` gets the recipe first, and raises an error for that of another run.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not self._checkpoint.exists():
            return None
        state = torch.load(self._checkpoint, weights_only=True, map_location=device)
        step, recipe = state["step"], state["recipe"]
        check(recipe)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return step, recipe

    def save(self, step: int, recipe: Recipe, record: dict[str, Any]) -> None:
        """Append a line to the log and replace the checkpoint."""
        self.log(record)
        self.keep(step, recipe)

    def log(self, record: dict[str, Any]) -> None:
        """Append a line of numbers to the log; null stands for what is not finite."""
        with self._log.open("a") as log:
            finite = {name: value if math.isfinite(value) else None for name, value in record.items()}
            log.write(json.dumps(finite) + "\n")

    def last_record(self, step: int) -> dict[str, Any]:
        """Return the last line of the log about a step up to this one; without any an empty one."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        kept = [line for line in lines if (found := _step_of(line)) is not None and found <= step]
        return dict(json.loads(kept[-1])) if kept else {}

    def forget_after(self, step: int) -> None:
        """Drop the lines of the log about steps that a resumed run takes again."""
        if self._log.exists():
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if (found := _step_of(line)) is not None and found <= step]
            write_atomically(self._log, "".join(f"{line}\n" for line in kept).encode(), overwrite=True)

    def keep(self, step: int, recipe: Recipe) -> None:
        """Replace the checkpoint. Raises OSError, RuntimeError, OutputUnwritableError."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with atomic_file(self._checkpoint, overwrite=True) as part, part.open("wb") as file:
            torch.save(state | {"step": step, "recipe": recipe}, file)  # into a name it hides the system's error

    @property
    def _log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def _checkpoint(self) -> Path:
        return self.path / _CHECKPOINT


def _step_of(line: str) -> int | None:
    """Return the step that a line of the log is about; None for a line that is damaged."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return None
