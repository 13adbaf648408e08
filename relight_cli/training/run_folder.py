"""The folder of a training run: its checkpoint, from which the run is resumed, and its log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Recipe = list[dict[str, Any]]


@dataclass(frozen=True)
class RunFolder:
    """A folder with checkpoint.pt and log.jsonl."""

    path: Path
    parts: dict[str, Any]  # what has a state_dict: network, moving average, optimiser, by name

    def restore(self, device: str = "cpu") -> tuple[int, Recipe] | None:
        """Load the states of the parts; return the step and the recipe, or None if there is no checkpoint yet."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self._checkpoint.exists():
            return None
        state = torch.load(self._checkpoint, weights_only=True, map_location=device)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["step"], state["recipe"]

    def save(self, step: int, recipe: Recipe, record: dict[str, Any]) -> None:
        """Append a line to the log and replace the checkpoint."""
        self.log(record)
        self.keep(step, recipe)

    def log(self, record: dict[str, Any]) -> None:
        """Append a line to the log."""
        with self._log.open("a") as log:
            log.write(json.dumps(record) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of the log about steps that a resumed run takes again."""
        if self._log.exists():
            lines = [line for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]
            self._log.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))

    def keep(self, step: int, recipe: Recipe) -> None:
        """Replace the checkpoint."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        part = self._checkpoint.with_suffix(".part")
        torch.save(state | {"step": step, "recipe": recipe}, part)
        part.replace(self._checkpoint)

    @property
    def _log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"
