"""Leave one out, interpolation of a timelapse: each frame but the first and the last is made from its two neighbours.

Layout: the frames of a fixed camera in one folder (any formats), in the order of interpolate-timelapse: capture
times, else names.
Light: a frame is wanted at its own time between its neighbours; without capture times in the middle. --mode auto
chooses by every second frame, its neighbours among them.
Size: as stored.
Colours: 8-bit sRGB; SSIM of luma.
Score: PSNR, SSIM, "DIS-weighted MSE" and, with --lpips, LPIPS and FloLPIPS (Danier et al., PCS 2022): distances of
features, weighted at each level by how far the optical flow from the made frame to the next one is from that of the
truth. FloLPIPS takes the flow of PWC-Net and the features of AlexNet. Here the flow is OpenCV's DIS, which needs no
weights, and the column says so, with the features' network. "DIS-weighted MSE" is 1000 times the squared error of the
pixels, so weighted. Published FloLPIPS has a column of its own, since DIS is another flow.
Mean: over frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.evaluation.flow_metrics import DistanceMap, dis_flow, flow_weighted
from relight_cli.evaluation.layouts import read_picture, require_same_size
from relight_cli.evaluation.picture_metrics import psnr, ssim
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Published, require_size
from relight_cli.photos.reading import MAX_PIXELS
from relight_cli.timelapse.frames import find_frames

Distances = Callable[[Picture, Picture], list[DistanceMap]]
"""Takes two pictures; returns the distances of their features at each level (LPIPS)."""
PAPER = "CroCoDiLight, ICLR 2026 (openreview GKvb3HCyNk)"
THOUSANDTHS = 1000  # in which squared errors are given
SEQUENCES = {"clock shadows": (0.309, 0.286), "day to night": (0.041, 0.043), "indoor shadows": (0.950, 0.923)}


@dataclass(frozen=True)
class FrameSample:
    """A frame that is left out, its neighbours, and the sequence."""

    name: str
    picture: Picture  # the frame before
    after: Picture
    truth: Picture
    number: int  # in the sequence
    paths: tuple[Path, ...]  # of the sequence
    times: tuple[float, ...]

    @property
    def given(self) -> range:
        """The numbers of every second frame, the neighbours among them: the frames that a method may look at."""
        return range((self.number + 1) % 2, len(self.paths), 2)


def find(dataset: Path) -> list[Case]:
    """Return the frames between the first and the last; none if the folder has fewer than three photos of one size."""
    failed: list[tuple[Path, Exception]] = []

    def fail(path: Path, error: Exception) -> None:
        failed.append((path, error))

    try:
        frames = find_frames([str(dataset)], recursive=False, null=False, max_pixels=MAX_PIXELS, failed=fail)
    except (UsageError, PhotoUnreadableError):
        return []
    paths, times = tuple(frames.path(number) for number in range(len(frames.times))), tuple(frames.times)
    cases = [Case(path.stem, path, partial(unreadable, error)) for path, error in failed]
    for number in range(1, len(paths) - 1):
        cases.append(Case(paths[number].stem, paths[number], partial(read, number, paths, times)))
    return cases


def unreadable(error: Exception) -> FrameSample:
    """Raise the error of a frame that is not in the sequence, since it cannot be read."""
    raise error


def read(number: int, paths: tuple[Path, ...], times: tuple[float, ...]) -> FrameSample:
    """Read the frame before, the frame that is left out, and the frame after."""
    before, truth, after = (read_picture(path) for path in paths[number - 1 : number + 2])
    require_same_size(paths[number], [before, truth, after])
    return FrameSample(paths[number].stem, before, after, truth, number, paths, times)


def score(sample: FrameSample, result: Picture, distances: dict[str, Distances] | None = None) -> Parts:
    """Return the scores of a made frame, with LPIPS and FloLPIPS for each of the `distances` by name."""
    require_size(result, sample.truth.shape, sample.name)
    difference = dis_flow(sample.truth, sample.after) - dis_flow(result, sample.after)
    squares = ((result - sample.truth) ** 2).mean(axis=2)
    scores = {
        "PSNR": psnr(result, sample.truth),
        "SSIM": ssim(result, sample.truth),
        "DIS-weighted MSE": THOUSANDTHS * flow_weighted([squares], difference),
    }
    for name, maps_of in (distances or {}).items():
        maps = maps_of(result, sample.truth)
        scores[f"LPIPS ({name})"] = float(sum(level.mean() for level in maps))
        scores[f"FloLPIPS ({name}, DIS)"] = flow_weighted(maps, difference)
    return {WHOLE: scores}


def with_distances(name: str, distances: Distances) -> Protocol:
    """Return the protocol with the learned distances of a backbone."""
    return replace(PROTOCOL, score=partial(score, distances={name: distances}))


PROTOCOL = Protocol(
    "leave-one-out",
    "timelapse",
    "three or more frames of one size in one folder",
    find,
    score,
    __doc__,
    tuple(
        Published(f"CroCoDiLight, {name}, {kind}", PAPER, {"FloLPIPS": value})
        for name, values in SEQUENCES.items()
        for kind, value in zip(("pixels", "latents"), values, strict=True)
    ),
)
