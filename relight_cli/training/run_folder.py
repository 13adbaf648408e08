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
        with (self.path / "log.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        state = {name: part.state_dict() for name, part in self.parts.items()}
        part = self._checkpoint.with_suffix(".part")
        torch.save(state | {"step": step, "recipe": recipe}, part)
        part.replace(self._checkpoint)

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"
