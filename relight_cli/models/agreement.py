"""The network that tells where two pictures of a view show the same surfaces."""

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 24
DILATIONS = (2, 4, 4)


class AgreementNet(nn.Module):
    """Five convolutions over cells, the middle ones dilated, so that a cell sees twelve cells around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.first = nn.Conv2d(channels, WIDTH, 3)
        self.middle = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, dilation=d) for d in DILATIONS)
        self.last = nn.Conv2d(WIDTH, 1, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits (B, 1, h, w) of features (B, C, h, w); both sides may have any length."""
        x = F.relu(self.first(padded(self.norm(features), 1)))
        for layer, dilation in zip(self.middle, DILATIONS, strict=True):
            x = x + F.relu(layer(padded(x, dilation)))
        return self.last(padded(x, 1))


def padded(maps: Tensor, cells: int) -> Tensor:
    """Repeat the outermost cells of maps (B, C, h, w)."""
    return F.pad(maps, (cells, cells, cells, cells), mode="replicate")
