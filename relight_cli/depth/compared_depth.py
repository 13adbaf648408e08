"""What the page of --compare shows of a photo and its depth."""

import base64
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.depth.depth_maps import Map, coloured_map, map_ends
from relight_cli.depth.ensemble_chart import ensemble_chart
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.jobs.compare_page import ComparePage, Shown
from relight_cli.jobs.console import printable
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.pages.encoding import small_picture
from relight_cli.pages.facts import FACTS, photo_facts
from relight_cli.pages.pairs import THUMBNAIL_PIXELS, embedding, with_thumbnail
from relight_cli.pages.previews import Preview, preview_of
from relight_cli.pages.views import Fact, Layer, Legend, Pair, Relief
from relight_cli.photos.photo import Photo

RELIEF_POINTS = 220 * 160  # a mesh with 16-bit indices has at most 65,536
MAP_BYTES = 120_000  # of a map in a page of one photo
_LEGEND_COLOURS = 17


def shown_depth(
    page: ComparePage, job: Job, photo: Photo, depth: RefinedDepth, options: CommandOptions, early_stop: float
) -> Shown:
    """Return the photo, its depth before and after the refinement, normals and uncertainty, and a relief."""
    size = embedding(page.expected, full=options.compare_full)
    preview = preview_of(photo, size.pixels)
    ensemble, initial = depth.ensemble, depth.scene.initial[0].cpu().numpy()
    disparity = _legend("Disparity: near is bright", map_ends(ensemble.disparity))
    maps = [("Depth", ensemble.disparity, disparity)]
    if not np.array_equal(initial, ensemble.disparity):
        maps.append(("Before refinement", initial, disparity))
    if ensemble.runs > 1:
        ends = map_ends(ensemble.deviation)
        maps.append(("Uncertainty", ensemble.deviation, _legend("Standard deviation over the runs", ends)))
    layers = [Layer("Photo", size.picture(preview))]
    for name, values, legend in maps:
        coloured = coloured_map(values, (legend.low, legend.high))
        layers.append(_map_layer(name, coloured, preview, legend, is_small=size.is_small))
    normals = np.rint((depth.small_normals * 0.5 + 0.5).clip(0, 1) * 255).astype(np.uint8)
    layers.append(_map_layer("Normals", normals, preview, _NORMALS, is_small=size.is_small))
    entry = page.entry(job)
    if page.expected > 1:
        small = preview.within(THUMBNAIL_PIXELS)
        entry = with_thumbnail(entry, small, _like(small, coloured_map(ensemble.disparity)))
    pair = Pair(
        entry.number,
        layers,
        charts=[ensemble_chart(ensemble.moves, early_stop)] if ensemble.moves else [],
        relief=_relief(ensemble.disparity, preview),
        facts=_facts(job, photo, depth),
    )
    return Shown(entry, pair)


_NORMALS = Legend("Normals: red is to the right, green up, blue towards the viewer", "", -1.0, 1.0, [])


def _legend(title: str, ends: tuple[float, float]) -> Legend:
    ramp = coloured_map(np.linspace(0, 1, _LEGEND_COLOURS, dtype=np.float32)[None], (0.0, 1.0))[0]
    return Legend(title, "relative", *ends, [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in ramp])


def _map_layer(name: str, coloured: NDArray[np.uint8], like: Preview, legend: Legend, *, is_small: bool) -> Layer:
    preview = replace(like, samples=coloured, icc=None)
    return Layer(name, small_picture(preview) if is_small else small_picture(preview, MAP_BYTES), legend)


def _like(preview: Preview, coloured: NDArray[np.uint8]) -> Preview:
    """Return a map as a preview of the size of another."""
    height, width = preview.samples.shape[:2]
    samples = cv2.resize(coloured, (width, height), interpolation=cv2.INTER_AREA)
    return replace(preview, samples=np.asarray(samples, np.uint8), icc=preview.icc)


def _relief(disparity: Map, preview: Preview) -> Relief:
    height, width = disparity.shape
    scale = min(1.0, (RELIEF_POINTS / (height * width)) ** 0.5)
    wanted = max(2, int(width * scale)), max(2, int(height * scale))
    coarse = np.asarray(cv2.resize(disparity, wanted, interpolation=cv2.INTER_AREA), np.float32)
    low, high = map_ends(coarse)
    numbers = np.rint(((coarse - low) / max(high - low, 1e-12)).clip(0, 1) * 255).astype(np.uint8)
    aspect = preview.size[1] / preview.size[0] * preview.aspect
    return Relief(*wanted, base64.b64encode(numbers.tobytes()).decode("ascii"), aspect, 0)


def _facts(job: Job, photo: Photo, depth: RefinedDepth) -> list[Fact]:
    source, target = (
        f"standard {stream}" if path == STDIO else printable(str(path))
        for path, stream in ((job.source, "input"), (job.target, "output"))
    )
    facts = [Fact("File", source, target)]
    facts += [Fact(name, value, "") for name, value in zip(FACTS, photo_facts(photo), strict=True)]
    return [*facts, Fact("Runs", "", str(depth.ensemble.runs))] if depth.ensemble.moves else facts
