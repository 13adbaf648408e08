"""EfficientNet-Lite0 without its head, as an encoder of pictures: maps at strides 4, 8, 16 and 32.

Tan and Le, EfficientNet (2019), https://arxiv.org/abs/1905.11946; the Lite variants have no squeeze-and-excitation and
ReLU6 instead of Swish.
"""

import torch.nn.functional as F
from torch import Tensor, nn

_STEM = 32
# Kernel, stride, expansion, channels and repeats of each stage; the last stage of the published network is left out.
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4))
_TAPS = (2, 4, 10, 14)  # the last block of each stride
CHANNELS = (24, 40, 112, 192)  # of the maps
STRIDE = 32


class ConvNorm(nn.Module):
    """A convolution with batch normalisation, padded at the right and bottom first, as TensorFlow does."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> None:
        super().__init__()
        groups = channels if depthwise else 1
        self.before, self.after = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2
        self.conv = nn.Conv2d(channels, out, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Filter (B, C, H, W) with H and W that are multiples of the stride."""
        if self.before or self.after:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        return self.norm(self.conv(x))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; added to the input where the shape stays (MobileNetV2, section 3.3)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = ConvNorm(channels, wide, 1) if expansion > 1 else None
        self.filter = ConvNorm(wide, wide, kernel, stride, depthwise=True)
        self.project = ConvNorm(wide, out, 1)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H / stride, W / stride)."""
        wide = F.relu6(self.expand(x)) if self.expand else x
        out = self.project(F.relu6(self.filter(wide)))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """The stem and the blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, _STEM, 3, 2)
        channels, blocks = _STEM, list[nn.Module]()
        for kernel, stride, expansion, out, repeats in _STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, out, kernel, 1 if repeat else stride, expansion))
                channels = out
        self.blocks = nn.ModuleList(blocks)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return maps (B, C, H / s, W / s), s = 4 to 32, of sRGB (B, 3, H, W) in [0, 1]; sides are multiples of 32."""
        x = F.relu6(self.stem((pictures - 127 / 255) * (255 / 128)))
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _TAPS:
                maps.append(x)
        return maps
