"""Load `tiny`, the network inside the package."""

import functools
import hashlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.checkpoints.network_files import read_network, refused_if_damaged

if TYPE_CHECKING:
    import torch

    from relight_cli.models.tiny import Tiny

_FILE = files("relight_cli") / "data" / "tiny.safetensors"
# Of whole views; see `checkpoints/albedo.py` and `checkpoints/geometry.py`.
_ALBEDO, _GEOMETRY = (files("relight_cli") / "data" / f"{name}.safetensors" for name in ("albedo", "geometry"))


@functools.cache
def tiny_sha256() -> str:
    """Return the sha256 of the files inside the package, one after the other: tiny, albedo, geometry."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in (_FILE, _ALBEDO, _GEOMETRY))).hexdigest()


def load_tiny(*, device: str = "cpu", dtype: "torch.dtype | None" = None) -> "Tiny":
    """Load the network, in float32 by default. Raises ModelUnavailableError if the installation is broken."""
    with as_file(_FILE) as path:
        return tiny_from(path, "install relight-cli again", device=device, dtype=dtype, name="the embedded model")


def tiny_from(
    path: Path, remedy: str, *, device: str = "cpu", dtype: "torch.dtype | None" = None, name: str = ""
) -> "Tiny":
    """Load the network of a file. Raises ModelUnavailableError with the remedy for a damaged one."""
    import torch

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.tiny import Tiny, TinyConfig

    with refused_if_damaged(name or str(path), remedy):
        config, state = read_network(path, device, dtype or torch.float32)
        with torch.device("meta"), Uninitialised():
            network = Tiny(TinyConfig(**config))
        network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)
