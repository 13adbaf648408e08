"""Load the geometry network, which is inside the package."""

import functools
import hashlib
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from relight_cli.checkpoints.network_files import read_network, refused_if_damaged

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

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.geometry import GeometryConfig, GeometryNetwork

    with refused_if_damaged("the embedded geometry network", "install relight-cli again"):
        with as_file(_FILE) as path:
            config, state = read_network(path, device, torch.float32)
        with torch.device("meta"), Uninitialised():
            network = GeometryNetwork(GeometryConfig(**config))
        for key, buffer in network.named_buffers():
            if not buffer.ndim:  # counters of batches, which only training uses
                state[key] = torch.zeros((), dtype=buffer.dtype, device=device)
        network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)
