"""Elementwise functions of torch whose results do not depend on the number of threads."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# torch splits more elements than this among its threads, and rounds the last few of each part in another way than
# those before them (at::internal::GRAIN_SIZE is 32768).
PIECE = 30720


def in_pieces(work: Callable[..., Tensor], *arrays: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return an elementwise function of arrays of one shape, computed in pieces, each by one thread."""
    first = arrays[0]
    out = np.empty(first.shape, first.dtype)
    flat = [torch.from_numpy(np.ascontiguousarray(array)).reshape(-1).split(PIECE) for array in (*arrays, out)]
    for *parts, place in zip(*flat, strict=True):
        place.copy_(work(*parts))
    return out
