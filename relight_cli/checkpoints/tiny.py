"""Load `tiny`, the network inside the package."""

import functools
import hashlib
import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    import torch

    from relight_cli.models.tiny import Tiny

_FILE = files("relight_cli") / "data" / "tiny.safetensors"
_ALBEDO = files("relight_cli") / "data" / "albedo.safetensors"  # of whole views; see `checkpoints/albedo.py`


@functools.cache
def tiny_sha256() -> str:
    """Return the sha256 of the two files inside the package, one after the other."""
    return hashlib.sha256(_FILE.read_bytes() + _ALBEDO.read_bytes()).hexdigest()


def load_tiny(*, device: str = "cpu", dtype: "torch.dtype | None" = None) -> "Tiny":
    """Load the network, in float32 by default. Raises ModelUnavailableError if the installation is broken."""
    with as_file(_FILE) as path:
        return tiny_from(path, "install relight-cli again", device=device, dtype=dtype, name="the embedded model")


def tiny_from(
    path: Path, remedy: str, *, device: str = "cpu", dtype: "torch.dtype | None" = None, name: str = ""
) -> "Tiny":
    """Load the network of a file. Raises ModelUnavailableError with the remedy for a damaged one."""
    import torch
    from safetensors import SafetensorError, safe_open

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.tiny import Tiny, TinyConfig

    try:
        with safe_open(path, "pt") as file:
            described = json.loads(file.metadata()["config"]).items()
            config: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in described
            }
            state = {key: file.get_tensor(key).to(device, dtype or torch.float32) for key in file.keys()}  # noqa: SIM118
        with torch.device("meta"), Uninitialised():
            network = Tiny(TinyConfig(**config))
        network.load_state_dict(state, strict=True, assign=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelUnavailableError(f"{name or path} is damaged ({error}): {remedy}.") from error
    return network.eval().requires_grad_(False)
