"""Files of this project's own networks: sizes as JSON in the metadata, and tensors.

Tensors of long rows are stored as int8, with a scale for each row; the others as float16.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    import torch
    from safetensors import safe_open
    from torch import Tensor

LONG = 64  # values of a row; in shorter ones, as of depthwise convolutions, the error of int8 shows in pictures
SCALE = ".scale"  # after the name of an int8 tensor: the scale of its rows


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
        tensors = {key: value.to(device, dtype) for key, value in read_tensors(file).items()}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in described}, tensors


def read_tensors(file: "safe_open") -> "dict[str, Tensor]":
    """Return the tensors of an open file: those stored as int8 in float32, the others as they are."""
    stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    scales = {key.removesuffix(SCALE): stored.pop(key) for key in [*stored] if key.endswith(SCALE)}
    return stored | {key: stored[key] * scale for key, scale in scales.items()}


def to_store(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Return tensors (C, ...) as they are stored, for `read_tensors`.

    Those with rows of `LONG` values or more become int8 and a scale (C, 1, ...) in float32, with 127 for the largest
    value of each row; the others float16.
    """
    import torch

    stored: dict[str, Tensor] = {}
    for key, value in tensors.items():
        values = value.float().contiguous()
        if values.ndim > 1 and values[0].numel() >= LONG:
            largest = values.abs().amax(tuple(range(1, values.ndim)), keepdim=True)
            scale = largest.clamp(min=torch.finfo(torch.float32).tiny) / 127
            stored |= {key: (values / scale).round().to(torch.int8), f"{key}{SCALE}": scale}
        else:
            stored[key] = values.half()
    return stored
