"""Pictures of any size for networks whose maps have strides."""

import torch.nn.functional as F
from torch import Tensor


def pad_to(pictures: Tensor, stride: int) -> Tensor:
    """Repeat the last column and row of pictures (N, C, H, W) until both sides are multiples of a stride."""
    height, width = pictures.shape[-2:]
    return F.pad(pictures, (0, -width % stride, 0, -height % stride), mode="replicate")
