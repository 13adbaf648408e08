"""The network that takes the light of a soft reference of the same view over to a photo."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 64, 64)  # channels, from the full size to a sixteenth of it


class LightTransferNet(nn.Module):
    """A small U-Net (Ronneberger et al. 2015) over the pixels of two pictures of a view.

    It tells where both show the same surfaces, and what a quotient of the two lacks: sharp borders of shadows where it
    is trusted, the light around where it is not.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Level(channels, WIDTHS[0])
        self.down = nn.ModuleList(_Level(WIDTHS[n - 1], WIDTHS[n], stride=2) for n in range(1, len(WIDTHS)))
        self.up = nn.ModuleList(_Level(WIDTHS[n] + WIDTHS[n + 1], WIDTHS[n]) for n in range(len(WIDTHS) - 1))
        self.last = nn.Conv2d(WIDTHS[0], 5, 3)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return three maps of features (B, C, h, w).

        They are logits of trust in the reference (B, 1, h, w), logits of the quotient's share in the gain (B, 1, h, w),
        and a correction of the gain in stops (B, 3, h, w).
        """
        x = self.first(features)
        levels = [x]
        for level in self.down:
            x = level(x)
            levels.append(x)
        for level, fine in zip(reversed(self.up), levels[-2::-1], strict=True):
            enlarged = F.interpolate(x, size=fine.shape[-2:], mode="bilinear", align_corners=False)
            x = level(torch.cat((fine, enlarged), dim=1))
        trust, share, correction = self.last(padded(x)).split((1, 1, 3), dim=1)
        return trust, share, correction


class _Level(nn.Module):
    """Two convolutions, the second around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(inputs, outputs, 3, stride), nn.Conv2d(outputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(padded(x)))
        return x + F.relu(self.second(padded(x)))


def padded(maps: Tensor) -> Tensor:
    """Repeat the outermost pixels of maps (B, C, h, w)."""
    return F.pad(maps, (1, 1, 1, 1), mode="replicate")
