"""Judge `relight` by a reference of the same view, and by a reference of another scene.

python benchmarks/lights.py --real DIR [--train DIR] [--every N] [--first N] [--only aligned|moved|leak]

--real   real photos: shadow/ (shots of one view), timelapse/ (frames of a webcam), objects/ of the MIT intrinsic images
--train  photos of other scenes, for the leak
--every  judge each N-th pair only
--first  from this one on, counted from 0

Aligned: each method gets a reference that was reduced to 1/16 of its side and enlarged again, with patches of another
photo pasted over 10 % of it before that; the truth is the untouched reference, scored outside the patches (and what the
reduction smears of them) and inside. The plain figures, where the truth itself is the reference, have no goal.
Moved: known homographies of 0.5 to 5 % put on the reference. Leak: correlation of the log gain with its own reference's
log luminance, less that with the other references; of 6 photos and 6 references, with --every 2 of 12 and 12 others.
PSNR in dB of pictures rounded to 8 bits, means over pairs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from datasets import files, samples
from numpy.typing import NDArray

from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.models import load_model
from relight_cli.errors import RelightError
from relight_cli.evaluation.layouts import read_picture
from relight_cli.evaluation.picture_metrics import encoded, psnr
from relight_cli.evaluation.protocol import Mask, Sample
from relight_cli.evaluation.protocols import multishot_pairs
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import Picture
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.options import ReferenceKind, RelightOptions
from relight_cli.relighting.photo_geometry import geometry_of_photo
from relight_cli.relighting.reference import GeometryFor, ReferenceLight
from relight_cli.relighting.relight import relight
from relight_cli.relighting.view_match import ViewMatch

Method = Callable[[Picture, Picture, Mask], Picture]
REDUCED, PASTED, SEED = 16, 0.1, 5
LATER = (2, 5)  # frames of the webcam that are each other's reference
LIGHTS = ((1, 5), (5, 9), (9, 3), (3, 7), (7, 1))  # of an object
SMALL = (48, 32)  # of the gain whose layout is judged
NEARLY_ALL = 0.999  # of a pixel that a moved reference shows


@dataclass(frozen=True)
class Spoilt:
    """A reference that is soft and partly covered."""

    reference: Picture
    patch: Mask
    outside: Mask  # away from the patches and what the reduction smears of them


def webcam(folder: Path) -> Iterator[Sample]:
    """Yield frames, each with a later frame as its truth, 640 pixels wide."""
    frames = [read_picture(path) for path in files(folder, "*.jpg")]
    frames = [cv2.resize(f, (640, round(len(f) * 640 / f.shape[1])), interpolation=cv2.INTER_AREA) for f in frames]
    for step in LATER:
        for i, frame in enumerate(frames):
            yield Sample(f"{i}+{step}", frame, frames[(i + step) % len(frames)])


def lit_objects(folder: Path) -> Iterator[Sample]:
    """Yield objects under one lamp, with the same under another as their truth, in one exposure."""
    for path in files(folder, "*_mask.png"):
        name, mask = path.stem.removesuffix("_mask"), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0
        lamps = sorted({lamp for pair in LIGHTS for lamp in pair})
        paths = [folder / f"{name}_light{lamp:02d}.png" for lamp in lamps]
        lit = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float32) for file in paths]
        scale = 0.8 / np.percentile(np.concatenate([x[mask] for x in lit]), 99)
        shown = {lamp: encoded(x * scale) for lamp, x in zip(lamps, lit, strict=True)}
        for one, other in LIGHTS:
            yield Sample(f"{name}{one}{other}", shown[one], shown[other], mask)


def spoilt(truth: Picture, other: Picture, rng: np.random.Generator) -> Spoilt:
    """Paste patches of another photo over PASTED of a reference, then reduce it."""
    height, width = truth.shape[:2]
    patch = np.zeros((height, width), bool)
    while patch.mean() < PASTED:
        high, wide = (int(side * rng.uniform(0.1, 0.25)) for side in (height, width))
        y, x = int(rng.integers(0, height - high)), int(rng.integers(0, width - wide))
        patch[y : y + high, x : x + wide] = True
    covered = np.where(patch[..., None], cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA), truth)
    small = cv2.resize(covered, (round(width / REDUCED), round(height / REDUCED)), interpolation=cv2.INTER_AREA)
    near = cv2.dilate(patch.astype(np.uint8), np.ones((2 * REDUCED + 1, 2 * REDUCED + 1), np.uint8)) > 0
    return Spoilt(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), patch, ~near)


def quotient(picture: Picture, reference: Picture, known: Mask | None = None) -> Picture:
    """Return picture x blur(reference) / blur(picture), sigma 1/64 of the longer side, of the known light alone.

    Where nothing is known within reach, the window is doubled: the light around.
    """
    own, other = to_linear(picture), to_linear(reference)
    weight = np.ones((*own.shape[:2], 1), np.float32) if known is None else known[..., None].astype(np.float32)
    gain = np.zeros_like(own)
    for level in range(5, -1, -1):
        sigma = max(own.shape[:2]) / 64 * 2**level
        share, a, b = (cv2.GaussianBlur(x * weight, (0, 0), sigma) for x in (np.ones_like(own), own, other))
        gain = np.where(share > 0.25, (b + 1e-4) / (a + 1e-4), gain) if level < 5 else (b + 1e-4) / (a + 1e-4)
    return encoded(own * gain)


def methods_of(model: Model) -> dict[str, Method]:
    """Return every method: takes a picture, a reference and where the reference is the truth's (for the oracle)."""

    def lit(kind: ReferenceKind) -> Method:
        options = RelightOptions(reference=kind)
        return lambda p, r, known: relight(model, Photo(p), Photo(r), options).photo.to_srgb()

    return {
        "untouched": lambda p, r, known: p,
        "light around the patches": quotient,
        "quotient": lambda p, r, known: quotient(p, r),
        "latents alone": lit(ReferenceKind.LATENTS),
        "relight": lit(ReferenceKind.ALIGNED),
    }


def rounded_psnr(picture: Picture, truth: Picture, mask: Mask) -> float:
    """Return the PSNR of a picture rounded to 8 bits in a mask; NaN in an empty one."""
    return psnr(np.rint(picture.clip(0, 1) * 255) / 255, truth, mask) if mask.any() else np.nan


def judge_aligned(title: str, pairs: list[Sample], methods: dict[str, Method], others: list[Picture]) -> None:
    """Print each method's scores on spoilt and on plain references."""
    rng, scores = np.random.default_rng(SEED), {name: [] for name in methods}  # type: dict[str, list[tuple[float, ...]]]
    for n, known in enumerate(pairs):
        everywhere = np.ones(known.truth.shape[:2], bool) if known.mask is None else known.mask
        bad = spoilt(known.truth, others[n % len(others)], rng)
        for name, make in methods.items():
            soft = make(known.picture, bad.reference, bad.outside)
            plain = make(known.picture, known.truth, everywhere)
            scores[name].append(
                (
                    rounded_psnr(soft, known.truth, everywhere & bad.outside),
                    rounded_psnr(soft, known.truth, everywhere & bad.patch),
                    rounded_psnr(plain, known.truth, everywhere),
                )
            )
    print(f"\n| {title} ({len(pairs)}) | outside | inside | plain |\n|---|---|---|---|")
    for name, found in scores.items():
        print(f"| {name} | {' | '.join(f'{x:.2f}' for x in np.nanmean(found, axis=0))} |", flush=True)


def judge_moved(pairs: list[Sample], model: Model) -> None:
    """Print the scores of references that known homographies moved, next to those of the aligned ones.

    Of the whole photo, and of what the moved reference shows of it. A camera that moved sees more beyond the border,
    so that the picture goes on there, mirrored. The error of a corner is in pixels of the photo.
    """
    headings = (
        "aligned",
        "moved",
        "aligned, in the overlap",
        "moved, in the overlap",
        "error of corners",
        "registered",
    )
    print(f"\n| moved by, % of the width ({len(pairs)} pairs) | {' | '.join(headings)} |\n|{'---|' * 7}")
    aligned, geometry = [_by_moved(pair, pair.truth, model, None)[0] for pair in pairs], estimated_geometry()
    for share in (0.005, 0.01, 0.02, 0.05):
        rng, scores, found = np.random.default_rng(SEED), [], 0
        for known, still in zip(pairs, aligned, strict=True):
            moved = Moved.of(known.truth, share, rng)
            lit, view = _by_moved(known, moved.picture, model, geometry)
            areas = (np.ones_like(moved.overlap), moved.overlap)
            row = [rounded_psnr(picture, known.truth, area) for area in areas for picture in (still, lit)]
            scores.append([*row, np.nan if view.homography is None else moved.error(view.homography)])
            found += view.kind == ReferenceKind.MOVED
        means = " | ".join(f"{x:.2f}" for x in np.nanmean(scores, axis=0))
        print(f"| {100 * share:g} | {means} | {found} |", flush=True)


@dataclass(frozen=True)
class Moved:
    """A reference as a camera sees it that moved, by a known homography."""

    picture: Picture
    overlap: Mask  # of the photo, that the reference shows
    corners: NDArray[np.float32]  # (4, 2): where those of the photo lie in the reference, in pixels

    @classmethod
    def of(cls, truth: Picture, share: float, rng: np.random.Generator) -> "Moved":
        """Move each corner by up to a share of the width."""
        height, width = truth.shape[:2]
        corners = _corners(height, width)
        away = corners + rng.uniform(-share, share, (4, 2)).astype(np.float32) * width
        matrix = cv2.getPerspectiveTransform(corners, away)
        moved = cv2.warpPerspective(truth, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        shown = cv2.warpPerspective(np.ones((height, width), np.float32), np.linalg.inv(matrix), (width, height))
        return cls(moved, shown > NEARLY_ALL, away)

    def error(self, homography: NDArray[np.float64]) -> float:
        """Return how far a homography of points in [0, 1] puts the worst corner from its place, in pixels."""
        height, width = self.picture.shape[:2]
        size, centre = np.array((width, height)), 0.5  # pixel 0 is half a pixel from the border
        corners = (_corners(height, width) + centre) / size
        reached = cv2.perspectiveTransform(corners[None].astype(np.float64), homography)[0] * size - centre
        return float(np.hypot(*(reached - self.corners).T).max())


def _corners(height: int, width: int) -> NDArray[np.float32]:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _by_moved(
    known: Sample, reference: Picture, model: Model, geometry: GeometryFor | None
) -> tuple[Picture, ViewMatch]:
    """Return a picture lit by a reference, aligned without `geometry`, and what was found; unlit if nothing was."""
    notes: list[ViewMatch] = []
    options = RelightOptions(reference=ReferenceKind.AUTO if geometry else ReferenceKind.ALIGNED)
    try:
        made = relight(model, Photo(known.picture), Photo(reference), options, notify=notes.append, geometry=geometry)
        return made.photo.to_srgb(), notes[-1]
    except RelightError:
        return known.picture, notes[-1]


def estimated_geometry() -> GeometryFor:
    """Return the function that estimates the geometry of photos, as the command does without a depth map."""
    network = load_geometry()
    return lambda photo: geometry_of_photo(photo, network)


def layout(picture: Picture) -> Picture:
    """Return the log luminance of a picture, small, (32, 48)."""
    return np.log(cv2.resize(to_linear(picture).mean(axis=2), SMALL, interpolation=cv2.INTER_AREA) + 1e-2)


def judge_leak(photos: list[Picture], model: Model, kinds: tuple[ReferenceKind, ...]) -> None:
    """Print how much of a reference's layout the gain of photos of other scenes has, and how many were lit.

    Every second photo is lit by each of those between.
    """
    geometry = estimated_geometry()
    own, references = photos[::2], photos[1::2]
    layouts = [layout(x).ravel() for x in references]
    for kind in kinds:
        lights = [ReferenceLight(Photo(x)) for x in references]
        leaks, lit = [], 0
        for picture in own:
            for i, light in enumerate(lights):
                try:
                    options = RelightOptions(reference=kind)
                    made = relight(model, Photo(picture), light, options, geometry=geometry).photo
                except RelightError:
                    continue
                lit += 1
                gain = (layout(made.to_srgb()) - layout(picture)).ravel()
                if gain.std() > 1e-4:
                    likeness = [float(np.corrcoef(gain, x)[0, 1]) for x in layouts]
                    leaks.append(likeness[i] - float(np.mean(np.delete(likeness, i))))
        shown = f"{np.mean(leaks):.2f} (largest {np.max(leaks):.2f})" if leaks else "none"
        print(f"leak, --reference {kind}: {shown}; {lit} of {len(own) * len(references)} were lit", flush=True)


def photos_for_leak(photos: list[Picture], every: int, first: int) -> list[Picture]:
    """Return the 12 photos that the leak is usually measured on; from `--every 2` on up to 24 of the others."""
    usual = np.linspace(0, len(photos) - 1, 12).astype(int)
    if every == 1:
        return [photos[i] for i in usual]
    return [photo for i, photo in enumerate(photos) if i not in usual][first::every][:24]


def main(
    real: Annotated[Path, typer.Option()],
    train: Annotated[Path, typer.Option()],
    every: Annotated[int, typer.Option()] = 1,
    first: Annotated[int, typer.Option()] = 0,
    only: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Print the tables."""
    chosen, aligned = slice(first, None, every), only in (None, "aligned")
    others = [read_picture(path) for path in files(train, "*.jpg")]
    shots = list(samples(multishot_pairs.PROTOCOL, real / "shadow"))[chosen]
    frames = list(webcam(real / "timelapse"))[chosen] if aligned else []
    objects = list(lit_objects(real / "objects"))[chosen] if aligned else []
    model = load_model("tiny")
    if aligned:
        methods = methods_of(model)
        judge_aligned("shots of one view", shots, methods, others[::5])
        judge_aligned("webcam by another hour", frames, methods, others[::5])
        judge_aligned("objects by another lamp", objects, methods, others[::5])
    if only in (None, "moved"):
        judge_moved(shots, model)
    if only in (None, "leak"):
        kinds = (ReferenceKind.LATENTS, ReferenceKind.AUTO) if every == 1 else (ReferenceKind.AUTO,)
        judge_leak(photos_for_leak(others, every, first), model, kinds)


if __name__ == "__main__":
    typer.run(main)
