"""Rendered views under known lights: the truth for a light that is put on a photo."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from datasets import split_photos

from relight_cli.models.colour import srgb_to_linear
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.geometry import Geometry, geometry_of_disparity
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.harmonics import project, sphere_grid
from relight_cli.relighting.lights.light import LUMINANCE, Light, Sun, as_rows
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.scenes.deep_layouts import sample_deep_layout
from relight_cli.training.scenes.layouts import sample_layout
from relight_cli.training.scenes.lights import Light as Lamp
from relight_cli.training.scenes.lights import sample_sun
from relight_cli.training.scenes.scenes import Scene, SceneOptions, render_scenes, sample_scene
from relight_cli.training.scenes.viewing import axial_disparity, camera_axes, camera_normals, focal_length

SIZE = (192, 256)
GREY = 0.18  # mean luminance that each picture is exposed to
HELD_OUT_SEED = 20_000_000  # seeds that no training draws
LEAST_THINGS = 3  # in a scene
APART = math.radians(30)  # least angle between the suns of a picture and its truth
_FAR = 1000.0


@dataclass(frozen=True)
class LitView:
    """A scene under its own light and under the light of its group; maps (H, W) or (H, W, 3)."""

    picture: Picture  # sRGB, under a light of its own
    truth: Picture  # sRGB, under `light`
    albedo: Picture  # linear
    disparity: Picture
    normals: Picture
    focal: float
    light: Light  # in the camera's axes

    def geometry(self) -> Geometry:
        """Return the true geometry."""
        sky = (self.disparity <= 0).astype(np.float32)
        return geometry_of_disparity(self.disparity, self.picture, self.focal, shift=0.0, normals=self.normals, sky=sky)


def views(photos: Path, folder: Path, groups: int = 16) -> list[tuple[LitView, LitView]]:
    """Return pairs of scenes under one light, rendered to `folder` once; the pictures are of two other lights."""
    folder.mkdir(parents=True, exist_ok=True)
    held_out = PhotoCrops(split_photos(photos)[1])
    return [_pair(number, held_out, folder) for number in range(groups)]


def _pair(number: int, crops: PhotoCrops, folder: Path) -> tuple[LitView, LitView]:
    first, second = (folder / f"pair_{number:03}_{name}.npz" for name in "ab")
    if not (first.exists() and second.exists()):
        rng = np.random.default_rng(HELD_OUT_SEED + number)
        with torch.no_grad():
            some = srgb_to_linear(crops.draw(2, 256, rng)[0])
            for path, view in zip((first, second), _render_pair(number, some), strict=True):
                _save(path, view)
    return _load(first), _load(second)


def _render_pair(number: int, crops: torch.Tensor) -> Iterator[LitView]:
    """Render two scenes under one light; its sun stands above the horizon of both and lights both."""
    options = SceneOptions(size=SIZE, lights=1)
    random, seed = Random(f"known lights {number}"), HELD_OUT_SEED + 100 * number
    scenes = [_draw_scene(seed + 40 * k, options) for k in range(2)]
    a, b = (scene.layout for scene in scenes)
    while True:
        shared = sample_sun(random, a.target, a.facing)
        towards = camera_axes(a) @ _unit(torch.tensor(shared.position) - torch.tensor(a.target))
        in_b = camera_axes(b).T @ towards
        if in_b[1] > 0.12 and float(in_b @ _unit(torch.tensor(b.facing))) > 0.2:
            break
    for scene, crop, direction in zip(scenes, crops, (None, in_b), strict=True):
        lamp = shared
        if direction is not None:
            place = torch.tensor(scene.layout.target) + _FAR * direction
            lamp = replace(shared, position=tuple(place.tolist()))
        own = _other_sun(random, scene, lamp)
        yield _render(scene, [own, lamp], crop)


def _draw_scene(seed: int, options: SceneOptions) -> Scene:
    """Draw the first scene from a seed on that is outdoors, where suns shine, and has things to throw shadows on."""
    while True:
        draw = sample_deep_layout if seed % 2 else sample_layout
        scene = sample_scene(seed, options, crops=True, draw_layout=draw)
        layout = scene.layout
        if not layout.indoors and len(layout.boxes) + len(layout.balls) + len(layout.rods) >= LEAST_THINGS:
            return scene
        seed += 1


def _other_sun(random: Random, scene: Scene, lamp: Lamp) -> Lamp:
    """Draw a light whose sun stands elsewhere than that of `lamp`."""
    focus = np.array(scene.layout.target)
    while True:
        own = sample_sun(random, scene.layout.target, scene.layout.facing)
        a, b = (np.array(one.position) - focus for one in (own, lamp))
        if a @ b < math.cos(APART) * np.linalg.norm(a) * np.linalg.norm(b):
            return own


def _render(scene: Scene, lamps: list[Lamp], crop: torch.Tensor) -> LitView:
    options, layout = SceneOptions(size=SIZE, lights=2), scene.layout
    staged = Scene(layout, lamps, [None, None])
    rendered = render_scenes([staged], options, crops=crop[None])
    light = (rendered.albedo[:, None] * rendered.shading)[0].permute(0, 2, 3, 1).numpy()
    own, truth = (_exposed(one) for one in light)
    albedo = rendered.albedo[0].permute(1, 2, 0).numpy()
    disparity = axial_disparity(layout, rendered.depth[0, 0]).numpy()
    normals = camera_normals(layout, rendered.normals[0]).permute(1, 2, 0).numpy()
    ground = np.array(layout.materials[0].colours).mean(axis=0)
    known = light_of_lamp(lamps[1], layout.target, camera_axes(layout).numpy(), ground)
    return LitView(own, truth, albedo, disparity, normals, focal_length(layout, *SIZE), known)


def light_of_lamp(lamp: Lamp, focus: tuple, axes: np.ndarray, ground: np.ndarray) -> Light:
    """Return a distant lamp and the sky around it, as the renderer has them, in the axes (3, 3) of a camera."""
    towards = np.array(lamp.position) - np.array(focus)
    towards /= np.linalg.norm(towards)
    sun = Sun(tuple(axes @ towards), lamp.key, math.degrees(math.atan(lamp.radius / lamp.reach)))
    directions, angles = sphere_grid(32)
    up = directions[:, 1:2]
    zenith, horizon, key = (np.array(one) for one in (lamp.zenith, lamp.horizon, lamp.key))
    sky = horizon + (zenith - horizon) * up.clip(0, 1)
    bounced = ground * (0.5 * (zenith + horizon) + key * max(0.0, float(towards[1])) * 0.9)
    radiance = sky + (bounced - sky) * (0.5 - up / 0.9).clip(0, 1)
    return Light(as_rows(project(radiance / math.pi, directions @ axes.T, angles)), (sun,), origin="a rendered scene")


def _exposed(light: Picture) -> Picture:
    from relight_cli.evaluation.picture_metrics import encoded

    mean = float((light @ LUMINANCE.astype(np.float32)).mean())
    return encoded(light * np.float32(GREY / max(mean, 1e-6)))


def _unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.norm()


def _save(path: Path, view: LitView) -> None:
    from relight_cli.relighting.lights.look import to_toml

    maps = {name: getattr(view, name) for name in ("picture", "truth", "albedo", "disparity", "normals")}
    with path.open("wb") as file:
        np.savez_compressed(file, focal=view.focal, light=np.array(to_toml(view.light)), **maps)


def _load(path: Path) -> LitView:
    from relight_cli.relighting.lights.look import from_toml

    with np.load(path) as found:
        maps = {name: found[name].astype(np.float32) for name in ("picture", "truth", "albedo", "disparity", "normals")}
        return LitView(focal=float(found["focal"]), light=from_toml(str(found["light"]), path.name), **maps)


def luminance(picture: Picture) -> Picture:
    """Return the linear luminance (H, W) of an sRGB picture."""
    return to_linear(picture) @ LUMINANCE.astype(np.float32)
