"""Pairs of one view under two lights, the second soft and partly covered by something else."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.photos.focal_length import NORMAL_LENS, focal_from_equivalent
from relight_cli.relighting.estimated_geometry import estimate_geometry
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.synthetic_light import cast_shadows, shapes, smooth_noise, synthetic_log_light

Maps = NDArray[np.float32]

SIDE, DRAWN = 192, 48  # pixels of a pair; crops and lights that are drawn at a time
PHOTO_SIDE = 320  # longer side of the photos whose surfaces are estimated
CELLS = (14, 49)  # along a pair
CLOUD_SIZES = (3, 6, 12, 24)  # along a pair
KINDS = {"made light": 0.35, "estimated surfaces": 0.2, "rendered": 0.3, "true surfaces": 0.15}
CLOUDS, LAMPS, CUT_OUT, MOVED = 0.35, 0.15, 0.2, 0.15  # chances of what else may happen to a pair
UNTOUCHED, OTHER_SCENE = 0.15, 0.03  # shares of the references without patches, and of those of another scene
SHARES = (0.02, 0.05, 0.1, 0.1, 0.2, 0.35)  # of a reference that patches cover


@dataclass(frozen=True)
class Pair:
    """A photo, what it should become, and a reference; (S, S, 3) in linear light."""

    photo: Maps
    truth: Maps
    reference: Maps
    patch: Maps  # (S, S): 1 where the reference shows something else
    cells: int  # that the reference resolves


@dataclass(frozen=True)
class LitSources:
    """Where views come from: photos, their estimated surfaces, rendered views with known surfaces."""

    crops: PhotoCrops
    surfaces: list[tuple[Maps, Maps]]  # photo (H, W, 3) in linear light, normals (H, W, 3)
    views: list[NDArray[np.float16]]  # (V, 10, H, W): two pictures in linear light, disparity, normals

    @classmethod
    def of(cls, photos: Path, views: Path, *, held_out: bool = False) -> "LitSources":
        """Read photos and views of two folders; of the photos, those held out or all the others."""
        crops, network, surfaces = PhotoCrops(split(photos)[held_out]), load_geometry(), []
        for photo in crops.photos:
            scale = PHOTO_SIDE / max(photo.shape[:2])
            small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            picture: Maps = np.asarray(small / np.float32(255), np.float32)
            focal = focal_from_equivalent(NORMAL_LENS, *picture.shape[:2])
            normals = np.asarray(estimate_geometry(network, picture, focal).normals, np.float32)
            surfaces.append((srgb_to_linear(torch.from_numpy(picture)).numpy(), normals))
        return cls(crops, surfaces, [np.load(path, mmap_mode="r") for path in sorted(views.glob("*.npy"))])


class LightPairs:
    """Makes pairs."""

    def __init__(self, sources: LitSources, seed: int) -> None:
        self.sources, self.rng, self.generator = sources, np.random.default_rng(seed), Generator().manual_seed(seed)
        self.made = 0

    def renew(self) -> None:
        """Draw other crops, lights, shapes and clouds."""
        linear = srgb_to_linear(self.sources.crops.draw(DRAWN, SIDE, self.rng)[0])
        light = synthetic_log_light(DRAWN, SIDE, self.generator)[0].exp()
        distance, noise = shapes(DRAWN, SIDE, self.generator), cast_shadows(DRAWN, SIDE, self.generator)
        self.crops, self.lights, self.distances, self.shadows = (
            x.permute(0, 2, 3, 1).numpy() for x in (linear, light, distance, noise)
        )
        octaves = (smooth_noise(DRAWN // 3, n, SIDE, self.generator)[:, 0] / n for n in CLOUD_SIZES)
        self.clouds = torch.stack(list(octaves)).sum(0).numpy()

    def pick(self, of: Maps) -> Maps:
        """Return one of a batch."""
        return of[self.rng.integers(len(of))]

    def pair(self) -> Pair:
        """Return a pair."""
        if self.made % (2 * DRAWN) == 0:
            self.renew()
        self.made += 1
        rng = self.rng
        lights = self._mirrored(np.dstack(self._lit()))
        photo, truth = lights[..., :3], lights[..., 3:]
        for chance, change in ((CLOUDS, self._clouded), (LAMPS, self._with_lamps)):
            if rng.random() < chance:
                photo, truth = (change(x) if rng.random() < 0.7 else x for x in (photo, truth))
        if rng.random() < CUT_OUT:
            outline = self._mirrored(self.pick(self.distances)) < rng.uniform(0, 0.15)
            photo, truth = photo * outline, truth * outline
        photo, truth = self._captured(photo), self._captured(truth)
        if rng.random() < MOVED:
            photo = self._with_small_things(photo)
        cells = int(rng.integers(*CELLS))
        return Pair(photo, truth, *self._reference(truth, cells), cells)

    def _lit(self) -> tuple[Maps, Maps]:
        """Return a view under two lights, (S, S, 3) each."""
        rng, kind = self.rng, self.rng.choice(list(KINDS), p=list(KINDS.values()))
        if kind == "made light":
            crop = self.pick(self.crops)
            return (crop * self.pick(self.lights) if rng.random() < 0.6 else crop), crop * self.pick(self.lights)
        if kind == "estimated surfaces":
            picture, normals = self.sources.surfaces[rng.integers(len(self.sources.surfaces))]
            picture, normals = self._cropped(picture, normals)
            own = picture * self._shading(normals) if rng.random() < 0.6 else picture
            return own, picture * self._shading(normals)
        shard = self.sources.views[rng.integers(len(self.sources.views))]
        view = np.asarray(shard[rng.integers(len(shard))], np.float32).transpose(1, 2, 0)
        first, second, normals = self._cropped(view[..., :3], view[..., 3:6], view[..., 7:])
        if kind == "true surfaces":
            even = np.sqrt(first * second)
            first, second = even * self._shading(normals), even * self._shading(normals)
        elif rng.random() < 0.3:
            second = second * rng.uniform(0.2, 0.8) + first * rng.uniform(0, 0.5)
        return first, second * np.exp(rng.normal(0, 0.25, 3)).astype(np.float32)

    def _cropped(self, *maps: Maps) -> list[Maps]:
        """Return the same square of maps (H, W, C), as (S, S, C)."""
        height, width = maps[0].shape[:2]
        side = int(min(height, width) * np.exp(self.rng.uniform(np.log(0.5), 0)))
        y, x = (int(self.rng.integers(n - side + 1)) for n in (height, width))
        way = cv2.INTER_AREA if side >= SIDE else cv2.INTER_LINEAR
        return [
            np.asarray(cv2.resize(np.ascontiguousarray(m[y : y + side, x : x + side]), (SIDE, SIDE), interpolation=way))
            for m in maps
        ]

    def _shading(self, normals: Maps) -> Maps:
        """Return the light (S, S, 3) of the sky and one or two lamps or suns on surfaces; some in shadow."""
        rng = self.rng
        sky = rng.uniform(0.05, 0.8) * (1 + rng.uniform(0, 0.6) * normals[..., 1:2])
        light = sky * np.exp(rng.normal(0, 0.2, 3))
        for _ in range(rng.integers(1, 3)):
            direction = rng.normal(size=3) + np.array([0, 0.3, 0.5])
            facing = np.maximum(normals @ (direction / np.linalg.norm(direction)), 0)[..., None]
            seen = self.pick(self.shadows) if rng.random() < 0.4 else 1.0
            light = light + rng.uniform(0.2, 1.5) * np.exp(rng.normal(0, 0.15, 3)) * facing * seen
        return np.asarray(light / light.mean() * np.exp(rng.normal(0, 0.4)), np.float32)

    def _clouded(self, light: Maps) -> Maps:
        """Brighten and darken a part of a picture as clouds and the shadows of clouds do."""
        rng, cloud = self.rng, self.pick(self.clouds)
        where = np.ones((SIDE, SIDE)) if rng.random() < 0.4 else self.pick(self.shadows)[..., 0]
        stops = (cloud * rng.uniform(0.5, 3) * where)[..., None] * (1 + rng.uniform(0, 0.3) * rng.normal(size=3))
        return np.asarray(light * np.exp2(stops), np.float32)

    def _with_lamps(self, light: Maps) -> Maps:
        """Switch lamps on in a picture, which may become dark."""
        rng = self.rng
        y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
        lit = light * np.float32(np.exp(rng.uniform(-4, 0)))
        for _ in range(rng.integers(1, 6)):
            cx, cy, reach = rng.uniform(0, 1), rng.uniform(0, 1), np.exp(rng.uniform(np.log(0.01), np.log(0.2)))
            fall = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / reach**2)[..., None]
            lit = lit + fall * (light * rng.uniform(0, 3) + rng.uniform(0, 0.5)) * np.exp(rng.normal(0, 0.3, 3))
        return np.asarray(lit, np.float32)

    def _with_small_things(self, photo: Maps) -> Maps:
        """Put small things into a photo that are not in its truth."""
        rng, other, out = self.rng, self.pick(self.crops), photo.copy()
        for _ in range(rng.integers(1, 8)):
            high, wide = rng.integers(2, 9, 2)
            y, x, v, u = (int(rng.integers(SIDE - n)) for n in (high, wide, high, wide))
            out[y : y + high, x : x + wide] = other[v : v + high, u : u + wide]
        return out

    def _captured(self, light: Maps) -> Maps:
        """Expose linear light, bend its curve, add haze and noise, clip and round it."""
        rng = self.rng
        if rng.random() < 0.6:
            bright = max(1e-3, float(np.percentile(light, rng.uniform(85, 99))))
            light = light * np.exp(rng.uniform(-1.2, 0.2)) / bright
        light = light ** rng.uniform(0.8, 1.25) if rng.random() < 0.3 else light
        light = light + rng.uniform(0, 0.1) * light.mean((0, 1)) if rng.random() < 0.2 else light
        noise = rng.uniform(0, 0.008) if rng.random() < 0.8 else rng.uniform(0.008, 0.02)
        noisy = light + rng.normal(size=light.shape) * noise * np.sqrt(np.maximum(light, 0) + 0.01)
        return np.asarray(noisy.clip(0, 1), np.float32)

    def _reference(self, truth: Maps, cells: int) -> tuple[Maps, Maps]:
        """Return a soft reference (S, S, 3), and where it shows something else (S, S)."""
        rng, kind, lit = self.rng, self.rng.random(), truth
        if rng.random() < 0.3:
            shift = np.array([[1, 0, rng.normal(0, 0.3)], [0, 1, rng.normal(0, 0.3)]], np.float32)
            lit = np.asarray(cv2.warpAffine(lit, shift, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT), np.float32)
        patch = np.full((SIDE, SIDE), np.float32(UNTOUCHED <= kind < UNTOUCHED + OTHER_SCENE))
        if kind >= UNTOUCHED + OTHER_SCENE:
            patch = self._patches()
        other = self._captured(self._mirrored(self._elsewhere(truth)))
        first, way = round(cells * rng.uniform(0.9, 1.7)), rng.random()
        reference = lit + patch[..., None] * (other - lit)
        if way < 0.6:
            reference = softened(reference, first)
        elif way < 0.75:
            reference = softened(lit, first) * (1 - patch[..., None]) + patch[..., None] * other
        return np.asarray(reference, np.float32), patch

    def _elsewhere(self, truth: Maps) -> Maps:
        """Return something else to paste: another photo, another light on it, an even colour, the view elsewhere."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.6:
            return self.pick(self.crops)
        if kind < 0.8:
            return self.pick(self.crops) * self.pick(self.lights)
        if kind < 0.9:
            return np.broadcast_to(np.exp(rng.uniform(-4, 0, 3)), truth.shape).astype(np.float32)
        return np.roll(truth, tuple(rng.integers(SIDE // 5, 4 * SIDE // 5, 2)), (0, 1))

    def _patches(self) -> Maps:
        """Return rectangles, ellipses or a silhouette (S, S) that cover one of SHARES."""
        rng, share, kind = self.rng, self.rng.choice(SHARES), self.rng.integers(4)
        if kind == 3:
            distance = self._mirrored(self.pick(self.distances))[..., 0]
            return (distance < np.quantile(distance, share)).astype(np.float32)
        patch = np.zeros((SIDE, SIDE), np.float32)
        while patch.mean() < share:
            high, wide = (int(SIDE * rng.uniform(0.06, 0.3)) for _ in range(2))
            y, x = int(rng.integers(-high // 2, SIDE - high // 2)), int(rng.integers(-wide // 2, SIDE - wide // 2))
            if kind < 2:
                patch[max(0, y) : y + high, max(0, x) : x + wide] = 1
            else:
                middle, radii = (x + wide // 2, y + high // 2), (wide // 2 + 1, high // 2 + 1)
                cv2.ellipse(patch, middle, radii, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        return patch

    def _mirrored(self, maps: Maps) -> Maps:
        return maps[:, ::-1] if self.rng.random() < 0.5 else maps


def softened(picture: Maps, cells: int) -> Maps:
    """Return linear light reduced to so many cells and enlarged again, as sRGB or as it is."""
    encoded = linear_to_srgb(torch.from_numpy(np.ascontiguousarray(picture)).clamp(0, 1)).numpy()
    small = cv2.resize(encoded, (cells, cells), interpolation=cv2.INTER_AREA)
    soft = np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return srgb_to_linear(torch.from_numpy(soft)).numpy()
