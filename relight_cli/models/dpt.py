"""Dense prediction head (DPT, Ranftl et al., ICCV 2021) from four maps of tokens to a picture."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 16  # pixels of the picture for each of a map's; the deepest level halves the maps


def upsample(x: Tensor) -> Tensor:
    """Double the size, bilinear with aligned corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class ResidualConvUnit(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Transform maps (B, C, h, w)."""
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Fusion(nn.Module):
    """Add a shallower level's map to the path, refine, double the size."""

    def __init__(self, width: int, *, has_skip: bool) -> None:
        super().__init__()
        self.skip_unit = ResidualConvUnit(width) if has_skip else None
        self.path_unit = ResidualConvUnit(width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, path: Tensor, skip: Tensor | None = None) -> Tensor:
        """Return (B, C, 2h, 2w) from the path and the skip (B, C, h, w)."""
        if self.skip_unit is not None and skip is not None:
            path = path + self.skip_unit(skip)
        return self.project(upsample(self.path_unit(path)))


class DPTHead(nn.Module):
    """The head from four maps of width C at stride 16, shallowest first, to a picture of full size."""

    def __init__(
        self, width: int, level_widths: tuple[int, int, int, int], features: int, output_widths: tuple[int, int]
    ) -> None:
        super().__init__()
        w1, w2, w3, w4 = level_widths
        self.reassemble = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(width, w1, 1), nn.ConvTranspose2d(w1, w1, 4, 4)),
                nn.Sequential(nn.Conv2d(width, w2, 1), nn.ConvTranspose2d(w2, w2, 2, 2)),
                nn.Sequential(nn.Conv2d(width, w3, 1)),
                nn.Sequential(nn.Conv2d(width, w4, 1), nn.Conv2d(w4, w4, 3, 2, 1)),
            ]
        )
        self.projections = nn.ModuleList(nn.Conv2d(w, features, 3, padding=1, bias=False) for w in level_widths)
        self.fusions = nn.ModuleList(Fusion(features, has_skip=level < 3) for level in range(4))
        inner, last = output_widths
        self.output = nn.Sequential(
            nn.Conv2d(features, inner, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(inner, last, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(last, 3, 1),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the picture (B, 3, 16h, 16w) from maps (B, C, h, w)."""
        # Transposed convolutions return channels first; the convolutions after them are faster with channels last.
        levels = [
            project(reassemble(x).contiguous(memory_format=torch.channels_last))
            for project, reassemble, x in zip(self.projections, self.reassemble, maps, strict=True)
        ]
        path = self.fusions[3](levels[3])
        for level in (2, 1, 0):
            path = self.fusions[level](path, levels[level])
        return self.output(path)
