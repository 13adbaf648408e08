"""Depth Anything V2 in two parts: the encoder runs once a photo (feature maps W), the decoder (theta) many times.

https://arxiv.org/abs/2406.09414; the parts are passed in and come from `transformers`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 14
LONGER_SIDE = 518


class DisparityDecoder(nn.Module):
    """The neck and the head: from feature maps to disparity."""

    def __init__(self, neck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.neck, self.head = neck, head

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return disparity (B, h, w), never negative, from feature maps (B, 1 + N, C) of a picture of this size."""
        rows, columns = size[0] // PATCH, size[1] // PATCH
        return self.head(self.neck(list(features), rows, columns), rows, columns)


class DepthNetwork(nn.Module):
    """The encoder, the decoder, and the mean and deviation of the colours that they were trained with."""

    mean: Tensor
    spread: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: DisparityDecoder, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("spread", torch.tensor(std)[:, None, None])

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps W, each (1, 1 + N, C), of an sRGB picture (1, 3, h, w) of the network's size."""
        return tuple(self.encoder((image - self.mean) / self.spread).feature_maps)

    def sky(self, features: tuple[Tensor, ...], size: tuple[int, int]) -> None:
        """Return None: the disparity itself says where there is sky, it is 0 there."""

    def fitted_size(self, height: int, width: int, longer_side: int) -> tuple[int, int]:
        """Return the size of the network's input: about the photo's aspect ratio, in multiples of the patch."""
        return network_size(height, width, longer_side)


def network_size(height: int, width: int, longer_side: int = LONGER_SIDE, patch: int = PATCH) -> tuple[int, int]:
    """Return the size of a network's input: about the photo's aspect ratio, in multiples of a patch.

    Its longer side is the multiple that is nearest to `longer_side`, or to the photo's own if that is less.
    """
    scale = min(1.0, longer_side / max(height, width))
    high, wide = (max(1, round(side * scale / patch)) * patch for side in (height, width))
    return high, wide


def resize_to_network(picture: Tensor, longer_side: int = LONGER_SIDE) -> Tensor:
    """Scale a picture (1, 3, H, W) to the network's size; see `resize_picture`."""
    return resize_picture(picture, network_size(picture.shape[2], picture.shape[3], longer_side))


def resize_picture(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale a picture (1, 3, H, W) to a size (h, w), bilinearly and without aliasing, clipped to [0, 1]."""
    return F.interpolate(picture.nan_to_num(nan=0.0), size, mode="bilinear", antialias=True).clamp(0, 1)
