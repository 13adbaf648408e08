"""Compare interpolated and deflickered frames with rendered sequences in which every frame is known.

python benchmarks/timelapse.py [--scenes 6] [--day FOLDER] [--side 1024] [--strip FILE.jpg]

Left out: every second frame is made from the others (left_out.py), of the rendered sequences below and of photos of a
fixed camera (--day). "Beyond" is by how many stops a twelfth of the picture is brighter or darker than in both
neighbours, at most.

Between: two frames of a sequence are given and the three between them are made. Moving sun: 6 degrees a frame, hard
cast shadows; nightfall: half a stop darker and bluer a frame. PSNR is in dB; the perceptual distance is the gradient
magnitude similarity deviation (Xue et al. 2014), 0 for equal pictures.

Flicker: 24 frames whose exposure, or whose lamp alone, flickers by 0.25 stops over a slow trend. Flicker is the
standard deviation of the frame-to-frame change of log2 luminance without the true trend, a mean over the 8 x 8 fields
of a frame, so that it includes light that flickers in one place only. The ffmpeg filter is the one in PyAV.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated

import av
import cv2
import numpy as np
import torch
import typer
from left_out import judge_left_out, read_day
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from relight_cli.checkpoints.models import load_model
from relight_cli.evaluation.picture_metrics import psnr
from relight_cli.models.interface import Model, RelightingModel
from relight_cli.relighting.options import TileOptions
from relight_cli.timelapse.keyframe_pair import KeyframePair
from relight_cli.timelapse.light_interpolation import Keyframe
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Mode, OutputFrame
from relight_cli.timelapse.timelapse import Timelapse
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.lights import Light, temperature_colour
from relight_cli.training.scenes.scenes import SceneOptions, render_scenes
from relight_cli.training.scenes.staging import Scene, sample_scene

Picture = NDArray[np.float32]
SIZE = (256, 384)
OPTIONS = SceneOptions(size=SIZE, lights=1, shadow_rays=8, ambient_rays=8, supersampling=2)
FRAMES, GAP, FLICKER, WINDOW = 9, 4, 0.25, 15
STRIP = 4  # number of the scene that --strip draws
TILING = TileOptions()


def sun(azimuth: float, elevation: float, kelvin: float, key: float, sky: float) -> Light:
    """Return a small hard sun and its sky."""
    flat = 1000 * math.cos(elevation)
    position = (flat * math.sin(azimuth), 1000 * math.sin(elevation), flat * math.cos(azimuth))
    sunlight, zenith, horizon = ((k, gain) for k, gain in ((kelvin, key), (9000, 0.35 * sky), (7500, 0.3 * sky)))
    colours = [tuple(part * gain for part in temperature_colour(k)) for k, gain in (sunlight, zenith, horizon)]
    return Light(position, 5.0, 1000.0, *colours)


def linear_views(seed: int, lights: list[Light]) -> Tensor:
    """Return one scene rendered under each light, (L, 3, H, W) in linear light; the mean of the first is 0.2."""
    layout = sample_scene(seed, OPTIONS).layout
    views = [render_scenes([Scene(layout, [light], [None])], OPTIONS) for light in lights]
    pictures = torch.stack([view.albedo[0] * view.shading[0, 0] for view in views])
    return pictures * 0.2 / pictures[0].mean()


def with_moving_shadows(count: int) -> list[int]:
    """Return seeds of scenes where at least a twentieth of the view enters or leaves the shadow as the sun moves."""
    options, seeds, seed = SceneOptions(size=(64, 96), lights=1, shadow_rays=4, ambient_rays=4), [], 0
    while len(seeds) < count:
        seed += 1
        layout, shadows = sample_scene(seed, options).layout, []
        for light in (sun_at(seed, 0), sun_at(seed, FRAMES - 1)):
            view = render_scenes([Scene(layout, [light], [None])], options)
            shadows.append((view.shading.sum(2) < 0.6 * view.shadow_free.sum(2))[0, 0])
        if (shadows[0] != shadows[1]).float().mean() > 0.05 and not layout.indoors:
            seeds.append(seed)
    return seeds


def sun_at(seed: int, number: int) -> Light:
    """Return the sun of a frame in which it moves."""
    return sun(0.8 * seed + math.radians(6 * number), math.radians(30), 5000, 2.2, 1)


def developed(linear: Tensor) -> Picture:
    """Return a camera's picture (H, W, 3) of linear light."""
    return develop(linear, knee=0.8).permute(1, 2, 0).numpy()


def moving_sun(seed: int) -> list[Picture]:
    """Return a sequence in which the sun moves."""
    return [developed(picture) for picture in linear_views(seed, [sun_at(seed, n) for n in range(FRAMES)])]


def nightfall(seed: int) -> list[Picture]:
    """Return a sequence in which the sun and then the sky fade."""
    lights = [sun(0.8 * seed, 0.6, 5200 - 250 * n, 2.2 * 0.62**n, 0.75**n) for n in range(FRAMES)]
    return [developed(picture) for picture in linear_views(seed, lights)]


def gmsd(picture: Picture, truth: Picture) -> float:
    """Return the gradient magnitude similarity deviation of sRGB pictures (Xue et al. 2014), on luma in [0, 255]."""
    magnitudes = []
    for srgb in (picture.clip(0, 1), truth):
        luma = cv2.blur(255 * srgb @ np.array([0.299, 0.587, 0.114], np.float32), (2, 2))[::2, ::2]
        prewitt = np.outer([1, 1, 1], [1, 0, -1]).astype(np.float32) / 3
        magnitudes.append(np.hypot(cv2.filter2D(luma, -1, prewitt), cv2.filter2D(luma, -1, prewitt.T.copy())))
    a, b = magnitudes
    return float(((2 * a * b + 170) / (a * a + b * b + 170)).std())


def judge_between(network: RelightingModel, sequence: list[Picture]) -> dict[str, tuple[float, float]]:
    """Return mean PSNR and GMSD of the frames between, by mode."""
    scores = defaultdict(list)
    for start in range(0, FRAMES - GAP, GAP):
        first, last = (Keyframe(sequence[n], network, TILING) for n in (start, start + GAP))

        def path(share: float, a: Keyframe = first, b: Keyframe = last) -> Tensor:
            return torch.lerp(a.light, b.light, share)

        for mode in Mode:
            pair = KeyframePair(first, last, path, TimelapseOptions(mode=mode))
            for step in range(1, GAP):
                made, truth = pair.frame(step / GAP), sequence[start + step]
                scores[str(mode)].append((psnr(made.clip(0, 1), truth), gmsd(made, truth)))
    return {mode: tuple(np.mean(values, axis=0)) for mode, values in scores.items()}


def flickering(seed: int, *, lamp_alone: bool) -> tuple[list[Picture], list[Picture]]:
    """Return frames of one view that flicker, and the same frames without flicker."""
    whole, ambient = linear_views(seed, [sun(0.8 * seed, 0.6, 5000, 2.2, 1), sun(0.8 * seed, 0.6, 5000, 1e-4, 1)])
    # Both are exposed to the same mean; the sky's share of the whole light is found where no sun shines.
    ambient = ambient * (whole / ambient.clamp(min=1e-6)).flatten().quantile(0.02)
    draws = np.random.default_rng(seed).normal(0, FLICKER, 24)
    frames, steady = [], []
    for number, draw in enumerate(draws):
        trend = 2 ** (-0.5 + 0.04 * number)
        shown = ambient + (whole - ambient).clamp(min=0) * 2**draw if lamp_alone else whole * 2**draw
        frames.append(np.rint(developed(shown * trend) * 255).astype(np.float32) / 255)
        steady.append(developed(whole * trend))
    return frames, steady


def deflickered(model: Model, frames: list[Picture]) -> list[Picture]:
    """Return the frames with light smoothed by the network."""
    times, options = [float(n) for n in range(len(frames))], TimelapseOptions(deflicker=WINDOW, max_side=0)
    timelapse = Timelapse(times, frames.__getitem__, frames.__getitem__, model, options)
    return [made.picture for n in range(len(frames)) if (made := timelapse.make(OutputFrame(float(n), n)))]


def deflickered_by_ffmpeg(frames: list[Picture]) -> list[Picture]:
    """Return the frames after ffmpeg's deflicker filter over the same window, with the arithmetic mean."""
    graph = av.filter.Graph()
    height, width = frames[0].shape[:2]
    source = graph.add_buffer(width=width, height=height, format="yuv444p", time_base="1/25")
    sink, smooth = graph.add("buffersink"), graph.add("deflicker", f"size={WINDOW}:mode=am")
    source.link_to(smooth)
    smooth.link_to(sink)
    graph.configure()
    out = []

    def pull() -> None:
        try:
            while True:
                out.append(graph.pull().to_ndarray(format="rgb24").astype(np.float32) / 255)
        except (av.error.BlockingIOError, av.error.EOFError):
            return

    for number, frame in enumerate(frames):
        rgb = av.VideoFrame.from_ndarray(np.rint(frame * 255).astype(np.uint8), format="rgb24")
        yuv = rgb.reformat(format="yuv444p")
        yuv.pts, yuv.time_base = number, Fraction(1, 25)
        graph.push(yuv)
        pull()
    graph.push(None)
    pull()
    return out


def flicker(frames: list[Picture], steady: list[Picture]) -> float:
    """Return the deviation of frame-to-frame changes of log luminance that the steady frames lack, in stops."""

    def fields(picture: Picture) -> NDArray:
        luma = (picture.clip(0, 1) ** 2.2) @ np.array([0.2126, 0.7152, 0.0722])
        return np.log2(cv2.resize(luma, (8, 8), interpolation=cv2.INTER_AREA) + 1e-3)

    difference = np.array([fields(a) - fields(b) for a, b in zip(frames, steady, strict=True)])
    return float(np.diff(difference, axis=0).std(0).mean())


def trend_kept(frames: list[Picture], steady: list[Picture]) -> float:
    """Return the share of the slow change of brightness that the frames keep."""
    slopes = [
        np.polyfit(range(len(some)), [math.log2((f.clip(0, 1) ** 2.2).mean()) for f in some], 1)[0]
        for some in (frames, steady)
    ]
    return float(slopes[0] / slopes[1])


def draw_strip(network: RelightingModel, path: Path) -> None:
    """Write truth, cross-fade and interpolated light of one gap as three rows."""
    sequence = moving_sun(with_moving_shadows(STRIP)[-1])
    first, last = (Keyframe(sequence[n], network, TILING) for n in (0, GAP))
    rows = [sequence[: GAP + 1]]
    for mode in (Mode.IMAGE, Mode.LATENT):
        pair = KeyframePair(
            first, last, lambda share: torch.lerp(first.light, last.light, share), TimelapseOptions(mode=mode)
        )
        rows.append([pair.frame(step / GAP) for step in range(GAP + 1)])
    sheet = np.concatenate([np.concatenate(row, 1) for row in rows])
    image = Image.fromarray((sheet.clip(0, 1) * 255).round().astype(np.uint8))
    image.resize((1280, image.height * 1280 // image.width), Image.Resampling.LANCZOS).save(path, quality=88)


def main(
    scenes: Annotated[int, typer.Option(min=1, help="Scenes of each kind.")] = 6,
    day: Annotated[Path | None, typer.Option(help="A folder of photos of a fixed camera, named by time.")] = None,
    side: Annotated[int, typer.Option(help="Longer side of the copies of these photos.")] = 1024,
    strip: Annotated[Path | None, typer.Option(help="Write one gap as a picture.")] = None,
) -> None:
    """Print three tables."""
    days = [read_day(day, side)] if day else []
    model = load_model("tiny", device="cpu")
    kinds: dict[str, Callable[[int], list[Picture]]] = {"moving sun": moving_sun, "nightfall": nightfall}
    seeds = with_moving_shadows(scenes)
    print("| left out | mode | PSNR | beyond |\n|---|---|---|---|")
    say = partial(print, flush=True)
    for kind, sequence_of in kinds.items():
        judge_left_out(model, kind, [sequence_of(seed) for seed in seeds], say)
    judge_left_out(model, "flicker", [flickering(seed, lamp_alone=True)[0][:FRAMES] for seed in seeds], say)
    if days:
        judge_left_out(model, "a day", days, say)
    print("\n| between | mode | PSNR | GMSD |\n|---|---|---|---|")
    for kind, sequence_of in kinds.items():
        results = [judge_between(model.network, sequence_of(seed)) for seed in seeds]
        for mode in Mode:
            score, distance = np.mean([result[str(mode)] for result in results], axis=0)
            print(f"| {kind} | {mode} | {score:.2f} | {distance:.4f} |", flush=True)
        worst = min(r["auto"][0] - max(r["image"][0], r["latent"][0]) for r in results)
        print(f"| {kind} | auto against the better, at worst | {worst:+.2f} | |", flush=True)
    print("\n| flicker | | stops | left | trend kept | PSNR |\n|---|---|---|---|---|---|")
    for lamp_alone in (False, True):
        rows = defaultdict(list)
        for seed in seeds[: max(1, scenes // 2)]:
            frames, steady = flickering(seed, lamp_alone=lamp_alone)
            before = flicker(frames, steady)
            methods = {
                "as taken": frames,
                f"--deflicker {WINDOW}": deflickered(model, frames),
                "ffmpeg deflicker": deflickered_by_ffmpeg(frames),
            }
            for method, made in methods.items():
                score = np.mean([psnr(a.clip(0, 1), b) for a, b in zip(made, steady, strict=True)])
                rows[method].append(
                    (flicker(made, steady), flicker(made, steady) / before, trend_kept(made, steady), score)
                )
        for method, values in rows.items():
            stops, left, kept, score = np.mean(values, axis=0)
            kind = "the sun alone" if lamp_alone else "exposure"
            print(f"| {kind} | {method} | {stops:.3f} | {left:.0%} | {kept:.0%} | {score:.1f} |", flush=True)
    if strip:
        draw_strip(model.network, strip)


if __name__ == "__main__":
    typer.run(main)
