"""Start a new run from exported weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from relight_cli.checkpoints.network_files import read_tensors
from relight_cli.training.run_folder import Recipe, holds_run


def require_new(folder: Path, start: Path | None) -> None:
    """Raise BadParameter if a run is to start from weights in a folder that already holds one."""
    if start and holds_run(folder):
        raise typer.BadParameter(f"{folder} holds a run, which is resumed: leave out --start, or name another folder.")


def load_exported(start: Path, parts: Sequence[nn.Module], name: str = "") -> Recipe:
    """Load exported weights into modules, and return the recipe that they were trained by.

    Only those whose keys begin with `name` and a dot are loaded, if there is a name. What the file does not have stays
    as it is. Raises BadParameter, before anything is loaded, for a file that cannot be read, is one of another network
    or has no recipe.
    """
    prefix = f"{name}." if name else ""
    try:
        with safe_open(start, "pt") as file:
            tensors, metadata = read_tensors(file), file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise typer.BadParameter(f"{start} cannot be read ({error}): name another --start.") from error
    weights = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    reasons = [reason for part in parts for reason in _foreign(weights, part)]
    if not weights:
        reasons = [f"no {name or 'weights'}"]
    if reasons:
        raise typer.BadParameter(f"{start} has {reasons[0]}, so it is of another network: name another --start.")
    recipe = _recipe(metadata, name)
    if recipe is None:
        raise typer.BadParameter(f"{start} does not say the recipe of its weights: name a file that a run exported.")
    for part in parts:
        part.load_state_dict(weights, strict=False)
    return recipe


def _foreign(weights: dict[str, Tensor], part: nn.Module) -> list[str]:
    """Return the weights that a module lacks or has in another shape, in words."""
    own = {key: tuple(value.shape) for key, value in part.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    return [
        f"{key} of shape {shape}, not {own[key]}" if key in own else key
        for key, shape in found.items()
        if own.get(key) != shape
    ]


def _recipe(metadata: dict[str, str], name: str) -> Recipe | None:
    """Return the recipe of all weights of a file, or of those that have a name; None without one."""
    try:
        found = json.loads(metadata[name])["recipe"] if name else json.loads(metadata["recipe"])
    except (KeyError, ValueError, TypeError):
        return None
    return found if isinstance(found, list) else None
