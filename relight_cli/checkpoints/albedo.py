"""Load the albedo network: its decoders are inside the package, its encoder is that of the geometry network."""

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.network_files import read_network, refused_if_damaged

if TYPE_CHECKING:
    import torch

    from relight_cli.models.albedo import AlbedoNetwork

_FILE = files("relight_cli") / "data" / "albedo.safetensors"


def load_albedo(*, device: str = "cpu", dtype: "torch.dtype | None" = None) -> "AlbedoNetwork":
    """Load the network, in float32 by default. Raises ModelUnavailableError if the installation is broken."""
    import torch

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.albedo import AlbedoConfig, AlbedoNetwork

    precision = dtype or torch.float32
    encoder = load_geometry(device=device).encoder.to(precision)
    with refused_if_damaged("the embedded albedo network", "install relight-cli again"):
        with as_file(_FILE) as path:
            config, state = read_network(path, device, precision)
        with torch.device("meta"), Uninitialised():
            network = AlbedoNetwork(AlbedoConfig(**config), encoder)
        shared = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
        network.load_state_dict(state | shared, strict=True, assign=True)
    return network.eval().requires_grad_(False)
