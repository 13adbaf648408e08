"""Pictures whose light is known, in whole or but for what they share, to train the albedo network on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from relight_cli.training.pairs import TONED, LitViews, photo_pairs, view_pairs
from relight_cli.training.photos import PhotoCrops

SIZES = ((256, 256), (224, 288), (192, 288), (288, 192), (288, 288), (192, 320), (160, 160), (256, 320))
WITH_PHOTO = 0.5  # share of the batches with a photo under two lights
OUTLINED = 0.12  # share of the batches whose views are cut out, in front of black


@dataclass(frozen=True)
class Batch:
    """Pictures of one size; first those of views, then the photos under their first, then their second light."""

    pictures: Tensor  # (V + 2 P, 3, H, W) sRGB in [0, 1]
    to_white: Tensor  # (V, 3, H, W) change of log light from a view to its albedo; NaN where it is not known
    to_other: Tensor  # (P, 3, H, W) change of log light from a photo's first light to its second
    row: int  # 0 or 1: losses look at every second row from this one on
    column: int


class AlbedoPictures:
    """Rendered views, and photos under made light."""

    def __init__(self, views: Sequence[LitViews], shares: Sequence[float], crops: PhotoCrops) -> None:
        if len(shares) != len(views):
            raise ValueError("give a share for each folder of views")
        self.views, self.chances, self.crops = views, np.array(shares) / sum(shares), crops

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw pictures of as many pixels as `count` of 256 x 256: a rectangle of each square pair."""
        height, width = SIZES[rng.integers(len(SIZES))]
        side = max(height, width)
        views = max(1, round(count / 2 * 256**2 / (height * width)))
        with_photo = rng.random() < WITH_PHOTO
        pairs = [
            view_pairs(self.views[rng.choice(len(self.views), p=self.chances)], views, side, rng, "cpu", toned=TONED)
        ]
        if with_photo:
            pairs.append(photo_pairs(self.crops, 1, side, rng, "cpu", toned=TONED))
        y, x = rng.integers(side - height + 1), rng.integers(side - width + 1)
        seen = (slice(y, y + height), slice(x, x + width))
        pictures = [torch.cat((pair.a, pair.b))[..., *seen] for pair in pairs]
        to_white = pairs[0].to_white.flatten(0, 1)[..., *seen]
        if rng.random() < OUTLINED:
            inside = outlines(len(pictures[0]), height, width, torch.Generator().manual_seed(int(rng.integers(2**62))))
            pictures[0], to_white = pictures[0] * inside, to_white.masked_fill(~inside, torch.nan)
        to_other = pairs[1].to_other[..., *seen] if with_photo else torch.empty(0, 3, height, width)
        row, column = (int(n) for n in rng.integers(2, size=2))
        return Batch(torch.cat(pictures), to_white, to_other, row, column)


def outlines(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Return bumpy discs in the middle, (count, 1, H, W), true inside."""
    bumps = F.interpolate(torch.randn(count, 1, 5, 5, generator=generator), (height, width), mode="bicubic")
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    return (x.square() + y.square()).sqrt() + 0.25 * bumps < 0.85
