"""LPIPS (Zhang et al., CVPR 2018, https://arxiv.org/abs/1801.03924): a distance of pictures between deep features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1], section 3.2 and its code
TINY = 1e-20  # added to squared lengths, so that a feature of zeros has a gradient

# Convolutions by their number in `features` of torchvision's networks: (number, in, out, kernel, stride, padding);
# "pool" halves the maps first, and a "tap" after a convolution's ReLU is one level of the distance.
VGG = (
    *((0, 3, 64, 3, 1, 1), (2, 64, 64, 3, 1, 1), "tap"),
    *("pool", (5, 64, 128, 3, 1, 1), (7, 128, 128, 3, 1, 1), "tap"),
    *("pool", (10, 128, 256, 3, 1, 1), (12, 256, 256, 3, 1, 1), (14, 256, 256, 3, 1, 1), "tap"),
    *("pool", (17, 256, 512, 3, 1, 1), (19, 512, 512, 3, 1, 1), (21, 512, 512, 3, 1, 1), "tap"),
    *("pool", (24, 512, 512, 3, 1, 1), (26, 512, 512, 3, 1, 1), (28, 512, 512, 3, 1, 1), "tap"),
)
ALEX = (
    *((0, 3, 64, 11, 4, 2), "tap"),
    *("pool", (3, 64, 192, 5, 1, 2), "tap"),
    *("pool", (6, 192, 384, 3, 1, 1), "tap", (8, 384, 256, 3, 1, 1), "tap", (10, 256, 256, 3, 1, 1), "tap"),
)
BACKBONES = {"vgg": (VGG, 2), "alex": (ALEX, 3)}  # by name: the steps, and the kernel of the pools


class Backbone(nn.Module):
    """The convolutions of VGG-16 or AlexNet; their names are torchvision's."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.steps, self.pool = BACKBONES[name]
        convolutions = [step for step in self.steps if not isinstance(step, str)]
        self.features = nn.ModuleDict(
            {str(n): nn.Conv2d(i, o, kernel, stride, padding) for n, i, o, kernel, stride, padding in convolutions}
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features (B, C, h, w) of each level."""
        levels = []
        for step in self.steps:
            if step == "tap":
                levels.append(x)
            elif step == "pool":
                x = F.max_pool2d(x, self.pool, 2)
            else:
                x = F.relu(self.features[str(step[0])](x))
        return levels


class LPIPS(nn.Module):
    """The distance, with the weights of the channels that were fitted to people's judgements ("lin", version 0.1)."""

    def __init__(self, backbone: Backbone, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.backbone = backbone
        self.weights = nn.ParameterList(
            nn.Parameter(one, requires_grad=False) for one in weights
        )  # (C,) for each level

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distances (B,) of sRGB-encoded pictures (B, 3, H, W) in [0, 1]; 0 for equal ones."""
        total = a.new_zeros(len(a))
        for level in self.maps(a, b):
            total = total + level.mean((1, 2))
        return total

    def maps(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """Return the distances (B, h, w) of each level, whose means `forward` sums."""
        return [
            torch.einsum("bchw,c->bhw", (unit(x.float()) - unit(y.float())).square(), weights)
            for weights, x, y in zip(self.weights, self._levels(a), self._levels(b), strict=True)
        ]

    def _levels(self, picture: Tensor) -> list[Tensor]:
        shift, scale = (picture.new_tensor(v)[:, None, None] for v in (SHIFT, SCALE))
        return self.backbone((2 * picture - 1 - shift) / scale)


def unit(x: Tensor) -> Tensor:
    """Return maps (B, C, h, w) whose channels have length 1 at each place."""
    return x * (x.square().sum(1, keepdim=True) + TINY).rsqrt()
