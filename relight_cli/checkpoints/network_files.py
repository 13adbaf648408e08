"""Files of this project's own networks: sizes as JSON in the metadata, and tensors."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@contextlib.contextmanager
def refused_if_damaged(name: str, remedy: str) -> Iterator[None]:
    """Raise ModelUnavailableError, with the remedy, for what a damaged file does to the block."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelUnavailableError(f"{name} is damaged ({error}): {remedy}.") from error


def read_network(path: Path, device: str, dtype: "torch.dtype") -> "tuple[dict[str, Any], dict[str, Tensor]]":
    """Return the sizes and the tensors of a network, for `refused_if_damaged`."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        described = json.loads(file.metadata()["config"]).items()
        tensors = {key: file.get_tensor(key).to(device, dtype) for key in file.keys()}  # noqa: SIM118
    return {key: tuple(value) if isinstance(value, list) else value for key, value in described}, tensors
