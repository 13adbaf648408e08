"""The geometry network as a network whose depth is refined: its encoder runs once a photo, its decoder many times."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from relight_cli.models.depth_anything import network_size
from relight_cli.models.efficientnet_lite import STRIDE
from relight_cli.models.geometry import GeometryNetwork, decode_surfaces

# The refinement's depth s / (D + m) is made for the disparity of Depth Anything V2, about ten where a photo is near.
# The geometry network says 1.3 there (median over 25 photos).
SCALE = 8.0


class GeometryDecoder(nn.Module):
    """The geometry network without its encoder."""

    def __init__(self, network: GeometryNetwork) -> None:
        super().__init__()
        self.view, self.fusions, self.head = network.view, network.fusions, network.head

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return disparity (B, h, w), positive, also in the sky, from the encoder's maps of a picture of this size."""
        log_disparity = decode_surfaces(features, self.view(features[-1]), self.fusions, self.head)[:, :1]
        return SCALE * F.interpolate(log_disparity, size, mode="bilinear")[:, 0].exp()


class GeometryDepth(nn.Module):
    """The geometry network in the parts that refinement needs."""

    def __init__(self, network: GeometryNetwork) -> None:
        super().__init__()
        self.encoder, self.decoder, self.sky_decoder = network.encoder, GeometryDecoder(network), network.sky

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the encoder's maps, each (1, C, h / stride, w / stride), of an sRGB picture (1, 3, h, w)."""
        return tuple(self.encoder(image))

    def sky(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return the share of sky (1, h, w), 0 to 1, of a picture of this size, from the encoder's maps."""
        logits = self.sky_decoder(features, self.decoder.view(features[-1]))
        return F.interpolate(logits, size, mode="bilinear")[:, 0].sigmoid()

    def fitted_size(self, height: int, width: int, longer_side: int) -> tuple[int, int]:
        """Return the size of the network's input: about the photo's aspect ratio, in multiples of the stride."""
        return network_size(height, width, longer_side, STRIDE)
