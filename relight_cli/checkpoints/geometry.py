"""Load the geometry network, which is inside the package."""

import functools
import hashlib
import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    from relight_cli.models.geometry import GeometryNetwork

_FILE = files("relight_cli") / "data" / "geometry.safetensors"


@functools.cache
def geometry_sha256() -> str:
    """Return the sha256 of the file inside the package."""
    return hashlib.sha256(_FILE.read_bytes()).hexdigest()


def load_geometry(*, device: str = "cpu") -> "GeometryNetwork":
    """Load the network in float32. Raises ModelUnavailableError if the installation is broken."""
    import torch
    from safetensors import SafetensorError, safe_open

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.geometry import GeometryConfig, GeometryNetwork

    try:
        with as_file(_FILE) as path, safe_open(path, "pt") as file:
            config = GeometryConfig(**json.loads(file.metadata()["config"]))
            state = {key: file.get_tensor(key).to(device, torch.float32) for key in file.keys()}  # noqa: SIM118
        with torch.device("meta"), Uninitialised():
            network = GeometryNetwork(config)
        for key, buffer in network.named_buffers():
            if not buffer.ndim:  # counters of batches, which only training uses
                state[key] = torch.zeros((), dtype=buffer.dtype, device=device)
        network.load_state_dict(state, strict=True, assign=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        message = f"the embedded geometry network is damaged ({error}): install relight-cli again."
        raise ModelUnavailableError(message) from error
    return network.eval().requires_grad_(False)
