"""Train the network that tells where a reference shows the same surfaces as a photo.

python -m relight_cli.training.agreement PHOTOS VIEWS agreement.safetensors

PHOTOS are any photos, VIEWS those of relight_cli.training.geometry_views. Two fifths of the pairs are crops of photos
under two made lights; over a part of the second, patches of another photo are pasted, before or after it is made soft,
or it is another photo altogether. The others are those of `light_pairs`: also lit surfaces, clouds, lamps and black
backgrounds. The truth is the share of each cell that was not pasted over.
"""

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from relight_cli.models.agreement import AgreementNet
from relight_cli.models.colour import srgb_to_linear
from relight_cli.relighting.agreement import CHANNELS, FINE, cell_features
from relight_cli.training.light_pairs import LightPairs, LitSources
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.synthetic_light import shapes, synthetic_log_light

Maps = NDArray[np.float32]
SIDE, LIGHTS = 192, 64  # pixels of a crop; lights that are drawn at a time
CELLS = (14, 49)  # along a crop
SHARES = (0.03, 0.1, 0.2, 0.4)  # of a crop that patches cover
UNTOUCHED, OTHER_SCENE = 0.12, 0.15  # shares of the pairs without patches, and of those of two scenes
CROPS = 0.4  # share of the pairs that are crops under made light


class PairMaker:
    """Makes pairs of pictures (SIDE, SIDE, 3) in linear light, and the share of another scene in the second."""

    def __init__(self, photos: PhotoCrops, seed: int) -> None:
        self.photos, self.rng, self.generator = photos, np.random.default_rng(seed), Generator().manual_seed(seed)
        self.silhouettes = shapes(LIGHTS, SIDE, self.generator)[:, 0].numpy()
        self.renew()

    def renew(self) -> None:
        """Draw other crops and other lights."""
        crops = srgb_to_linear(self.photos.draw(LIGHTS, SIDE, self.rng)[0])
        light = synthetic_log_light(LIGHTS, SIDE, self.generator)[0]
        self.crops, self.lights = (x.permute(0, 2, 3, 1).numpy() for x in (crops, light.exp()))

    def pick(self, of: Maps) -> Maps:
        """Return one of a batch."""
        return of[self.rng.integers(len(of))]

    def pair(self) -> tuple[Maps, Maps, Maps]:
        """Return a photo, a reference, and where the reference shows another scene (SIDE, SIDE)."""
        rng, crop = self.rng, self.pick(self.crops)
        own = crop * self.pick(self.lights) if rng.random() < 0.7 else crop
        lit = crop * self.pick(self.lights) if rng.random() < 0.85 else crop
        own, lit, other = self.captured(own), self.captured(lit), self.captured(self.pick(self.crops))
        if rng.random() < 0.4:
            shift = np.array([[1, 0, rng.normal(0, 0.4)], [0, 1, rng.normal(0, 0.4)]], np.float32)
            lit = np.asarray(cv2.warpAffine(lit, shift, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT), np.float32)
        kind = rng.random()
        patch = np.full((SIDE, SIDE), np.float32(UNTOUCHED <= kind < UNTOUCHED + OTHER_SCENE))
        if kind >= UNTOUCHED + OTHER_SCENE:
            patch = self.patches()
        return own, self.composed(lit, other, patch[..., None]), patch

    def composed(self, lit: Maps, other: Maps, patch: Maps) -> Maps:
        """Paste another picture into a reference that is sharp, or soft before or after that."""
        if self.rng.random() < 0.3:
            return lit + patch * (other - lit)
        cells, way = int(self.rng.uniform(*CELLS) * self.rng.uniform(0.8, 1.6)), self.rng.random()
        if way < 0.45:
            return soft(lit + patch * (other - lit), cells)
        return soft(lit, cells) * (1 - patch) + patch * (other if way < 0.8 else soft(other, cells))

    def captured(self, light: Maps) -> Maps:
        """Expose linear light, bend its curve, add haze and noise, clip it."""
        rng = self.rng
        light = light * np.float32(2 ** rng.uniform(-1, 1)) if rng.random() < 0.5 else light
        if rng.random() < 0.3:
            light = light * rng.uniform(0.3, 1) / max(1e-3, float(np.percentile(light, 97)))
        light = light ** rng.uniform(0.75, 1.3) if rng.random() < 0.3 else light
        light = light + rng.uniform(0, 0.1) * light.mean((0, 1)) if rng.random() < 0.2 else light
        noise = rng.uniform(0, 0.01) if rng.random() < 0.8 else rng.uniform(0.01, 0.03)
        noisy = light + rng.normal(size=light.shape) * noise * np.sqrt(np.maximum(light, 0) + 0.01)
        return np.asarray(noisy.clip(0, 1), np.float32)

    def patches(self) -> Maps:
        """Return rectangles, ellipses or a silhouette (SIDE, SIDE) that cover one of SHARES."""
        rng, share, kind = self.rng, self.rng.choice(SHARES), self.rng.integers(3)
        if kind == 2:
            distance = self.pick(self.silhouettes)
            return (distance < np.quantile(distance, share)).astype(np.float32)
        patch = np.zeros((SIDE, SIDE), np.float32)
        while patch.mean() < share:
            high, wide = (int(SIDE * rng.uniform(0.06, 0.35)) for _ in range(2))
            y, x = int(rng.integers(-high // 2, SIDE - high)), int(rng.integers(-wide // 2, SIDE - wide))
            if kind == 0:
                patch[max(0, y) : y + high, max(0, x) : x + wide] = 1
            else:
                middle, radii = (x + wide // 2, y + high // 2), (wide // 2 + 1, high // 2 + 1)
                cv2.ellipse(patch, middle, radii, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        return patch


def soft(picture: Maps, cells: int) -> Maps:
    """Return a picture reduced to so many cells and enlarged again."""
    small = cv2.resize(picture, (cells, cells), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def examples(sources: LitSources, count: int, seed: int) -> dict[int, tuple[Tensor, Tensor]]:
    """Return features (B, CHANNELS, n, n) and agreement (B, 1, n, n), by the number n of cells."""
    made, maker, lit = defaultdict(list), PairMaker(sources.crops, seed), LightPairs(sources, seed)
    for index in range(count):
        if index % LIGHTS == LIGHTS - 1:
            maker.renew()
        cells = int(maker.rng.integers(*CELLS))
        if maker.rng.random() < CROPS:
            own, reference, patch = maker.pair()
        else:
            pair = lit.pair()
            own, reference, patch = pair.photo, pair.reference, pair.patch
        size = (FINE * cells, FINE * cells)
        pictures = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (own, reference))
        agreed = 1 - cv2.resize(patch, (cells, cells), interpolation=cv2.INTER_AREA)
        made[cells].append((cell_features(*pictures), agreed))
    return {
        cells: (
            torch.from_numpy(np.stack([x for x, _ in batch])).permute(0, 3, 1, 2).half(),
            torch.from_numpy(np.stack([y for _, y in batch]))[:, None],
        )
        for cells, batch in made.items()
    }


def train(
    photos: Annotated[Path, typer.Argument()],
    views: Annotated[Path, typer.Argument()],
    output: Annotated[Path, typer.Argument()],
    count: Annotated[int, typer.Option()] = 6400,
    steps: Annotated[int, typer.Option()] = 2700,
    seed: Annotated[int, typer.Option()] = 1,
    rate: Annotated[float, typer.Option()] = 4e-3,
    start: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
) -> None:
    """Train on the photos of a folder that are not held out, and on views."""
    torch.manual_seed(seed)
    made, rng = examples(LitSources.of(photos, views), count, seed), np.random.default_rng(seed)
    sizes = list(made)
    share = np.array([len(made[n][0]) * n * n for n in sizes], float)
    network = AgreementNet(CHANNELS)
    if start:
        network.load_state_dict(load_file(start))
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps)
    for _ in range(steps):
        cells = sizes[rng.choice(len(sizes), p=share / share.sum())]
        features, agreed = made[cells]
        chosen = rng.integers(0, len(features), max(4, 2**15 // cells**2))
        x, y = features[chosen].float(), agreed[chosen]
        flipped = [axis for axis in (2, 3) if rng.random() < 0.5]
        loss = F.binary_cross_entropy_with_logits(network(x.flip(flipped)), y.flip(flipped))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, output)


if __name__ == "__main__":
    typer.run(train)
