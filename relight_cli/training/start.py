"""Start a new run from exported weights."""

from collections.abc import Iterable
from pathlib import Path

import typer
from safetensors import SafetensorError, safe_open
from torch import nn

from relight_cli.training.run_folder import holds_run


def require_new(folder: Path, start: Path | None) -> None:
    """Raise BadParameter if a run is to start from weights in a folder that already holds one."""
    if start and holds_run(folder):
        raise typer.BadParameter(f"{folder} holds a run, which is resumed: leave out --start, or name another folder.")


def load_exported(start: Path, parts: Iterable[nn.Module], name: str = "") -> dict[str, str]:
    """Load exported weights into modules, and return the metadata of the file.

    Only those whose keys begin with `name` and a dot are loaded, if there is a name. What the file does not have stays
    as it is. Raises BadParameter for a file that cannot be read, or is one of another network.
    """
    prefix = f"{name}." if name else ""
    try:
        with safe_open(start, "pt") as file:
            keys = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
            weights, metadata = {key.removeprefix(prefix): file.get_tensor(key) for key in keys}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise typer.BadParameter(f"{start} cannot be read ({error}): name another --start.") from error
    foreign = [key for part in parts for key in part.load_state_dict(weights, strict=False).unexpected_keys]
    if foreign or not weights:
        reason = f"has {foreign[0]}" if foreign else f"has no {name or 'weights'}"
        raise typer.BadParameter(f"{start} {reason}, so it is of another network: name another --start.")
    return metadata
