"""Load LPIPS: its weights are in the package, its backbone is fetched, or a file of torchvision's."""

import re
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.checkpoints.manifest import load_manifest
from relight_cli.checkpoints.weights import LookUp, find, require_download
from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    from torch import Tensor

    from relight_cli.models.lpips import LPIPS

VGG = "vgg16.tv_in1k/model.safetensors"  # in the manifest
REMEDY = (
    'fetch it, name a file of torchvision\'s weights with [loss] backbone, or set [loss] metric = "gradients", '
    "which is MSE with a multi-scale gradient loss and needs no download"
)
_HASH = re.compile(r"-([0-9a-f]{8})\.pth$")  # torchvision's files end in the beginning of their sha256


def load_lpips(name: str, backbone: Path | None, look_up: LookUp, notify: Callable[[str], None]) -> "LPIPS":
    """Load LPIPS on "vgg", fetched unless a file is given, or on "alex", from a file that is given.

    Raises ModelUnavailableError, which offers the loss that needs no backbone.
    """
    from relight_cli.models.lpips import LPIPS, Backbone

    tensors = _read(backbone or _fetched(name, look_up, notify))
    network = Backbone(name)
    wanted = network.state_dict()
    tensors = {key: tensors[key].float() for key in wanted if key in tensors}
    if any(key not in tensors or tensors[key].shape != wanted[key].shape for key in wanted):
        raise ModelUnavailableError(f"{backbone or name} does not hold the convolutions of {name}: {REMEDY}.")
    network.load_state_dict(tensors)
    return LPIPS(network, _channel_weights(name)).eval().requires_grad_(False)


def _fetched(name: str, look_up: LookUp, notify: Callable[[str], None]) -> Path:
    if name != "vgg":
        raise ModelUnavailableError(f"LPIPS on {name} needs a file of its backbone: {REMEDY}.")
    file = load_manifest().file(VGG)
    try:
        require_download([file], look_up)
        return find(file, look_up, notify)
    except ModelUnavailableError as error:
        raise ModelUnavailableError(f"LPIPS needs its backbone, which cannot be had ({error}) {REMEDY}.") from error


def _channel_weights(name: str) -> "list[Tensor]":
    """Return the weights of the channels (C,) of each level, from the package."""
    from safetensors.torch import load_file

    with as_file(files("relight_cli") / "data" / "lpips" / f"{name}.safetensors") as path:
        weights = load_file(path)
    return [weights[f"lin{level}"] for level in range(5)]


def _read(path: Path) -> "dict[str, Tensor]":
    """Read the tensors of a safetensors file, or of a pickle whose name has the beginning of its hash."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from relight_cli.checkpoints.crocodilight import read_pickle
    from relight_cli.checkpoints.trained import sha256_of

    if not path.is_file():
        raise ModelUnavailableError(f"{path}: no such file: {REMEDY}.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelUnavailableError(f"{path} is damaged ({error}): {REMEDY}.") from error
    if (stated := _HASH.search(path.name)) and not sha256_of(path).startswith(stated[1]):
        raise ModelUnavailableError(f"{path} is damaged, its sha256 does not begin with {stated[1]}: {REMEDY}.")
    content = read_pickle(path, REMEDY)
    if not isinstance(content, dict):
        raise ModelUnavailableError(f"{path} holds no named tensors: {REMEDY}.")
    return content
