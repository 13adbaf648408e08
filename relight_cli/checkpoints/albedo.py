"""Load the albedo network: its decoders are inside the package, its encoder is that of the geometry network."""

import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    import torch

    from relight_cli.models.albedo import AlbedoNetwork

_FILE = files("relight_cli") / "data" / "albedo.safetensors"


def load_albedo(*, device: str = "cpu", dtype: "torch.dtype | None" = None) -> "AlbedoNetwork":
    """Load the network, in float32 by default. Raises ModelUnavailableError if the installation is broken."""
    import torch
    from safetensors import SafetensorError, safe_open

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.albedo import AlbedoConfig, AlbedoNetwork

    encoder = load_geometry(device=device).encoder.to(dtype or torch.float32)
    try:
        with as_file(_FILE) as path, safe_open(path, "pt") as file:
            described = json.loads(file.metadata()["config"]).items()
            config: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in described
            }
            state = {key: file.get_tensor(key).to(device, dtype or torch.float32) for key in file.keys()}  # noqa: SIM118
        with torch.device("meta"), Uninitialised():
            network = AlbedoNetwork(AlbedoConfig(**config), encoder)
        shared = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        network.load_state_dict(state | shared, strict=True, assign=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        message = f"the embedded albedo network is damaged ({error}): install relight-cli again."
        raise ModelUnavailableError(message) from error
    return network.eval().requires_grad_(False)
