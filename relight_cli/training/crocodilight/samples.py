"""Samples of a training run: which picture of which scene comes when, and the crops of it.

The number of a sample alone determines it: the order of an epoch is a permutation seeded by the epoch, everything else
is drawn from a generator seeded by the sample. So a resumed run, and any number of processes, see the same samples.
"""

import threading
from collections import OrderedDict
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.errors import PhotoUnreadableError
from relight_cli.models.colour import linear_to_srgb
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.training.crocodilight.config import CropsConfig
from relight_cli.training.crocodilight.layouts import Scene, Source

LUMA = np.array((0.299, 0.587, 0.114), np.float32)  # of ITU-R BT.601, for samples in shades of grey
MAX_PIXELS = 500_000_000
Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Samples of a step: V pictures of each view."""

    pictures: Tensor  # (B, V, 3, S, S) sRGB in [0, 1]
    seeds: Tensor  # (B,) int64, for what a stage draws itself: the masks of CroCo

    def part(self, which: slice) -> "Batch":
        """Return some of the samples."""
        return Batch(self.pictures[which], self.seeds[which])


class Pictures:
    """Reads pictures; keeps the last ones that fit into so many bytes."""

    def __init__(self, megabytes: int) -> None:
        self._most, self._size = megabytes * 10**6, 0
        self._kept: OrderedDict[Source, NDArray] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, source: Source) -> NDArray:
        """Return a picture (H, W, 3), sRGB, in uint8 or uint16. Raises PhotoUnreadableError."""
        with self._lock:
            if source in self._kept:
                self._kept.move_to_end(source)
                return self._kept[source]
        picture = rendered(source) if source.layers else decoded(read_photo(source.path, max_pixels=MAX_PIXELS))
        with self._lock:
            if source not in self._kept and picture.nbytes <= self._most:
                self._kept[source] = picture
                self._size += picture.nbytes
                while self._size > self._most:
                    self._size -= self._kept.popitem(last=False)[1].nbytes
        return picture


def decoded(photo: Photo) -> NDArray:
    """Return a photo as sRGB (H, W, 3) in 8 bits, or 16 if it has more."""
    depth = np.dtype(np.uint8) if photo.pixels.dtype == np.uint8 else np.dtype(np.uint16)
    return from_unit(np.clip(photo.to_srgb(), 0, 1), depth)


def rendered(source: Source) -> NDArray:
    """Return the product of layers of a rendered view, which are linear, as sRGB (H, W, 3) in 8 bits."""
    layers = np.load(source.path, mmap_mode="r")[source.view]
    linear = np.prod([np.asarray(layers[layer], np.float32) for layer in source.layers], axis=0)
    srgb = linear_to_srgb(torch.from_numpy(linear).clamp(0, 1)).numpy()
    return from_unit(np.ascontiguousarray(srgb.transpose(1, 2, 0)), np.dtype(np.uint8))


@dataclass(frozen=True)
class Sample:
    """The pictures that a sample may be cut from: the first, and one of the others next to it."""

    first: Source
    others: tuple[Source, ...]  # none for a stage that needs one picture


def samples_of(stage: str, scenes: list[Scene]) -> list[Sample]:
    """Return the samples that a stage can take from scenes."""
    found = []
    for scene in scenes:
        for number, light in enumerate(scene.lights):
            match stage:
                case "decoder":
                    found.append(Sample(light, ()))
                case "shadow" if scene.free:
                    found.append(Sample(light, (scene.free[min(number, len(scene.free) - 1)],)))
                case "albedo" if scene.albedo:
                    found.append(Sample(light, (scene.albedo,)))
                case "croco" | "light" if others := tuple(one for one in scene.lights if one != light):
                    found.append(Sample(light, others))
        if stage == "decoder":
            found += [Sample(one, ()) for one in scene.pictures if one not in scene.lights]
    return found


@dataclass(frozen=True)
class Drawing:
    """Draws samples of a stage by their number."""

    stage: str
    samples: list[Sample]
    crops: CropsConfig
    size: int  # side of a tile, in pixels
    seed: int
    pictures: Pictures

    def batch(self, numbers: range) -> Batch:
        """Return the samples of some numbers, one after the other."""
        return collated([self.sample(number) for number in numbers])

    def sample(self, number: int) -> tuple[list[Picture], int]:
        """Return the pictures (S, S, 3) of a sample, in [0, 1], and a seed for the stage."""
        epoch, place = divmod(number, len(self.samples))
        order = order_of(self.seed, epoch, len(self.samples))
        rng = np.random.default_rng((self.seed, 1, number))
        return self._cut(self.samples[order[place]], rng), int(rng.integers(2**62))

    def centre(self, sample: Sample, number: int) -> tuple[list[Picture], int]:
        """Return the middle of a sample's pictures, always the same, in colour."""
        rng = np.random.default_rng((self.seed, 2, number))
        plain = Drawing(
            self.stage, self.samples, CropsConfig(grey=0, mirror=False), self.size, self.seed, self.pictures
        )
        return plain._cut(sample, rng, middle=True), int(rng.integers(2**62))

    def _cut(self, sample: Sample, rng: np.random.Generator, *, middle: bool = False) -> list[Picture]:
        other = sample.others[rng.integers(len(sample.others))] if sample.others else None
        pictures = [self.pictures.read(one) for one in (sample.first, other) if one]
        if len({picture.shape for picture in pictures}) > 1:
            raise PhotoUnreadableError(
                f"{sample.first} and {other} have different sizes: remove what 'relight-cli train check' lists"
            )
        height, width = pictures[0].shape[:2]
        shortest = min(height, width)
        side = min(shortest, round(self.size * float(np.exp(rng.uniform(0, np.log(self.crops.zoom_out))))))
        y, x = ((n - side) // 2 if middle else int(rng.integers(n - side + 1)) for n in (height, width))
        cuts = [resized(picture[y : y + side, x : x + side], self.size) for picture in pictures]
        if self.stage == "croco":
            cuts[1] = self._second_view(pictures[1], y, x, side, rng)
        if self.crops.mirror and rng.random() < 0.5:
            cuts = [np.ascontiguousarray(cut[:, ::-1]) for cut in cuts]
        if rng.random() < self.crops.grey:
            cuts = [np.repeat((cut @ LUMA)[..., None], 3, axis=2) for cut in cuts]
        return cuts

    def _second_view(self, picture: NDArray, y: int, x: int, side: int, rng: np.random.Generator) -> Picture:
        """Return a crop of the second picture that is shifted and larger, as if seen from elsewhere."""
        height, width = picture.shape[:2]
        larger = min(height, width, round(side * rng.uniform(1, 1 + self.crops.shift)))
        y, x = (
            int(np.clip(at + (side - larger) / 2 + rng.uniform(-1, 1) * self.crops.shift * side, 0, n - larger))
            for at, n in ((y, height), (x, width))
        )
        return resized(picture[y : y + larger, x : x + larger], self.size)


@lru_cache(4)
def order_of(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of the samples in an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def resized(crop: NDArray, size: int) -> Picture:
    """Return a square crop with a side of `size` pixels, in [0, 1]."""
    crop = np.ascontiguousarray(crop)
    if len(crop) != size:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if len(crop) > size else cv2.INTER_LINEAR)
    return to_unit(crop)


def collated(drawn: list[tuple[list[Picture], int]]) -> Batch:
    """Put samples into one batch."""
    pictures = np.stack([np.stack(cuts) for cuts, _ in drawn])  # (B, V, S, S, 3)
    return Batch(torch.from_numpy(pictures).permute(0, 1, 4, 2, 3).contiguous(), torch.tensor([s for _, s in drawn]))


def prefetched(drawing: Drawing, step: int, batch: int, share: slice, workers: int) -> Generator[Batch, None, None]:
    """Yield this process's share of the batch of each step from `step` on; threads draw the next meanwhile."""
    with ThreadPoolExecutor(workers) as executor:

        def submit(step: int) -> list:
            numbers = range(step * batch, (step + 1) * batch)[share]
            return [executor.submit(partial(drawing.sample, number)) for number in numbers]

        coming = submit(step)
        try:
            while True:
                current, step = coming, step + 1
                coming = submit(step)
                yield collated([one.result() for one in current])
        finally:
            for one in coming:
                one.cancel()
